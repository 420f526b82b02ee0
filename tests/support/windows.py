"""Steps of a `WindowTracker` in one line each, and trackers in common states."""

from collections.abc import Callable

from raydocs_async._headers import NotCounted, Passed, RateLimitHeaders, Refused, Unseen
from raydocs_async._limits._period import Period
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket, Wait

LIMIT, PER = 100, 60.0
DATES = [f"Mon, 23 Nov 2026 12:00:{second:02} GMT" for second in range(60)]


def configured(limit: int | None = LIMIT, per: float | None = PER) -> WindowTracker:
    """Return a tracker before its first request, with this configuration."""
    return WindowTracker(limit=limit, period=Period(per))


def says(
    remaining: int | None = None,
    *,
    limit: int | None = LIMIT,
    retry_after: float | None = None,
    date: str | None = None,
) -> RateLimitHeaders:
    """Return the rate-limit headers of a reply."""
    return RateLimitHeaders(limit=limit, remaining=remaining, retry_after=retry_after, date=date)


def permit(tracker: WindowTracker, now: float, reserve: int = 0) -> Ticket:
    """Admit a request now, which must be possible; return its ticket."""
    ticket = Ticket()
    assert tracker.admit(ticket, now, reserve) is None
    return ticket


def refusal(tracker: WindowTracker, now: float, reserve: int = 0) -> float:
    """Try to admit a request now, which must not be possible; return the time to ask again."""
    wait = tracker.admit(Ticket(), now, reserve)
    assert isinstance(wait, Wait)
    return wait.until


def sent(tracker: WindowTracker, at: float) -> Ticket:
    """Return a ticket in flight since `at`, without asking the tracker for admission."""
    ticket = Ticket(at)
    tracker.in_flight.add(ticket)
    return ticket


def pausing(seconds: float) -> Callable[[int], float]:
    """Return a function that gives the same pause after any number of refusals."""
    return lambda refusals: seconds


def passes(tracker: WindowTracker, ticket: Ticket, headers: RateLimitHeaders, now: float) -> None:
    """Settle a request that the server accepted."""
    tracker.settle(ticket, Passed(headers), now, pausing(0))


def refuses(
    tracker: WindowTracker, ticket: Ticket, headers: RateLimitHeaders, now: float, *, pause: float
) -> None:
    """Settle a request that got a 429."""
    tracker.settle(ticket, Refused(headers), now, pausing(pause))


def loses(tracker: WindowTracker, ticket: Ticket, now: float, *, sent: bool) -> None:
    """Settle a request without a reply; `sent` is false if the server cannot have seen it."""
    tracker.settle(ticket, Unseen() if sent else NotCounted(), now, pausing(0))


def opened(*, remaining: int | None = None, limit: int = LIMIT) -> WindowTracker:
    """Return a tracker whose probe was sent at 0 s and answered at 0.1 s.

    By default the probe opened the window, so ``Remaining`` is `limit` - 1.
    """
    tracker = configured(limit)
    left = limit - 1 if remaining is None else remaining
    passes(tracker, permit(tracker, 0.0), says(left, limit=limit), 0.1)
    return tracker
