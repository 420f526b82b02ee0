"""Steps of a `WindowTracker` in one line each, and trackers in common states."""

from collections.abc import Callable

from raydocs_async._headers import NotCounted, Passed, RateLimitHeaders, Refused, Unseen
from raydocs_async._limits._period import Period
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket, Wait

LIMIT, PER = 100, 60.0
DATES = [f"Mon, 23 Nov 2026 12:00:{second:02} GMT" for second in range(60)]


def told(limit: int | None = LIMIT, per: float | None = PER) -> WindowTracker:
    """A tracker before its first request, with what is configured."""
    return WindowTracker(limit=limit, period=Period(per))


def says(
    remaining: int | None = None,
    *,
    limit: int | None = LIMIT,
    retry_after: float | None = None,
    date: str | None = None,
) -> RateLimitHeaders:
    """Headers of a reply."""
    return RateLimitHeaders(limit=limit, remaining=remaining, retry_after=retry_after, date=date)


def permit(tracker: WindowTracker, now: float, reserve: int = 0) -> Ticket:
    """A ticket that must be admitted."""
    ticket = Ticket()
    assert tracker.admit(ticket, now, reserve) is None
    return ticket


def refusal(tracker: WindowTracker, now: float, reserve: int = 0) -> float:
    """The time to wait for, of a ticket that must not be admitted."""
    wait = tracker.admit(Ticket(), now, reserve)
    assert isinstance(wait, Wait)
    return wait.until


def sent(tracker: WindowTracker, at: float) -> Ticket:
    """A ticket in flight since `at`, admitted by whatever was known then."""
    ticket = Ticket(at)
    tracker.in_flight.add(ticket)
    return ticket


def pausing(seconds: float) -> Callable[[int], float]:
    """A pause of that length, after however many refusals."""
    return lambda refusals: seconds


def passes(tracker: WindowTracker, ticket: Ticket, headers: RateLimitHeaders, now: float) -> None:
    """The server lets the request in."""
    tracker.settle(ticket, Passed(headers), now, pausing(0))


def refuses(
    tracker: WindowTracker, ticket: Ticket, headers: RateLimitHeaders, now: float, *, pause: float
) -> None:
    """The server answers 429."""
    tracker.settle(ticket, Refused(headers), now, pausing(pause))


def loses(tracker: WindowTracker, ticket: Ticket, now: float, *, sent: bool) -> None:
    """There is no reply, whether the request reached the server or not."""
    tracker.settle(ticket, Unseen() if sent else NotCounted(), now, pausing(0))


def opened(*, remaining: int | None = None, limit: int = LIMIT) -> WindowTracker:
    """A window whose probe has been answered 0.1 s later; by default, it was the opening hit."""
    tracker = told(limit)
    left = limit - 1 if remaining is None else remaining
    passes(tracker, permit(tracker, 0.0), says(left, limit=limit), 0.1)
    return tracker
