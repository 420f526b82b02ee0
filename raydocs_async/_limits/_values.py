"""Plain values of the rate limit: configuration, status, lanes and tickets."""

import math
from enum import IntEnum
from os import PathLike

from attrs import define, field, frozen

from raydocs_async import _settings
from raydocs_async._limits import _address
from raydocs_async.errors import ConfigurationError


def _without_password(shared: str | PathLike[str] | None) -> str:
    address = _address.parse(str(shared))
    return repr(f"{address.place}?key={address.key}" if address else shared)


@frozen(kw_only=True)
class RateLimit:
    """The configured rate limit.

    The server's headers override `requests`. They never give a window's length, so nothing
    overrides `per`.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    requests: int = 100
    """Hits that the service allows in a window."""
    per: float = 60.0
    """Seconds that a window lasts."""
    max_wait: float = 300.0
    """The longest time that a call waits for the window to open, in seconds; if the window opens
    later, the call fails at once."""
    reserve: int = 0
    """Hits of each window that bulk work leaves to single calls. If replies were lost, bulk work
    may use one of these hits to find out how many are left."""
    shared: str | PathLike[str] | None = field(default=None, repr=_without_password)
    """The place by which all processes with the same value share one window.

    A file, such as ``"/run/raydocs/limit"``, whose directory must exist on a local file system; or
    a key of a Redis server, such as ``"redis://host:6379/0?key=office"`` (also ``rediss://`` and
    ``unix://``), which needs the extra ``[redis]``. ``None``: ``$RAYDOCS_SHARED_LIMIT``, or not
    shared if that is not set. ``""``: not shared."""

    def __attrs_post_init__(self) -> None:
        _settings.count("requests", self.requests)
        _settings.count("reserve", self.reserve, minimum=0)
        if self.reserve >= self.requests:
            raise ConfigurationError("reserve must be below requests, or bulk work could not start")
        _settings.seconds("per", self.per)
        _settings.seconds("max_wait", self.max_wait)
        _settings.instance("shared", self.shared, str | PathLike | None)
        check_shared("shared", self.shared)


def check_shared(name: str, value: str | PathLike[str] | None) -> None:
    """Accept the path of a file, the URL of a Redis server, an empty string, or ``None``.

    Raises:
        ConfigurationError: `value` is another URL.
    """
    try:
        _address.parse(str(value))
    except ValueError as error:
        raise ConfigurationError(f"{name} must be {error}") from None


@frozen(kw_only=True)
class RateLimitStatus:
    """A snapshot of the rate limit, as far as it is known."""

    limit: int | None
    """Hits in a window; ``None`` while that is unknown."""
    per: float | None
    """Seconds that a window lasts; ``None`` while that is unknown."""
    remaining: int | None
    """Hits that may still be sent in this window, at least; ``None`` while that is unknown.

    Requests in flight and those without a reply count as hits."""
    resets_in: float | None
    """Seconds until a new window opens, at most; ``None`` while that is unknown."""
    in_flight: int
    """Requests sent and not yet answered."""
    waiting: int
    """Calls in the queue."""
    foreign: int
    """Hits of this window that other clients on the same address made, at least; with a shared
    limit, those that do not share it."""
    processes: int | None = None
    """Processes that share the window, this one included; ``None`` if the limit is not shared, or
    while its store cannot be used."""


class Lane(IntEnum):
    """Priority of a request; the lowest number is served first."""

    SINGLE = 0
    BULK = 1


@define(eq=False)
class Ticket:
    """Permission to send one request; compared by identity."""

    sent_at: float = math.nan
    """When it was granted; its request was not sent before that."""


@frozen
class Wait:
    """No permission now."""

    until: float
    """When to ask again; a reply can make it worth asking earlier."""
