"""Known waits: the time at which a place in the queue is served."""

import pytest

from tests.support.windows import LIMIT, configured, opened, passes, permit, refuses, says


def test_an_open_window_opens_now() -> None:
    """With hits left there is no wait."""
    assert opened().opens_at(1.0, ahead=98) == 1.0


def test_an_unknown_window_may_open_now() -> None:
    """Without knowledge of the window there is no known wait."""
    assert configured().opens_at(0.0, ahead=1000) == 0.0


@pytest.mark.parametrize(("ahead", "expected"), [(0, 60.1), (99, 60.1), (100, 120.1), (250, 180.1)])
def test_a_queue_takes_a_window_for_each_limit(ahead: int, expected: float) -> None:
    """The place in the queue decides in which window it is served."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(LIMIT - 1)]
    assert len(tickets) == LIMIT - 1
    assert tracker.opens_at(1.0, ahead) == pytest.approx(expected)


def test_a_shut_window_opens_when_it_is_no_longer_shut() -> None:
    """R4: the refusal makes the end of a long pause known."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=86_400), 0.1, pause=1)
    assert tracker.opens_at(1.0) == pytest.approx(86_401.1)


def test_nobody_else_waiting_is_the_default() -> None:
    """Without a queue, the last hit of a window may go at once."""
    assert opened(limit=2).opens_at(1.0) == 1.0


def test_what_is_left_is_not_waited_for() -> None:
    """The first of a long queue take the hits left, and the others wait for later windows."""
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 2) == pytest.approx(60.1)
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 1) == pytest.approx(120.1)


def test_a_pause_is_waited_for() -> None:
    """R2: after a 429 without Retry-After, the known wait is the pause alone."""
    tracker = configured(None, None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=5)
    assert tracker.opens_at(1.0, ahead=3) == pytest.approx(5.1)


def test_without_a_period_nobody_is_told_to_wait_for_further_windows() -> None:
    """Without a known period, the known wait is the pause alone, for any place in the queue."""
    tracker = configured(per=None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.opens_at(1.0, ahead=250) == 5.5


def test_after_a_pause_the_window_may_open_now() -> None:
    """After the pause there is no known wait."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.opens_at(5.5, ahead=250) == 5.5


def test_after_a_pause_in_a_window_whose_end_is_known_it_may_open_now() -> None:
    """After a pause within a known window, the hits left are unknown, so there is no known wait."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(), 1.1, pause=5)
    assert tracker.opens_at(7.0) == 7.0


def test_a_used_up_window_whose_end_is_not_known_may_open_now() -> None:
    """In a used-up window without a known end there is no known wait, as a request may ask."""
    assert opened(remaining=0).opens_at(1.0) == 1.0


def test_in_a_pause_what_was_left_does_not_count() -> None:
    """During a pause, the hits of a late reply do not shorten the queue."""
    tracker = opened()
    late, refused = permit(tracker, 1.0), permit(tracker, 1.0)
    refuses(tracker, refused, says(), 1.1, pause=5)
    passes(tracker, late, says(97), 1.2)
    assert tracker.opens_at(1.3, ahead=LIMIT) == pytest.approx(66.1)
