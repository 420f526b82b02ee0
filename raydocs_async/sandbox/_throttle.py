"""The framework's throttle: how the server counts hits, and what its replies say of it.

A *fixed window*: the first accepted request opens it, and the clock's minute does not matter. A
request is first *checked*: with no hit left it is refused, and costs nothing. Only then is it
*counted*, whatever its reply will be. The headers of a passed reply do not tell when the window
ends. Each peer address has a window of its own.

Two values are kept when a window opens, at ``t0``: the count of hits, and the time to come back at,
which is ``floor(t0)`` and the window's length. ``Retry-After`` is that time less the present one,
whose fraction is cut, too. The stores differ in how long they keep the count:

- ``redis`` keeps it to the millisecond, until ``t0`` and the window's length. So ``Retry-After``
  may be up to a second short, and even read 0 while requests are still refused; one second more
  than it says is always enough.
- ``file``, ``database`` and ``dynamodb`` compare whole seconds, so their windows end at
  ``floor(t0)`` and the window's length, and ``Retry-After`` is exact.
- ``dynamodb`` adds a count only where the old one has expired *before* the present second, and
  increments one only where it expires *after* it. So in the second in which a window expires,
  every request passes and none is counted.
- ``redis-mw`` is the middleware ``ThrottleRequestsWithRedis`` in place of ``ThrottleRequests``. It
  checks and counts in one script, by ``floor(t0)``, and its ``Remaining`` is from that moment.

The other ones make ``Remaining`` after the handler has run. So hits made meanwhile are in it, and
it equals the limit if the count has expired by then. Up to release 12 it is not clipped at 0.

`ThrottleRequests` checks and counts in two steps: of requests that are worked on side by side, more
than the limit may pass, and ``Remaining`` is negative then. The file store even loses hits, as it
reads and writes a count without a lock in between: a window was seen to take a third too many.

Everything here is a function of `now`, in seconds since the epoch, which is always an argument.
"""

import math
from typing import Literal, TypeAlias, get_args

from attrs import define, field
from attrs.validators import ge, gt, in_, lt, optional

Store: TypeAlias = Literal["redis", "file", "database", "dynamodb", "redis-mw"]
"""Where the counts live, which decides when a window ends; see `Throttle`."""

PEER = "127.0.0.1"

RACE = 0.005
"""Seconds from the check of a request to where others see its hit, on a server with workers."""

_LOST = 4
"""With the file store, one hit in so many is lost while several are made at once."""


@define
class Window:
    """The window of one peer address; the next one takes its place."""

    number: int = 0
    hits: int = 0
    passed: int = 0
    """Requests let in: the hits, and those that were not counted."""
    ends_at: float = -math.inf
    opens_next_at: float = -math.inf
    """When the next one may open at the earliest."""
    available_at: int = 0
    recent: tuple[float, ...] = ()
    """When the latest requests were let in, one for each worker but one."""

    def unseen(self, now: float) -> int:
        """Hits that a request checked at `now` does not see yet."""
        return sum(now - at < RACE for at in self.recent)


@define
class Throttle:
    """The fixed window of each peer address that reaches a sandbox.

    Args:
        limit: Requests in a window; ``None`` lifts the limit, and its headers go too. It may be
            changed at any time, and counts from the next request on.
        window: How long a window lasts, in seconds. A change counts from the next window on.
        store: ``"redis"`` ends a window `window` seconds after its first hit. The others cut the
            fraction of a second from that hit's time first, so they need a `window` of a second at
            least: ``"file"``, ``"database"``, ``"dynamodb"`` (which counts no request in the
            second after a window's end), and ``"redis-mw"``, the framework's
            ``ThrottleRequestsWithRedis``, which is exact, and whose ``Remaining`` is from before
            the request is handled.
        workers: How many requests the server works on at once. With more than one, all that
            come within five milliseconds are checked before they are counted. So a burst may take
            up to ``workers - 1`` requests over the limit, and ``Remaining`` goes below zero; a
            ``"file"`` store also loses one hit in four then. ``"redis-mw"`` is not affected.

    Raises:
        ValueError: An argument is out of its range.
    """

    limit: int | None = field(validator=optional(ge(1)))
    window: float = field(default=60.0, validator=[gt(0), lt(math.inf)])
    store: Store = field(default="redis", validator=in_(get_args(Store)))
    workers: int = field(default=1, validator=ge(1))
    windows: int = field(default=0, init=False)
    """How many windows have been opened so far, of all addresses."""
    _peers: dict[str, Window] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.store != "redis" and self.window < 1:
            raise ValueError(f"a {self.store} store keeps whole seconds: window is {self.window!r}")

    def hits(self, now: float, peer: str = PEER) -> int:
        """How many requests the window that is open at `now` has counted; 0 if none is."""
        window = self._of(peer)
        return window.hits if now < window.ends_at else 0

    def number(self, peer: str = PEER) -> int:
        """The number of the address's latest window, as they were opened; 0 before the first."""
        return self._of(peer).number

    def refuses(self, now: float, peer: str = PEER) -> bool:
        """Whether a request at `now` is over the limit. Asking costs nothing."""
        if self.limit is None:
            return False
        return self.hits(now, peer) - self._of(peer).unseen(now) >= self.limit

    def hit(self, now: float, peer: str = PEER) -> int:
        """Let a request in at `now`; the first one opens a window.

        Returns:
            The hits of its window so far, its own included.
        """
        if now >= self._of(peer).opens_next_at:
            self._peers[peer] = self._open(now)
        window = self._of(peer)
        window.passed += 1
        window.hits += not self._loses(window, now)
        if self.workers > 1 and self.store != "redis-mw":
            window.recent = (*window.recent, now)[1 - self.workers :]
        return self.hits(now, peer)

    def passed_headers(
        self, now: float, peer: str = PEER, *, counted: int | None = None
    ) -> dict[str, str]:
        """The headers of an accepted request, whose handler is done at `now`.

        `counted` is what its `hit` returned; ``redis-mw`` answers by that alone.
        """
        if self.limit is None:
            return {}
        remaining = self.limit - self.hits(now, peer)
        if self.store == "redis-mw" and counted is not None:
            remaining = max(0, self.limit - counted)
        return {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(remaining)}

    def refused_headers(self, now: float, peer: str = PEER) -> dict[str, str]:
        """The headers of a 429 at `now`."""
        retry_after = max(0, self._of(peer).available_at - math.floor(now))
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0",
            "Retry-After": str(retry_after),
            "X-RateLimit-Reset": str(math.floor(now) + retry_after),
        }

    def _of(self, peer: str) -> Window:
        return self._peers.setdefault(peer, Window())

    def _open(self, now: float) -> Window:
        self.windows += 1
        ends_at = (now if self.store == "redis" else math.floor(now)) + self.window
        return Window(
            number=self.windows,
            ends_at=ends_at,
            opens_next_at=math.floor(ends_at) + 1 if self.store == "dynamodb" else ends_at,
            # The framework's windows are whole seconds. A shorter one is rounded up here, so that
            # one second more than the header says stays enough.
            available_at=math.floor(now) + math.ceil(self.window),
        )

    def _loses(self, window: Window, now: float) -> bool:
        """Whether the count of a hit is overwritten by one that is made at the same time."""
        return self.store == "file" and window.passed % _LOST == 0 and window.unseen(now) > 0
