"""Other clients of the address: how their hits show, and how cautious they make the limiter."""

import pytest

from raydocs_async._limits._tracker import SHARE
from tests.support.windows import (
    LIMIT,
    configured,
    loses,
    opened,
    passes,
    permit,
    refusal,
    refuses,
    says,
)


def test_hits_of_others_are_counted() -> None:
    """Hits that `Remaining` lacks beyond our own are foreign use."""
    assert opened(remaining=LIMIT - 1 - 30).window.foreign == 30


def test_own_hits_are_not_foreign() -> None:
    """Our own requests in flight are not foreign use."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(20)]
    passes(tracker, tickets[0], says(LIMIT - 21), 0.3)
    assert tracker.window.foreign == 0


def test_with_others_about_a_share_of_what_is_left_is_in_flight() -> None:
    """With foreign use, only a share of the hits left may be in flight."""
    tracker = opened(remaining=40)
    for _ in range(40 // SHARE):
        permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_with_others_about_one_request_may_always_be_in_flight() -> None:
    """With foreign use, one request may still be in flight."""
    permit(opened(remaining=1), 0.2)


def test_without_a_limit_there_is_no_share_to_keep_to() -> None:
    """Without a limit, one 429 does not bound the number of requests in flight."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(limit=None), 0.1)
    refuses(tracker, permit(tracker, 0.2), says(limit=None, retry_after=0), 0.3, pause=1)
    passes(tracker, permit(tracker, 2.0), says(limit=None), 2.1)
    for _ in range(100):
        permit(tracker, 2.2)


def test_caution_outlasts_the_window_by_one() -> None:
    """Foreign use in the last window bounds the requests in flight in this one."""
    tracker = opened(remaining=40)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // SHARE):
        permit(tracker, 60.4)
    assert refusal(tracker, 60.4) == pytest.approx(120.3)


def test_an_unexpected_refusal_is_foreign_use() -> None:
    """A 429 while hits should have been left is foreign use."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 1


def test_a_refusal_that_was_asked_for_is_not_foreign_use() -> None:
    """A 429 to the request that asks for the window's end is expected, not foreign use."""
    tracker = configured(per=None)
    passes(tracker, permit(tracker, 0.0), says(0, limit=1), 0.1)
    refuses(tracker, permit(tracker, 0.2), says(0, limit=1, retry_after=2), 0.3, pause=5)
    assert tracker.window.foreign == 0


def test_the_last_hit_being_refused_is_foreign_use() -> None:
    """A 429 to the last hit is foreign use, too."""
    tracker = opened(limit=2)
    refuses(tracker, permit(tracker, 1.0), says(0, limit=2, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 1


def test_foreign_use_that_shows_in_a_refusal_adds_up() -> None:
    """Foreign use that a 429 shows is added to the known one."""
    tracker = opened(remaining=LIMIT - 1 - 30)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 31


def test_lost_hits_are_not_shared_with_others() -> None:
    """The share that may be in flight is one of the hits left after the lost ones."""
    tracker = opened(remaining=40)
    for _ in range(8):
        loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    for _ in range((40 - 8) // SHARE):
        permit(tracker, 0.4)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)


def test_a_single_hit_of_others_makes_cautious() -> None:
    """A single foreign hit bounds the number of requests in flight."""
    tracker = opened(remaining=LIMIT - 2)
    for _ in range((LIMIT - 2) // SHARE):
        permit(tracker, 0.2)
    refusal(tracker, 0.2)


def test_a_single_hit_of_others_makes_cautious_in_the_next_window() -> None:
    """A single foreign hit bounds it in the next window, too."""
    tracker = opened(remaining=LIMIT - 2)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // SHARE):
        permit(tracker, 60.4)
    refusal(tracker, 60.4)


def test_caution_ends_when_nobody_else_has_been_there_for_a_window() -> None:
    """After a window without foreign use, all hits left may be in flight again."""
    tracker = opened(remaining=40)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    passes(tracker, permit(tracker, 120.4), says(LIMIT - 1), 120.5)
    for _ in range(LIMIT - 1):
        permit(tracker, 120.6)


def test_own_hits_in_a_window_that_others_opened_are_not_foreign() -> None:
    """In a window that others opened, the hits of our own requests are not foreign use."""
    tracker = opened(remaining=60)
    permit(tracker, 1.9)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.foreign == 3
