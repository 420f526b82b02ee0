"""When a session that is waited for is looked at again; pure.

The rate limit's window is the budget of all looks together. Each session has its own interval:

- It grows by half from look to look, up to half a minute. If the session has changed since the last
  look, it begins anew, because a change is often followed by the next one.
- The more of the session's documents and results are finished, the slower it grows, because the
  end is near.
- No interval is shorter than a session's share of the window: with 50 waiting and 100 requests a
  minute, 30 s. Otherwise the window would be used up in its first seconds, and its rest be blind.

A look whose interval is over joins the rate limit's queue, which is first come, first served. So no
session is looked at twice while another one waits for its turn.
"""

from attrs import define, field

from raydocs_async._limits._values import RateLimitStatus
from raydocs_async.models import DocumentStatus, ResultStatus, Session

LONGEST_INTERVAL = 30.0
"""Seconds between two looks at one session, at most, unless many share the window."""
_GROWTH = 0.5
"""The part by which an interval grows from one look to the next."""
_NEAREST = 0.5
"""The share of that for a session of which everything but its own status is finished."""
_FINISHED = frozenset(
    {
        DocumentStatus.PROCESSED,
        DocumentStatus.READY,
        DocumentStatus.FAILED,
        ResultStatus.COMPLETED,
        ResultStatus.FAILED,
    }
)


def share_of_window(waiting: int, status: RateLimitStatus) -> float:
    """Return the seconds between two looks at one of `waiting` sessions that use up the window."""
    if status.limit is None or status.per is None or status.limit <= 0:
        return 0.0
    return waiting * status.per / status.limit


def opens_in(status: RateLimitStatus) -> float:
    """Return the seconds until the rate limit lets another request pass; 0 if that is unknown."""
    return 0.0 if status.remaining != 0 or status.resets_in is None else status.resets_in


def finished_share(session: Session) -> float:
    """Return the share of the session's documents and results that are finished, from 0 to 1."""
    statuses = [each.status for each in session.documents]
    statuses += [each.status for each in session.results]
    return sum(each in _FINISHED for each in statuses) / len(statuses) if statuses else 0.0


@define
class Polling:
    """The looks at one session.

    Args:
        interval: Seconds between the first look and the second, at least.
    """

    interval: float
    _next: float = field(init=False)
    _failures: int = field(default=0, init=False)
    _seen: object = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.interval

    def pause(self, session: Session | None, *, after: float, share: float) -> float:
        """Return the seconds until the next look.

        Args:
            session: The session as the look has found it; ``None`` if the look has failed.
            after: Retry-After of a look that has failed, or 0.
            share: From `share_of_window`.
        """
        if session is None:
            growth = (1 + _GROWTH) ** min(self._failures, 50)
            own = min(max(self.interval, LONGEST_INTERVAL), self.interval * growth)
            self._failures += 1
            return max(own, after, share)
        self._failures = 0
        if self._changed(session):
            self._next = self.interval
        own = max(self.interval, min(LONGEST_INTERVAL, self._next))
        self._next = own * (1 + _GROWTH * max(_NEAREST, 1 - finished_share(session)))
        return max(own, share)

    def _changed(self, session: Session) -> bool:
        """Return True if the session is another one than at the last look."""
        before, self._seen = self._seen, session
        return before is not None and before != session
