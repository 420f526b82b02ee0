"""Base URLs: absolute, without secrets, and in clear to this machine alone."""

from typing import Any

import pytest

from raydocs_async import ConfigurationError, FileError
from raydocs_async._base_url import is_loopback, parse_base_url, parse_file_url
from raydocs_async._secret import Secret


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://api.example", "https://api.example"),
        ("https://api.example/", "https://api.example"),
        ("https://api.example/v2", "https://api.example/v2"),
        ("https://api.example/v2/", "https://api.example/v2"),
        ("https://api.example//", "https://api.example"),
        ("HTTPS://API.Example", "https://api.example"),
        ("https://api.example:443", "https://api.example"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("https://exämple.example", "https://xn--exmple-cua.example"),
        ("https://api.example/é", "https://api.example/%C3%A9"),
        ("https://api.example/a/../b", "https://api.example/b"),
        ("http://localhost:8000/x", "http://localhost:8000/x"),
        ("http://api.localhost", "http://api.localhost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_a_base_url_is_normalised(value: str, expected: str) -> None:
    """C20: a base URL comes out absolute and without a final slash."""
    assert parse_base_url(value, allow_http=False, borrowed=False) == expected


def test_a_mapped_address_on_loopback() -> None:
    """C20: an IPv4 address on loopback may be written as IPv6; Python decides how it is shown."""
    url = parse_base_url("http://[::ffff:127.0.0.1]", allow_http=False, borrowed=False)
    assert url in ("http://[::ffff:7f00:1]", "http://[::ffff:127.0.0.1]")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        *(
            pytest.param(value, "absolute", id=f"C20 {value!r}")
            for value in (
                *("", "/", "api.example", "//api.example", "api.example:443", "ftp://api.example"),
                *("https://", "https:///v2", "file:///etc", "https://[", "https://a:b:c"),
                *("https://api.example:99999", 7, None, b"https://api.example"),
            )
        ),
        *(
            pytest.param(value, "credentials", id=f"C20 {value!r}")
            for value in (
                *("https://u:hidden-pw@api.example", "https://u@api.example"),
                "https://:hidden-pw@api.example",
            )
        ),
        *(
            pytest.param(value, "query or a fragment", id=f"C20 {value!r}")
            for value in ("https://api.example/?a=b", "https://api.example/#a")
        ),
        *(
            pytest.param(value, "shows the token", id=f"S8 {value!r}")
            for value in (
                *("http://api.example", "http://127.evil.example", "http://localhost.evil.example"),
                *("http://127.0.0.1.evil.example", "http://evillocalhost", "http://0.0.0.0"),
                *("http://10.0.0.1", "http://[::2]", "http://2130706433", "http://0x7f.1"),
                *("http://127.1", "http://[::]", "http://[::ffff:10.0.0.1]", "http://localhost."),
            )
        ),
    ],
)
def test_a_base_url_is_refused(value: Any, says: str) -> None:
    """A base URL that cannot work, or would show the token, is refused; no secret is quoted."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        parse_base_url(value, allow_http=False, borrowed=False)
    assert "hidden-pw" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_http_by_a_borrowed_session_to_an_address(host: str) -> None:
    """S8: plain http by a borrowed session goes to a loopback address, which nothing looks up."""
    assert parse_base_url(f"http://{host}", allow_http=False, borrowed=True) == f"http://{host}"


@pytest.mark.parametrize("host", ["localhost", "foo.localhost"])
def test_http_by_a_borrowed_session_to_a_name(host: str) -> None:
    """S8: a name that a borrowed session would look up in its own way is refused for plain http."""
    says = f"^base_url is http to {host}, .*; give a loopback address such as 127.0.0.1"
    with pytest.raises(ConfigurationError, match=says):
        parse_base_url(f"http://{host}", allow_http=False, borrowed=True)


@pytest.mark.parametrize("borrowed", [True, False])
@pytest.mark.parametrize("host", ["localhost", "api.example"])
def test_http_to_elsewhere_if_asked_for(host: str, borrowed: bool) -> None:
    """S8: plain http to another machine is taken when it is asked for by name."""
    url = f"http://{host}"
    assert parse_base_url(url, allow_http=True, borrowed=borrowed) == url


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((address, True) for address in ("127.0.0.1", "127.255.0.9", "::1", "::1%lo")),
        *((address, True) for address in ("::ffff:127.0.0.1", "::FFFF:7F00:1")),
        *((address, False) for address in ("0.0.0.0", "::", "10.9.8.7", "fe80::1%lo", "126.0.0.1")),
        *((address, False) for address in ("::ffff:10.9.8.7", "::127.0.0.1", "64:ff9b::7f00:1")),
        *((address, False) for address in ("localhost", "127.1", "2130706433", "0177.0.0.1", "")),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    """S8: an address is on loopback by its number; another spelling of one, or a name, is not."""
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("api.example", "base_url must be an absolute http or https URL"),
        ("https://u@api.example", "base_url must not carry credentials; give token= instead"),
        ("https://api.example/?a=b", "base_url must not have a query or a fragment"),
    ],
)
def test_the_whole_message(value: str, message: str) -> None:
    """C20: the message says the rule, and what to do instead where there is something."""
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url(value, allow_http=False, borrowed=False)
    assert caught.value.message == message


def test_a_path_that_ends_in_a_letter() -> None:
    """C20: nothing but slashes is taken from the end."""
    url = parse_base_url("https://api.example/X//", allow_http=False, borrowed=False)
    assert url == "https://api.example/X"


@pytest.mark.parametrize(
    "value",
    [
        "https://storage.example/a%2Fb?X=%2B",
        "HTTPS://Storage.Example/a",
        "http://127.0.0.1:8080/a?b",
    ],
)
def test_the_url_of_a_file(value: str) -> None:
    """A signed URL is used as it came, since its signature covers every character, and hidden."""
    url = parse_file_url(Secret(value))
    assert url == value
    assert isinstance(url, Secret)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("http://storage.example/a", "plain http URL for the file, which is not followed"),
        ("http://localhost/a", "plain http URL for the file, which is not followed"),
        ("ftp://127.0.0.1/a", "no usable URL for the file"),
        ("https:///a", "no usable URL for the file"),
        ("/a", "no usable URL for the file"),
        ("https://[::1", "no usable URL for the file"),
    ],
)
def test_no_url_of_a_file(value: str, message: str) -> None:
    """S5: a URL that would show the file to the network, or lead nowhere, is refused unseen."""
    with pytest.raises(FileError) as caught:
        parse_file_url(Secret(value))
    assert caught.value.message.endswith(message)
    assert caught.value.message.startswith("the service gave ")
