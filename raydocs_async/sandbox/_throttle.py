"""The framework's throttle: the count of hits, and the headers of its replies.

The window is *fixed*: the first accepted request opens it, independent of the clock's minute. A
request is first *checked*: if no hit is left, it is refused and costs nothing. Only then is it
*counted*, whatever its reply will be. The headers of an accepted request never give the window's
end. Each peer address has its own window.

When a window opens, at ``t0``, the framework keeps two values: the count of hits, and the time
when it is available again, ``floor(t0)`` plus the window's length. ``Retry-After`` is that time
minus ``floor(now)``. The stores differ in how long they keep the count:

- ``redis`` keeps it to the millisecond, until ``t0`` plus the window's length. So ``Retry-After``
  may be up to a second short, and may read 0 while requests are still refused. One second more
  than the header is always enough.
- ``file``, ``database`` and ``dynamodb`` compare whole seconds. So their windows end at
  ``floor(t0)`` plus the window's length, and ``Retry-After`` is exact.
- ``dynamodb`` starts a new count only if the old one expired *before* the current second, and
  increments a count only if it expires *after* the current second. So in the second in which a
  window expires, every request passes and none is counted.
- ``redis-mw`` is the middleware ``ThrottleRequestsWithRedis`` instead of ``ThrottleRequests``. It
  checks and counts in one script, by ``floor(t0)``, and takes ``Remaining`` at that moment.

With the other stores, ``Remaining`` is read after the handler has run. So it includes the hits
that other requests made in the meantime, and it equals the limit if the count has expired by then.
Up to release 12 it may be negative.

`ThrottleRequests` checks and counts in two steps, so concurrent requests may exceed the limit, and
``Remaining`` is negative then. The file store even loses hits because it reads and writes a count
without a lock: measured, a window accepted a third more than its limit.

Every method takes `now`, in seconds since the epoch.
"""

import math
from typing import Literal, TypeAlias, get_args

from attrs import define, field
from attrs.validators import ge, gt, in_, lt, optional

Store: TypeAlias = Literal["redis", "file", "database", "dynamodb", "redis-mw"]
"""The store of the counts, which decides when a window ends; see `Throttle`."""

PEER = "127.0.0.1"

RACE = 0.005
"""Seconds from the check of a request until other workers see its hit."""

_LOST = 4
"""The file store loses one hit in this many while several are made at once."""


@define
class Window:
    """One window of one peer address; a new object replaces it when the next window opens."""

    number: int = 0
    hits: int = 0
    passed: int = 0
    """Accepted requests: the hits, and the hits that the store lost."""
    ends_at: float = -math.inf
    opens_next_at: float = -math.inf
    """The earliest time at which the next window may open."""
    available_at: int = 0
    recent: tuple[float, ...] = ()
    """The times of the latest hits, at most one less than there are workers."""

    def unseen(self, now: float) -> int:
        """Return the number of hits that a request checked at `now` does not see yet."""
        return sum(now - at < RACE for at in self.recent)


@define
class Throttle:
    """The fixed window of each peer address that reaches a sandbox.

    Args:
        limit: Requests in a window; ``None`` means no limit and none of its headers. It may be
            changed at any time; a change takes effect with the next request.
        window: Length of a window, in seconds. A change takes effect with the next window.
        store: ``"redis"`` ends a window `window` seconds after its first hit. The others round
            the time of that hit down to a whole second, so they need a `window` of at least one
            second: ``"file"``, ``"database"``, ``"dynamodb"`` (which counts no request in the
            second after a window's end), and ``"redis-mw"``, the framework's
            ``ThrottleRequestsWithRedis``, which never exceeds the limit, and which reads
            ``Remaining`` before the request is handled.
        workers: The number of requests that the server handles at once. With more than one,
            requests that arrive within five milliseconds are checked before any of them is
            counted. So a burst may exceed the limit by up to ``workers - 1`` requests, and
            ``Remaining`` becomes negative; a ``"file"`` store also loses one hit in four then.
            ``"redis-mw"`` is not affected.

    Raises:
        ValueError: An argument is out of its range.
    """

    limit: int | None = field(validator=optional(ge(1)))
    window: float = field(default=60.0, validator=[gt(0), lt(math.inf)])
    store: Store = field(default="redis", validator=in_(get_args(Store)))
    workers: int = field(default=1, validator=ge(1))
    windows: int = field(default=0, init=False)
    """The number of windows opened so far, for all addresses together."""
    _peers: dict[str, Window] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.store != "redis" and self.window < 1:
            raise ValueError(f"a {self.store} store keeps whole seconds: window is {self.window!r}")

    def hits(self, now: float, peer: str = PEER) -> int:
        """Return the hits of the window that is open at `now`; 0 if no window is open."""
        window = self._of(peer)
        return window.hits if now < window.ends_at else 0

    def number(self, peer: str = PEER) -> int:
        """Return the number of the latest window of `peer`; 0 before its first one.

        Windows are numbered from 1 in the order in which they opened, for all addresses together.
        """
        return self._of(peer).number

    def refuses(self, now: float, peer: str = PEER) -> bool:
        """Return true if a request at `now` would exceed the limit; this costs no hit."""
        if self.limit is None:
            return False
        # This does not open a window: a refused request must cost nothing.
        return self.hits(now, peer) - self._of(peer).unseen(now) >= self.limit

    def hit(self, now: float, peer: str = PEER) -> int:
        """Count a request at `now`, and open a window if none is open.

        Returns:
            The hits of its window so far, its own included.
        """
        if now >= self._of(peer).opens_next_at:
            self._peers[peer] = self._open(now)
        # With `dynamodb` there is a second in which the old window has ended and none may open: its
        # hits are added to the old one, which no longer counts.
        window = self._of(peer)
        window.passed += 1
        window.hits += not self._loses(window, now)
        if self.workers > 1 and self.store != "redis-mw":
            window.recent = (*window.recent, now)[1 - self.workers :]
        return self.hits(now, peer)

    def passed_headers(
        self, now: float, peer: str = PEER, *, counted: int | None = None
    ) -> dict[str, str]:
        """Return the rate-limit headers of an accepted request.

        Args:
            now: The time at which its handler finished.
            peer: The address that it came from.
            counted: The result of its `hit`; ``redis-mw`` uses nothing else.
        """
        if self.limit is None:
            return {}
        remaining = self.limit - self.hits(now, peer)
        if self.store == "redis-mw" and counted is not None:
            remaining = max(0, self.limit - counted)
        return {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(remaining)}

    def refused_headers(self, now: float, peer: str = PEER) -> dict[str, str]:
        """Return the rate-limit headers of a 429 at `now`."""
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
            # The framework knows only whole seconds. Without rounding up, one second more than
            # Retry-After would not be enough for a window of, say, 2.5 seconds.
            available_at=math.floor(now) + math.ceil(self.window),
        )

    def _loses(self, window: Window, now: float) -> bool:
        """Return true if a concurrent write of the same count overwrites this hit."""
        return self.store == "file" and window.passed % _LOST == 0 and window.unseen(now) > 0
