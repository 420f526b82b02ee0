"""The times at which a session is polled until it is finished; pure.

The rate limit's window is the budget of all polls together. Each session has its own interval:

- It grows by half from poll to poll, up to half a minute. If the session has changed since the last
  poll, it begins anew, because a change is often followed by the next one.
- The more of the session's documents and results are finished, the slower it grows, because the
  end is near.
- No interval is shorter than a session's share of the window: with 50 waiting and 100 requests a
  minute, 30 s. Otherwise the window would be used up in its first seconds, and no session could be
  polled in the rest of it.
- A poll that would come after the deadline comes shortly before it, if the other rules allow that.
  So a session that is reported as unfinished was unfinished until almost the end.

After its interval a poll joins the rate limit's queue, which is first come, first served. So no
session is polled twice while another one waits in the queue.
"""

from attrs import define, field

from raydocs_async._limits._values import RateLimitStatus
from raydocs_async.models import DocumentStatus, ResultStatus, Session

LONGEST_INTERVAL = 30.0
"""Seconds between two polls of one session, at most, unless many share the window."""
_LEAD = 2.0
"""Seconds from the start of the last poll to the deadline: enough for a slow reply."""
_GROWTH = 0.5
"""The share of an interval by which the next one is longer."""
_NEAREST = 0.5
"""The part of `_GROWTH` that remains when all documents and results are finished."""
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
    """Return the seconds between polls at which `waiting` sessions just use up the window."""
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
class PollSchedule:
    """The times of the polls of one session.

    Args:
        interval: Seconds between the first poll and the second, at least.
    """

    interval: float
    _next: float = field(init=False)
    _failures: int = field(default=0, init=False)
    _seen: object = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.interval

    def next_pause(
        self, session: Session | None, *, after: float, share: float, left: float
    ) -> float:
        """Return the seconds until the next poll, or until the deadline if no poll fits.

        Args:
            session: The session as the last poll found it; ``None`` if the poll failed.
            after: Retry-After of the failed poll in seconds, or 0.
            share: Seconds, from `share_of_window`.
            left: Seconds until the deadline.
        """
        earliest, last = max(self.interval, after, share), left - _LEAD
        pause = max(self._next_interval(session), earliest)
        return min(pause, last if earliest <= last else left)

    def _next_interval(self, session: Session | None) -> float:
        """Return the session's own interval, in seconds."""
        # Past 50 failures the power would leave every bound behind, and in the end overflow.
        if session is None:
            growth = (1 + _GROWTH) ** min(self._failures, 50)
            self._failures += 1
            return min(max(self.interval, LONGEST_INTERVAL), self.interval * growth)
        self._failures = 0
        if self._changed(session):
            self._next = self.interval
        own = max(self.interval, min(LONGEST_INTERVAL, self._next))
        self._next = own * (1 + _GROWTH * max(_NEAREST, 1 - finished_share(session)))
        return own

    def _changed(self, session: Session) -> bool:
        """Return True if the session differs from the one that the last poll found."""
        before, self._seen = self._seen, session
        return before is not None and before != session
