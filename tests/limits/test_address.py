"""The configured place of a shared limit: paths, URLs, and what they must not show."""

import pytest

from raydocs_async import ConfigurationError, RateLimit, RateLimiter
from raydocs_async._limits._address import parse


@pytest.mark.parametrize(
    ("value", "url", "place", "key"),
    [
        ("redis://h", "redis://h", "redis://h", "default"),
        ("redis://h/0?key=office", "redis://h/0", "redis://h/0", "office"),
        ("redis://h/0?key=a://b", "redis://h/0", "redis://h/0", "a://b"),
        ("rediss://u:p@h:7000/3?key=a", "rediss://u:p@h:7000/3", "rediss://h:7000/3", "a"),
        ("redis://:p%40%2F@[::1]:1/", "redis://:p%40%2F@[::1]:1/", "redis://[::1]:1/", "default"),
        ("unix:///run/r.sock", "unix:///run/r.sock", "unix:///run/r.sock", "default"),
        ("unix://:p@/r?db=2&key=a", "unix://:p@/r?db=2", "unix:///r", "a"),
        ("rediss://h?ssl_ca_certs=/ca", "rediss://h?ssl_ca_certs=%2Fca", "rediss://h", "default"),
    ],
)
def test_a_url_names_a_server_and_a_key(value: str, url: str, place: str, key: str) -> None:
    """The URL for the library is without the key, and the place without user and password."""
    address = parse(value)
    assert address is not None
    assert str(address.url) == url
    assert (address.place, address.key) == (place, key)
    assert ":p" not in repr(address)


@pytest.mark.parametrize("value", ["", "limit", "/run/limit", "C:\\limit", "redis:/x", "redis"])
def test_anything_else_is_a_path(value: str) -> None:
    """Without a scheme, it is the path of a file."""
    assert parse(value) is None


REDIS = "a URL such as redis://HOST:6379/0?key=NAME"
OPTIONS = ", with no options but key, db and those of ssl_"
QUOTING = "; in a password, write / as %2F, # as %23 and @ as %40"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("http://h", f"the path of a file, or {REDIS}, not a http URL"),
        ("redis://", REDIS + QUOTING),
        ("redis://:secret/x@h/0", REDIS + QUOTING),
        ("redis://:12/secret@h/0", REDIS + QUOTING),
        ("redis://:secret#x@h/0", REDIS + QUOTING),
        ("redis://h/secret", REDIS + QUOTING),
        ("redis://h/X", REDIS + QUOTING),
        ("redis://h:0", REDIS + QUOTING),
        ("redis://h:secret", REDIS + QUOTING),
        ("redis://[secret", REDIS + QUOTING),
        ("redis://h/0#secret", REDIS + QUOTING),
        ("rediss://", "a URL such as rediss://HOST:6379/0?key=NAME" + QUOTING),
        ("unix://", "a URL such as unix:///PATH/OF/SOCKET?key=NAME" + QUOTING),
        ("unix:///", "a URL such as unix:///PATH/OF/SOCKET?key=NAME" + QUOTING),
        ("unix://secret/x", "a URL such as unix:///PATH/OF/SOCKET?key=NAME" + QUOTING),
        ("redis://h?password=secret", REDIS + OPTIONS),
        ("redis://h?key=", REDIS + OPTIONS),
        ("redis://h?db=secret", REDIS + OPTIONS),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, value: str, says: str
) -> None:
    """The error says how a URL is written, and repeats nothing that could be a password."""
    with pytest.raises(ConfigurationError) as caught:
        RateLimit(shared=value)
    assert str(caught.value) == f"shared must be {says}"
    monkeypatch.setenv("RAYDOCS_SHARED_LIMIT", value)
    with pytest.raises(ConfigurationError) as caught:
        RateLimiter()
    assert str(caught.value) == f"$RAYDOCS_SHARED_LIMIT must be {says}"


def test_the_configuration_hides_the_password() -> None:
    """The configuration's repr has no password."""
    text = repr(RateLimit(shared="redis://user:hunter2@host/0?key=office"))
    assert "hunter2" not in text
    assert "shared='redis://host/0?key=office'" in text
    assert "shared='/run/limit'" in repr(RateLimit(shared="/run/limit"))
    assert "shared=None" in repr(RateLimit())
