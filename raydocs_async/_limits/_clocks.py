"""Times of one clock as times of another; pure.

The record of processes on several machines is in the seconds of its server. Each process turns
them into those of its event loop, by the difference of the two clocks.
"""

from attrs import define, evolve

from raydocs_async._limits._claim import Claim, Grant
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket


@define
class Offset:
    """The difference of a server's clock to that of this process, by the server's replies.

    The server has read its clock at some moment of a round trip, so each reply bounds the
    difference from both sides. It begins at its lower bound, and moves no further than a bound
    demands: so a time that the server names comes a little later rather than earlier here, and
    the time of a request is never put before that of its permission.
    """

    seconds: float | None = None
    """What to add to a time of this process; ``None`` before the first reply."""

    def learn(self, sent_at: float, received_at: float, server: float) -> float:
        """Correct the difference by the server's time in a reply, and return it."""
        low, high = server - received_at, server - sent_at
        known = low if self.seconds is None else self.seconds
        self.seconds = min(max(known, low), high)
        return self.seconds


def shift_claim(claim: Claim, by: float) -> Claim:
    """Return a claim with all its times later by so many seconds."""
    reports = [
        evolve(report, ticket=Ticket(report.ticket.sent_at + by), at=report.at + by)
        for report in claim.reports
    ]
    return evolve(claim, reports=tuple(reports))


def shift_grant(grant: Grant, by: float) -> Grant:
    """Return a grant with all its times later by so many seconds."""
    return evolve(
        grant,
        expires_at=grant.expires_at + by,
        ask_at=grant.ask_at + by,
        look_at=grant.look_at + by,
        tracker=_shift_tracker(grant.tracker, by),
    )


def _shift_tracker(tracker: WindowTracker, by: float) -> WindowTracker:
    window, period = tracker.window, tracker.period
    opening = period.opening
    if opening is not None:
        opening = evolve(
            opening, sent_at=opening.sent_at + by, received_at=opening.received_at + by
        )
    return evolve(
        tracker,
        shut_until=tracker.shut_until + by,
        refused_at=tracker.refused_at + by,
        period=evolve(period, opening=opening),
        window=evolve(
            window,
            began=window.began + by,
            ends=evolve(window.ends, low=window.ends.low + by, high=window.ends.high + by),
            lowest_sent_at=window.lowest_sent_at + by,
            lowest_received_at=window.lowest_received_at + by,
            unseen_at=window.unseen_at + by,
            granted_at=window.granted_at + by,
            probed_at=window.probed_at + by,
            asked_at=window.asked_at + by,
        ),
    )
