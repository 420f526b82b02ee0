"""The framework's throttle: how the server counts hits, and what its replies say of it.

A *fixed window*: the first accepted request opens it, and the clock's minute does not matter. A
request is first *checked*: with no hit left it is refused, and costs nothing. Only then is it
*counted*, whatever its reply will be. The headers of a passed reply are made after its handler
has run, so that hits made meanwhile are in them, and they do not tell when the window ends.

Two values are kept when a window opens, at ``t0``. The count of hits lives for `window` seconds.
The time to come back at is kept beside it in whole seconds, with the fraction cut from ``t0``, and
``Retry-After`` is that time less the present one, cut in the same way. Where the count lives to
the millisecond, the header may therefore be up to a second short, and even read 0 while requests
are still refused; one second more than it says is always enough.

The framework checks and counts in two steps, so that a burst on several of its machines may get
slightly more than the limit. There is one machine here: never more.

Everything here is a function of `now`, in seconds since the epoch, which is always an argument.
"""

import math
from typing import Literal, TypeAlias

from attrs import define, field
from attrs.validators import ge, gt, in_, lt, optional

Store: TypeAlias = Literal["file", "redis"]
"""Where the counts live: ``"redis"`` keeps times to the millisecond, ``"file"`` whole seconds."""


@define
class Throttle:
    """The fixed window of one address, shared by everything that reaches a sandbox.

    Args:
        limit: Requests in a window; ``None`` lifts the limit, and its headers go too. It may be
            changed at any time, and counts from the next request on.
        window: How long a window lasts, in seconds. A change counts from the next window on.
        store: ``"redis"`` ends a window `window` seconds after its first hit; ``"file"`` cuts the
            fraction of a second from that hit's time first, and so needs a `window` of a second
            at least.

    Raises:
        ValueError: An argument is out of its range.
    """

    limit: int | None = field(validator=optional(ge(1)))
    window: float = field(default=60.0, validator=[gt(0), lt(math.inf)])
    store: Store = field(default="redis", validator=in_(("file", "redis")))
    windows: int = field(default=0, init=False)
    """How many windows have been opened so far; the number of the current or last one."""
    _hits: int = field(default=0, init=False, repr=False)
    _ends_at: float = field(default=-math.inf, init=False, repr=False)
    _available_at: int = field(default=0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.store == "file" and self.window < 1:
            raise ValueError(f"a file store keeps whole seconds: window is {self.window!r}")

    def hits(self, now: float) -> int:
        """How many requests the window that is open at `now` has accepted; 0 if none is."""
        return self._hits if now < self._ends_at else 0

    def refuses(self, now: float) -> bool:
        """Whether a request at `now` is over the limit. Asking costs nothing."""
        return self.limit is not None and self.hits(now) >= self.limit

    def hit(self, now: float) -> None:
        """Count a request accepted at `now`; the first one opens a window."""
        if now >= self._ends_at:
            self._open(now)
        self._hits += 1

    def passed_headers(self, now: float) -> dict[str, str]:
        """The headers of an accepted request, whose handler is done at `now`."""
        if self.limit is None:
            return {}
        remaining = max(0, self.limit - self.hits(now))
        return {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(remaining)}

    def refused_headers(self, now: float) -> dict[str, str]:
        """The headers of a 429 at `now`."""
        retry_after = max(0, self._available_at - math.floor(now))
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": "0",
            "Retry-After": str(retry_after),
            "X-RateLimit-Reset": str(math.floor(now) + retry_after),
        }

    def _open(self, now: float) -> None:
        self.windows += 1
        self._hits = 0
        self._ends_at = (math.floor(now) if self.store == "file" else now) + self.window
        # The framework's windows are whole seconds. A shorter one is rounded up here, so that
        # one second more than the header says stays enough.
        self._available_at = math.floor(now) + math.ceil(self.window)
