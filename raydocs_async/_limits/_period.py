"""The length of a rate-limit window: configured, or learned from a refusal.

No header gives the length of a window. A configured length is never changed: a 429 that contradicts
it counts for its own window alone, because gateways and firewalls send 429s of their own, and one
of them must not slow down a process for its whole life. Without a configured length, it is learned
in whole seconds from the first 429 of this limit in a window whose opening we saw.

All is a pure function of the observations, in seconds on a clock that does not jump.
"""

import math

from attrs import Factory, define, field, frozen

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._values import Ticket

UNKNOWN = (-math.inf, math.inf)


@frozen
class Interval:
    """Bounds of a moment that is not known exactly."""

    low: float = -math.inf
    high: float = math.inf

    def narrowed(self, low: float, high: float) -> "Interval":
        """Return the intersection, or the new bounds alone if they contradict the old ones."""
        if low <= self.low and self.high <= high:
            return self
        if low > self.high or high < self.low:
            return Interval(low, high)
        return Interval(max(low, self.low), min(high, self.high))


@frozen
class Opening:
    """The request that opened a window, by its reply's ``Remaining`` of ``Limit - 1``."""

    sent_at: float
    received_at: float
    served_at: float | None
    """The time of the reply by the server's clock, in epoch seconds."""


@define
class Period:
    """The length of the windows; one object for the whole life of a limiter."""

    seconds: float | None
    """Seconds that a window lasts; ``None`` while that is neither configured nor learned."""
    opening: Opening | None = None
    """The last window's opening that we saw; it may be older than the current window."""
    learns: bool = field(default=Factory(lambda self: self.seconds is None, takes_self=True))
    """True if `seconds` is not configured."""
    corrected: bool = False
    """True if a learned length got its second more."""

    def end(self, low: float, high: float) -> tuple[float, float]:
        """Return the bounds of the end of a window that was opened between `low` and `high`."""
        if self.seconds is None:
            return UNKNOWN
        return low + self.seconds, high + self.seconds

    def drop_learned(self) -> None:
        """Drop a learned length that is too long; a configured one stays."""
        if self.learns:
            self.seconds = None

    def learn(
        self, ticket: Ticket, headers: RateLimitHeaders, now: float, began: float
    ) -> tuple[float, float]:
        """Learn the length from a refusal by this limit.

        ``Retry-After`` is the difference of two clocks in whole seconds, and the replies' ``Date``
        has whole seconds, too, so the result is exact. The exception is an opening reply that got
        its ``Date`` late: then the length is too short by a second. A refusal just after the
        expected end shows that, and corrects the length once.

        Args:
            ticket: Of the refused request.
            headers: Of the refusal.
            now: When it was received.
            began: When the current window began; an opening before that is of an earlier one.

        Returns:
            Bounds of the window's end, or `UNKNOWN`.
        """
        opening, wait = self.opening, headers.retry_after
        if not self.learns or opening is None or wait is None:
            return UNKNOWN
        if opening.sent_at < began:
            self._correct(opening, ticket, wait)
            return UNKNOWN
        if self._explains(opening, ticket, wait, now):
            return UNKNOWN
        elapsed = math.floor(now - opening.sent_at) + 1.0
        if opening.served_at is not None and headers.served_at is not None:
            elapsed = headers.served_at - opening.served_at
        self.seconds = wait + elapsed
        return self.end(opening.sent_at, opening.received_at)

    def _correct(self, opening: Opening, ticket: Ticket, wait: float) -> None:
        """Add a second if the window lasts up to a second longer than expected."""
        if self.seconds and wait <= 1 and not self.corrected:
            late = ticket.sent_at - opening.received_at - self.seconds
            self.seconds, self.corrected = self.seconds + (late < 1), True

    def _explains(self, opening: Opening, ticket: Ticket, wait: float, now: float) -> bool:
        """Return True if the present length agrees with a ``Retry-After``, to within a second."""
        return (
            self.seconds is not None
            and opening.received_at + self.seconds >= ticket.sent_at + wait - 1
            and opening.sent_at + self.seconds <= now + wait + 1
        )
