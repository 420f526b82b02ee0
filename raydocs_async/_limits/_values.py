"""Plain values of the rate limit: its configuration, its status, and what callers exchange."""

import math
from enum import IntEnum

from attrs import define, frozen

from raydocs_async import _settings
from raydocs_async.errors import ConfigurationError


@frozen(kw_only=True)
class RateLimit:
    """The rate limit as it is known beforehand.

    The server's headers override `requests`. They never say a window's length, so `per` is
    believed.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    requests: int = 100
    """Hits the service allows in a window."""
    per: float = 60.0
    """Seconds a window lasts."""
    max_wait: float = 300.0
    """The longest that a call waits for the window to open, in seconds; past that it fails."""
    reserve: int = 0
    """Hits of each window that bulk work leaves to single calls. It may take one of them to ask how
    many are left, if replies were lost."""

    def __attrs_post_init__(self) -> None:
        _settings.count("requests", self.requests)
        _settings.count("reserve", self.reserve, minimum=0)
        if self.reserve >= self.requests:
            raise ConfigurationError("reserve must be below requests, or bulk work could not start")
        _settings.seconds("per", self.per)
        _settings.seconds("max_wait", self.max_wait)


@frozen(kw_only=True)
class RateLimitStatus:
    """A snapshot of what is known of the rate limit."""

    limit: int | None
    """Hits a window; ``None`` while nothing is known."""
    per: float | None
    """Seconds a window lasts; ``None`` while nothing is known."""
    remaining: int | None
    """Hits that may still be sent in this window, at least; ``None`` while that is unknown.

    Requests in flight and those without a reply are taken for counted."""
    resets_in: float | None
    """Seconds until a new window opens, at most; ``None`` while that is unknown."""
    in_flight: int
    """Requests sent and not yet answered."""
    waiting: int
    """Calls in the queue."""
    foreign: int
    """Hits of this window that other clients on the same address made, at least."""


class Lane(IntEnum):
    """Priority of a request; the lowest number is served first."""

    SINGLE = 0
    BULK = 1


@define(eq=False)
class Ticket:
    """Permission to send one request. Each one is different from all others."""

    sent_at: float = math.nan
    """When it was granted, and so the earliest that its request can have been sent."""


@frozen
class Wait:
    """No permission now."""

    until: float
    """When to ask again; ask earlier whenever a reply has come in."""
