"""429s: the pauses that they cause, and the probe after a pause."""

import math

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from tests.support.windows import (
    configured,
    loses,
    opened,
    passes,
    permit,
    refusal,
    refuses,
    says,
    sent,
)


def test_a_refusal_shuts_the_window_until_one_second_after_retry_after() -> None:
    """Retry-After is cut to whole seconds, so one more second is always enough."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=10), 0.1, pause=5)
    assert refusal(tracker, 1.0) == pytest.approx(11.1)


def test_a_refusal_does_not_wait_past_a_better_known_end() -> None:
    """The pause ends with the window if its end is known to come before Retry-After plus one."""
    tracker = opened()
    refuses(tracker, permit(tracker, 10.0), says(0, retry_after=50), 10.1, pause=5)
    assert tracker.shut_until == pytest.approx(60.1)


def test_a_refusal_that_contradicts_the_known_end_replaces_it() -> None:
    """The bounds by a 429 of another window replace the old ones."""
    tracker = opened(remaining=50)
    refuses(tracker, permit(tracker, 10.0), says(0, retry_after=200), 10.1, pause=5)
    assert (tracker.window.ends.low, tracker.window.ends.high) == pytest.approx((209.0, 211.1))


@pytest.mark.parametrize("retry_after", [0, 1, 59])
def test_a_refusal_never_permits_the_next_request_at_once(retry_after: int) -> None:
    """R1: even with Retry-After 0 there is a second between two probes of a shut window."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=retry_after), 0.1, pause=5)
    assert refusal(tracker, 0.1) >= 1.0


def test_a_refusal_without_retry_after_pauses_all_calls() -> None:
    """R2: a 429 without Retry-After shuts the window for the given pause."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(retry_after=None), 1.1, pause=5)
    assert refusal(tracker, 1.2) == pytest.approx(6.1)


def test_after_a_pause_one_request_goes_first() -> None:
    """R7: after a pause one probe is sent, and the other calls wait for its reply."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(retry_after=None), 1.1, pause=5)
    permit(tracker, 6.2)
    assert refusal(tracker, 6.2) == pytest.approx(6.2 + ASK_AGAIN_AFTER)


def test_pauses_are_combined_by_the_longest() -> None:
    """R7: of several refusals at a time, the one with the longest pause decides."""
    tracker = opened()
    first, second = permit(tracker, 1.0), permit(tracker, 1.0)
    refuses(tracker, first, says(), 1.1, pause=9)
    refuses(tracker, second, says(), 1.1, pause=2)
    assert refusal(tracker, 1.2) == pytest.approx(10.1)


def test_refusals_are_counted_until_a_request_passes() -> None:
    """The count by which pauses grow begins anew after any reply but a 429."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    refuses(tracker, permit(tracker, 2.0), says(), 2.1, pause=1)
    refused = tracker.refusals
    passes(tracker, permit(tracker, 4.0), says(99), 4.1)
    assert (refused, tracker.refusals) == (2, 0)


def test_a_refused_window_has_nothing_left() -> None:
    """After a refusal no hits are left, and none are in doubt."""
    tracker = opened()
    loses(tracker, permit(tracker, 0.5), 0.6, sent=True)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=58), 1.1, pause=1)
    assert tracker.free == 0


def test_a_burst_of_refusals_is_one() -> None:
    """R2: 429s for requests in flight at the first 429 neither count nor lengthen the pause."""
    tracker = configured(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    for ticket in [permit(tracker, 0.2) for _ in range(30)]:
        refuses(tracker, ticket, RateLimitHeaders(), 0.3, pause=2.0**tracker.refusals)
    assert tracker.refusals == 1
    assert tracker.shut_until == pytest.approx(1.3)


def test_a_late_reply_does_not_reopen_a_refused_window() -> None:
    """R7: a 200 for a request sent before the 429 does not replace the probe after it."""
    tracker = configured(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    late, refused = permit(tracker, 0.2), permit(tracker, 0.2)
    refuses(tracker, refused, RateLimitHeaders(), 0.3, pause=1.0)
    passes(tracker, late, RateLimitHeaders(), 0.4)
    permit(tracker, 1.4)
    assert refusal(tracker, 1.4) == pytest.approx(1.4 + ASK_AGAIN_AFTER)


def test_a_refusal_of_a_request_sent_at_the_moment_of_another_is_a_second_one() -> None:
    """A request sent at the very moment of a refusal counts as sent after it."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    refuses(tracker, sent(tracker, 0.1), says(), 0.2, pause=1)
    assert tracker.refusals == 2


def test_a_reply_to_a_request_sent_at_the_moment_of_a_refusal_opens_the_window() -> None:
    """A request sent at the very moment of a refusal counts as sent after it, and passes."""
    tracker = configured(None, None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    passes(tracker, sent(tracker, 0.1), RateLimitHeaders(), 0.2)
    assert tracker.window.left == math.inf
