"""The turn of a window: a new one is noticed, and late replies to the old one change nothing."""

import math

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._period import Interval
from tests.support.windows import (
    configured,
    loses,
    opened,
    passes,
    permit,
    refusal,
    refuses,
    says,
)


def test_a_new_window_of_another_client_is_noticed() -> None:
    """A higher ``Remaining`` of a request sent after the lowest one belongs to a new window."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.left == 95
    assert tracker.window.ends.high == pytest.approx(62.1)


def test_a_late_reply_of_the_old_window_says_nothing_of_the_new_one() -> None:
    """A reply to a request sent in the old window does not lower the hits left in the new one."""
    tracker = opened()
    late = permit(tracker, 59.0)
    passes(tracker, permit(tracker, 60.2), says(98), 60.3)
    passes(tracker, late, says(1), 60.4)
    assert tracker.window.left == 98


@pytest.mark.parametrize("sent_before", [True, False])
def test_a_late_refusal_of_the_old_window_does_not_shut_the_new_one(sent_before: bool) -> None:
    """Only the refusal of a request that was sent in this window shuts it."""
    tracker = opened()
    late = permit(tracker, 59.0)
    fresh = permit(tracker, 60.2)
    refuses(tracker, late if sent_before else fresh, says(0, retry_after=0), 60.3, pause=5)
    assert (tracker.shut_until > 60.3) is not sent_before


def test_the_end_of_the_next_window_is_known_beforehand() -> None:
    """The next window begins after the end of this one, so it ends at least a period later."""
    tracker = opened()
    permit(tracker, 60.2)
    assert tracker.window.ends == Interval(120.0, math.inf)


def test_without_a_period_nothing_is_known_of_the_next_window() -> None:
    """Without a period, the end of the next window has no bounds."""
    tracker = configured(None, None)
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=10), 0.1, pause=1)
    permit(tracker, 11.1)
    assert tracker.window.ends == Interval()


def test_a_window_of_another_client_began_after_the_lowest_count_of_the_old_one() -> None:
    """The old window had the lowest count, so the new one ends a period after that request."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.ends == Interval(61.0, 62.1)


def test_without_a_period_a_window_of_another_client_has_no_known_end() -> None:
    """The new window is noticed, but its end has no bounds."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(2), 0.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert (tracker.window.left, tracker.window.ends) == (95, Interval())


def test_a_new_window_is_noticed_by_a_request_sent_with_the_last_reply() -> None:
    """A request sent at the very moment of a reply counts as sent after it."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 1.1), says(95), 1.2)
    assert tracker.window.left == 95


def test_a_new_window_is_noticed_after_the_same_count_twice() -> None:
    """A second reply with the lowest count does not delay the comparison with the first."""
    tracker = opened(remaining=60)
    slow = permit(tracker, 1.0)
    passes(tracker, permit(tracker, 1.0), says(58), 1.1)
    later = permit(tracker, 2.0)
    passes(tracker, slow, says(58), 3.0)
    passes(tracker, later, says(90), 3.1)
    assert tracker.window.left == 90


def test_a_late_reply_does_not_lower_a_new_window_of_another_client() -> None:
    """The new window begins with the first request that is known to be in it."""
    tracker = opened(remaining=60)
    late = permit(tracker, 1.0)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    passes(tracker, late, says(59), 2.2)
    assert tracker.window.left == 95


def test_lost_replies_are_not_taken_for_a_new_window() -> None:
    """A ``Remaining`` above our estimate, which counts lost requests, is not a new window."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 3.0), says(10), 3.1)
    assert tracker.window.ends.high == pytest.approx(60.1)


def test_a_loss_of_an_earlier_window_does_not_count_in_this_one() -> None:
    """A request of the old window that is lost later is no hit of the new one."""
    tracker = opened()
    late = permit(tracker, 59.0)
    passes(tracker, permit(tracker, 60.2), says(98), 60.3)
    loses(tracker, late, 61.0, sent=True)
    assert tracker.free == 98


def test_one_reply_without_headers_does_not_open_a_window() -> None:
    """After a server has sent headers, a gateway's reply without them leaves the window unknown."""
    tracker = opened(remaining=0)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=30), 1.1, pause=1)
    passes(tracker, permit(tracker, 60.2), RateLimitHeaders(), 60.3)
    assert refusal(tracker, 60.4) == pytest.approx(61.2)


def test_a_lost_probe_of_a_later_window_is_replaced_at_once() -> None:
    """The request that opens a window belongs to it, so its loss permits another probe."""
    tracker = opened()
    loses(tracker, permit(tracker, 60.2), 60.3, sent=True)
    permit(tracker, 60.3)
