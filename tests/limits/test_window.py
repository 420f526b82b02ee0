"""The end of a window: its bounds, and the one request that finds them out."""

import math

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._period import Interval
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from tests.support.windows import (
    LIMIT,
    configured,
    loses,
    opened,
    passes,
    permit,
    refusal,
    says,
)


def test_the_window_is_over_one_period_after_its_first_reply() -> None:
    """One period after the reply to the opening hit, the next window may be probed."""
    tracker = opened(remaining=0)
    assert refusal(tracker, 60.05) == pytest.approx(60.1)
    permit(tracker, 60.1)


def test_an_opening_reply_bounds_the_end_from_both_sides() -> None:
    """A ``Remaining`` of ``Limit - 1``: our request opened the window, after it was sent."""
    assert opened().window.ends == Interval(60.0, 60.1)


def test_any_other_reply_bounds_the_end_from_above_only() -> None:
    """With a lower ``Remaining`` the window may be older than our request."""
    assert opened(remaining=50).window.ends == Interval(-math.inf, 60.1)


def test_an_unknown_end_is_asked_for_with_one_request() -> None:
    """In a used-up window of another client, one request is sent to be refused."""
    tracker = opened(remaining=0)
    tracker.window.ends = Interval(-math.inf, 60.1)
    permit(tracker, 1.0)
    refusal(tracker, 1.0)


def test_a_known_end_is_not_asked_for() -> None:
    """If we opened the window and no hits are left, nothing is sent before its end."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(LIMIT - 1)]
    for left, ticket in enumerate(reversed(tickets)):
        passes(tracker, ticket, says(left), 0.3)
    assert refusal(tracker, 30.0) == pytest.approx(60.1)


def test_one_silent_request_does_not_hold_a_shared_window_past_its_end() -> None:
    """With foreign use, a request without a reply delays the others at most to the window's end."""
    tracker = opened(limit=10, remaining=5)
    permit(tracker, 0.2)
    assert refusal(tracker, 0.3) == pytest.approx(60.1)
    permit(tracker, 60.2)


def test_an_end_that_a_refusal_would_not_narrow_is_not_asked_for() -> None:
    """An end known to within two seconds is as precise as a 429 would make it."""
    tracker = opened(remaining=0)
    tracker.window.ends = Interval(58.0, 60.0)
    assert refusal(tracker, 1.0) == 60.0


def test_an_unbounded_end_is_asked_for() -> None:
    """With a limit, but neither a period nor headers, no caller waits for ever."""
    tracker = configured(limit=1, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    permit(tracker, 1.0)


def test_without_a_period_an_opening_reply_bounds_nothing() -> None:
    """The beginning of a window gives no end while its length is unknown."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(LIMIT - 1), 0.1)
    assert tracker.window.ends == Interval()


def test_a_server_without_headers_is_not_asked_for_the_end() -> None:
    """Without headers a refusal would not give the end either, so no request is sent to get one."""
    tracker = configured(limit=1)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    assert refusal(tracker, 1.0) == pytest.approx(60.1)


def test_an_unknown_end_is_asked_for_ever_more_slowly() -> None:
    """If a gateway answers that request, it is repeated after growing pauses."""
    tracker = configured(per=None)
    passes(tracker, permit(tracker, 0.0), says(0), 0.1)
    loses(tracker, permit(tracker, 1.0), 1.1, sent=True)
    assert refusal(tracker, 1.1) == pytest.approx(1.0 + ASK_AGAIN_AFTER)
