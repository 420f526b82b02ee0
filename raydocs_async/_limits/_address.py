"""The configured place of a shared rate limit: a file, or a key of a Redis server; pure."""

from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from attrs import frozen

from raydocs_async._secret import Secret

SCHEMES: Final = ("redis", "rediss", "unix")
EXAMPLE: Final = "redis://HOST:6379/0?key=NAME"


@frozen
class RedisAddress:
    """A key of a Redis server."""

    url: Secret
    """As the library for Redis takes it; it may hold a password."""
    place: str
    """The server, without user and password."""
    key: str


def parse(value: str) -> RedisAddress | None:
    """Return the address that a URL names; ``None`` if `value` is the path of a file.

    Raises:
        ValueError: the URL is unusable; the text completes "must be", and repeats no part of the
            URL that could be a password.
    """
    scheme, found, _ = value.partition("://")
    if not found:
        return None
    if scheme not in SCHEMES:
        raise ValueError(f"the path of a file, or a URL such as {EXAMPLE}, not a {scheme} URL")
    parts = _split(value, scheme)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    key = options.pop("key", "default")
    unknown = [name for name in options if name != "db" and not name.startswith("ssl_")]
    if unknown or not key or not options.get("db", "0").isdigit():
        raise ValueError(f"{_usage(scheme)}, with no options but key, db and those of ssl_")
    host = parts.netloc.rpartition("@")[2]
    url = value.partition("?")[0] + (f"?{urlencode(options)}" if options else "")
    return RedisAddress(Secret(url), f"{scheme}://{host}{parts.path}", key)


def _split(value: str, scheme: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        if _is_usable(parts):
            return parts
    except ValueError:  # its text repeats a part of the URL
        pass
    raise ValueError(f"{_usage(scheme)}; in a password, write / as %2F, # as %23 and @ as %40")


def _is_usable(parts: SplitResult) -> bool:
    """Return true if a URL has a host and a number at most, or a socket.

    Raises:
        ValueError: the port is no number.
    """
    if parts.fragment or parts.port == 0:
        return False
    if parts.scheme == "unix":
        return len(parts.path) > 1 and not parts.hostname
    return bool(parts.hostname) and (parts.path.strip("/") or "0").isdigit()


def _usage(scheme: str) -> str:
    example = "unix:///PATH/OF/SOCKET?key=NAME" if scheme == "unix" else EXAMPLE
    return f"a URL such as {example.replace('redis:', f'{scheme}:')}"
