"""A window's length: configured, learned, corrected."""

import pytest

from raydocs_async._limits._period import Interval
from raydocs_async._limits._tracker import WindowTracker
from tests.support.windows import (
    DATES,
    PER,
    configured,
    opened,
    passes,
    permit,
    refuses,
    says,
    sent,
)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (20.0, 30.0)])
def test_bounds_that_touch_do_not_contradict_each_other(low: float, high: float) -> None:
    """Bounds that touch leave exactly one time."""
    (moment,) = {low, high} & {10.0, 20.0}
    assert Interval(10.0, 20.0).narrowed(low, high) == Interval(moment, moment)


def refused_after_opening(
    tracker: WindowTracker, *, opened_at: str | None, refused_at: str | None, retry_after: int
) -> None:
    """An opening reply, and two seconds later a refusal."""
    passes(tracker, permit(tracker, 0.0), says(0, limit=1, date=opened_at), 0.1)
    ticket = sent(tracker, 2.0)
    refuses(
        tracker, ticket, says(0, limit=1, retry_after=retry_after, date=refused_at), 2.1, pause=1
    )


def test_the_period_is_learned_from_the_first_refusal() -> None:
    """Retry-After and the replies' dates give the period in whole seconds."""
    tracker = configured(limit=None, per=None)
    refused_after_opening(tracker, opened_at=DATES[10], refused_at=DATES[12], retry_after=58)
    assert tracker.period.seconds == 60
    assert (tracker.window.ends.low, tracker.window.ends.high) == pytest.approx((60.0, 60.1))


@pytest.mark.parametrize(
    ("opened_at", "refused_at"), [(None, None), (DATES[10], None), (None, DATES[12])]
)
def test_the_period_is_rounded_up_without_dates(
    opened_at: str | None, refused_at: str | None
) -> None:
    """Without both dates the longest period that fits is taken, which is never refused."""
    tracker = configured(limit=None, per=None)
    refused_after_opening(tracker, opened_at=opened_at, refused_at=refused_at, retry_after=58)
    assert tracker.period.seconds == 61


def test_the_period_does_not_depend_on_where_the_clock_began() -> None:
    """What counts is the time from the opening request to the refusal."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 100.0), says(0, limit=1), 100.1)
    refuses(tracker, permit(tracker, 102.0), says(0, limit=1, retry_after=58), 102.1, pause=1)
    assert tracker.period.seconds == 61


def test_a_told_period_that_fits_is_kept() -> None:
    """A refusal that agrees with the configured period does not change it."""
    tracker = configured()
    refused_after_opening(tracker, opened_at=DATES[10], refused_at=DATES[12], retry_after=57)
    assert tracker.period.seconds == PER


@pytest.mark.parametrize("retry_after", [8, 280, 3600])
def test_a_told_period_outlives_a_refusal_that_contradicts_it(retry_after: int) -> None:
    """A gateway's or a firewall's own 429 counts for its window, not for all that follow."""
    tracker = configured()
    refused_after_opening(
        tracker, opened_at=DATES[10], refused_at=DATES[12], retry_after=retry_after
    )
    assert tracker.period.seconds == PER
    assert tracker.window.ends.high == pytest.approx(3.1 + retry_after)


@pytest.mark.parametrize("limit", [None, 7])
def test_a_refusal_by_another_limit_teaches_nothing(limit: int | None) -> None:
    """Only a 429 of the limit that is being followed tells its period."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(0, limit=1), 0.1)
    refuses(tracker, permit(tracker, 2.0), says(0, limit=limit, retry_after=58), 2.1, pause=1)
    assert tracker.period.seconds is None


def learned() -> WindowTracker:
    """A window that has learned a period of 60 s."""
    tracker = configured(None, None)
    refused_after_opening(tracker, opened_at=DATES[10], refused_at=DATES[12], retry_after=58)
    return tracker


def test_a_learned_period_that_fits_is_kept() -> None:
    """Another refusal in the same window changes nothing."""
    tracker = learned()
    ticket = sent(tracker, 3.0)
    refuses(tracker, ticket, says(0, limit=1, retry_after=57, date=DATES[13]), 3.1, pause=1)
    assert tracker.period.seconds == PER


def test_a_refusal_just_after_the_expected_end_mends_a_learned_period_once() -> None:
    """A period learned a second too short is mended by the first probe that it lets go early."""
    tracker = learned()
    ends = tracker.window.ends.high
    refuses(tracker, permit(tracker, ends), says(0, limit=1, retry_after=0), ends + 0.1, pause=5)
    again = tracker.shut_until
    refuses(tracker, permit(tracker, again), says(0, limit=1, retry_after=0), again + 0.1, pause=5)
    assert tracker.period.seconds == PER + 1


def test_a_refusal_long_after_the_expected_end_does_not_mend_anything() -> None:
    """A late probe that others have beaten to a window says nothing of the period."""
    tracker = learned()
    refuses(tracker, permit(tracker, 90.0), says(0, limit=1, retry_after=1), 90.1, pause=5)
    assert tracker.period.seconds == PER


def test_others_who_emptied_the_next_window_do_not_change_the_period() -> None:
    """A refusal early in a window that others have used up says nothing of the period."""
    tracker = learned()
    ends = tracker.window.ends.high
    refuses(tracker, permit(tracker, ends), says(0, limit=1, retry_after=59), ends + 0.1, pause=5)
    assert tracker.period.seconds == PER


def test_a_learned_period_that_is_too_long_is_learned_anew() -> None:
    """A window that turns before its end shows that the period is shorter."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(99, date=DATES[0]), 0.1)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=50, date=DATES[1]), 1.1, pause=1)
    ends = tracker.window.ends.high
    passes(tracker, permit(tracker, ends), says(99, date=DATES[52]), ends + 0.1)
    passes(tracker, permit(tracker, ends + 1), says(97), ends + 1.1)
    passes(tracker, permit(tracker, ends + 3), says(98), ends + 3.1)
    assert tracker.period.seconds is None


@pytest.mark.parametrize("now", [60.0, 60.05])
def test_a_learned_period_outlives_a_window_that_ends_in_time(now: float) -> None:
    """A window that turns when it may is no sign of a shorter period."""
    tracker = learned()
    passes(tracker, sent(tracker, 59.9), says(1, limit=2), now)
    assert tracker.period.seconds == PER


def test_a_told_period_outlives_a_window_that_ends_early() -> None:
    """A configured period is kept, whatever the server seems to do."""
    tracker = opened()
    passes(tracker, permit(tracker, 1.0), says(98), 1.1)
    passes(tracker, permit(tracker, 2.0), says(99), 2.1)
    assert tracker.period.seconds == PER


def test_a_window_whose_opening_was_not_seen_teaches_nothing() -> None:
    """A refusal tells when it ends, and not when it began."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(50), 0.1)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=30), 1.1, pause=1)
    assert tracker.period.seconds is None


def test_a_refusal_before_the_end_does_not_mend_anything() -> None:
    """In a window that we opened ourselves, it is just the end coming."""
    tracker = learned()
    ends = tracker.window.ends.high
    passes(tracker, permit(tracker, ends), says(0, limit=1), ends + 0.1)
    refuses(tracker, sent(tracker, 119.9), says(0, limit=1, retry_after=1), 120.0, pause=1)
    assert tracker.period.seconds == PER


@pytest.mark.parametrize(
    ("sent_at", "retry_after", "expected"),
    [
        pytest.param(60.1, 1, PER + 1, id="at once, a second to go"),
        pytest.param(61.0, 0, PER + 1, id="just within a second"),
        pytest.param(61.1, 0, PER, id="a second late"),
        pytest.param(61.6, 1, PER, id="later"),
        pytest.param(60.1, 2, PER, id="two seconds to go"),
    ],
)
def test_what_mends_a_learned_period(sent_at: float, retry_after: int, expected: float) -> None:
    """A refusal less than a second after the expected end, with at most a second to go."""
    tracker = learned()
    ticket = permit(tracker, sent_at)
    refuses(tracker, ticket, says(0, limit=1, retry_after=retry_after), sent_at + 0.1, pause=5)
    assert tracker.period.seconds == expected


@pytest.mark.parametrize(
    ("sent_at", "received_at", "retry_after", "date", "expected"),
    [
        pytest.param(3.0, 3.1, 57, None, 60, id="fits, and would be a second more by itself"),
        pytest.param(2.1, 2.2, 59, None, 60, id="just not too long a wait"),
        pytest.param(3.0, 3.0, 56, DATES[13], 60, id="just not too short a wait"),
        pytest.param(3.0, 3.1, 59, DATES[13], 62, id="too long a wait"),
        pytest.param(3.0, 3.1, 55, DATES[13], 58, id="too short a wait"),
    ],
)
def test_when_a_learned_period_is_learned_anew(
    sent_at: float, received_at: float, retry_after: int, date: str | None, expected: float
) -> None:
    """Only by a refusal whose Retry-After it cannot explain, by a second more or less."""
    tracker = learned()
    headers = says(0, limit=1, retry_after=retry_after, date=date)
    refuses(tracker, sent(tracker, sent_at), headers, received_at, pause=1)
    assert tracker.period.seconds == expected
