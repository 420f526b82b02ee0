"""Accepted base URLs, and the addresses that plain ``http`` may lead to; pure.

Plain ``http`` shows the token to the network, so it may only lead to this machine. The name
``localhost``, or one below it, does not guarantee that, so the transport checks the look-up's
addresses by `is_loopback`.
"""

from ipaddress import ip_address

from yarl import URL

from raydocs_async._secret import Secret
from raydocs_async.errors import ConfigurationError, FileError

REMEDY = "use https, or allow_http=True if you mean it"


def parse_base_url(value: str, *, allow_http: bool, borrowed: bool) -> str:
    """Return the base URL without a final slash.

    Args:
        value: The URL as the user gave it.
        allow_http: Allow plain ``http`` to any machine.
        borrowed: True if a borrowed session looks names up. Then plain ``http`` is allowed to
            loopback addresses, but not to the name ``localhost``.

    Raises:
        ConfigurationError: the URL is not absolute, has credentials, a query or a fragment, or is
            plain ``http`` to another machine without `allow_http`.
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
    if not is_local_name(host):
        raise ConfigurationError(
            f"base_url is http, which shows the token to the network; {REMEDY}"
        )
    if borrowed:
        raise ConfigurationError(
            f"base_url is http to {host}, and where http_session would look that name up is not "
            f"known; give a loopback address such as 127.0.0.1 for it, {REMEDY}"
        )


def parse_file_url(value: Secret) -> Secret:
    """Accept the signed URL of a file: https, or plain http to a loopback address.

    Raises:
        FileError: the URL is anything else; neither the message nor the traceback shows it.
    """
    if complaint := _complaint(value):
        raise FileError(f"the service gave {complaint}")
    return value


def _complaint(value: Secret) -> str | None:
    """Return the reason to refuse a file's URL. Its frame, with the URL, is in no traceback."""
    url = _parse_url(value)
    if url is None or not url.host or url.scheme not in ("http", "https"):
        return "no usable URL for the file"
    if url.scheme == "http" and not is_loopback(url.host):
        return "a plain http URL for the file, which is not followed"
    return None


def is_local_name(host: str) -> bool:
    """Return True for a name that should lead to this machine: ``localhost``, or one below it."""
    return host == "localhost" or host.endswith(".localhost")


def is_loopback(address: str) -> bool:
    """Return True for a loopback address, also of IPv4 inside of IPv6; never for a name."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    # Older releases of Python do not count ::ffff:127.0.0.1 as a loopback address.
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
