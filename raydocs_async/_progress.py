"""The progress of bulk work, and an estimate of its end; pure."""

import math

from attrs import frozen

from raydocs_async._limits._values import RateLimitStatus


@frozen(kw_only=True)
class Progress:
    """The progress of a stream at one moment."""

    total: int | None
    """All ids; ``None`` if the input has no length."""
    done: int
    """Outcomes so far, failed ones included."""
    failed: int
    """Outcomes with an error."""
    in_flight: int
    """Ids that were taken from the input and have no outcome yet."""
    outage: float | None = None
    """Seconds since the service stopped answering; ``None`` while requests get through."""
    next_attempt: float | None = None
    """Seconds until the next attempt in an outage; ``None`` if none is scheduled."""
    eta: float | None
    """Seconds to the end, as far as the rate limit decides; ``None`` if too little is known."""
    rate_limit: RateLimitStatus
    """A snapshot of the rate limit."""

    def _repr_html_(self) -> str:
        """Return a bar for notebooks, with the numbers beside it."""
        of = "" if self.total is None else f" of {self.total}"
        bar = "" if self.total is None else f' value="{self.done}" max="{self.total}"'
        left = "" if self.eta is None else f", about {self.eta:.0f} s to go"
        return f"<progress{bar}></progress> {self.done}{of}, {self.failed} failed{left}"


def estimate(left: int, status: RateLimitStatus) -> float | None:
    """Return the seconds in which the rate limit admits `left` more requests."""
    if status.limit is None or status.remaining is None or status.per is None:
        return None
    later = left - status.remaining
    if later <= 0:
        return 0.0
    windows = math.ceil(later / status.limit)
    return (status.resets_in or 0.0) + (windows - 1) * status.per
