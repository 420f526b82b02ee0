"""Where the API is, and that the token is not shown on the way there; pure.

Plain ``http`` is for this machine. A name of it, `localhost` or one below, is only a promise: the
transport holds the look-up's answer to `is_loopback`.
"""

from ipaddress import ip_address

from yarl import URL

from raydocs_async._secret import Secret
from raydocs_async.errors import ConfigurationError, FileError

REMEDY = "use https, or allow_http=True if you mean it"


def parse_base_url(value: str, *, allow_http: bool, borrowed: bool) -> str:
    """The base URL without a final slash.

    Args:
        value: What the user gave.
        allow_http: Allow plain ``http`` to anywhere.
        borrowed: Whether the session is the user's, and so the look-up of names: then plain
            ``http`` takes a loopback address, and not the name ``localhost``.

    Raises:
        ConfigurationError: it is not absolute, carries credentials, a query or a fragment, or
            is plain ``http`` to another machine without `allow_http`.
    """
    url = _parse_url(value)
    if url is None or not url.host or url.scheme not in ("http", "https"):
        raise ConfigurationError("base_url must be an absolute http or https URL")
    if url.user is not None or url.password is not None:
        raise ConfigurationError("base_url must not carry credentials; give token= instead")
    if url.query_string or url.fragment:
        raise ConfigurationError("base_url must not have a query or a fragment")
    if url.scheme == "http" and not (allow_http or is_loopback(url.host)):
        _check_name(url.host, borrowed=borrowed)
    return str(url).rstrip("/")


def _parse_url(value: str) -> URL | None:
    try:
        return URL(value)
    except (ValueError, TypeError):
        return None


def _check_name(host: str, *, borrowed: bool) -> None:
    if host != "localhost" and not host.endswith(".localhost"):
        raise ConfigurationError(
            f"base_url is http, which shows the token to the network; {REMEDY}"
        )
    if borrowed:
        raise ConfigurationError(
            f"base_url is http to {host}, and where http_session would look that name up is not "
            f"known; give a loopback address such as 127.0.0.1 for it, {REMEDY}"
        )


def parse_file_url(value: str) -> Secret:
    """Accept the signed URL of a file: https, or plain http to this machine.

    Raises:
        FileError: it is anything else; the message does not show it.
    """
    url = _parse_url(value)
    if url is None or not url.host or url.scheme not in ("http", "https"):
        raise FileError("the service gave no usable URL for the file")
    if url.scheme == "http" and not is_loopback(url.host):
        raise FileError("the service gave a plain http URL for the file, which is not followed")
    return Secret(value)


def is_loopback(address: str) -> bool:
    """Return True for a loopback address, also as IPv4 in IPv6; never for a name."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
