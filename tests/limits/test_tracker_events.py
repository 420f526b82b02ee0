"""The events of a window: its opening, its pauses, and the hits of others."""

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from raydocs_async.events import ForeignUse, Paused, WindowOpened
from tests.support.windows import configured, opened, passes, permit, refuses, says


def test_a_pause_is_news_once() -> None:
    """A refusal that shuts the window is one event, with the length of the pause."""
    tracker = configured()
    before = tracker.snapshot
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.events_since(before, 1.0) == [Paused(seconds=4.5)]
    assert tracker.events_since(tracker.snapshot, 1.0) == []


def test_a_pause_that_is_over_is_no_news() -> None:
    """A pause that is over is not an event."""
    tracker = opened()
    before = tracker.snapshot
    refuses(tracker, permit(tracker, 1.0), says(), 1.5, pause=5)
    assert tracker.events_since(before, 6.5) == []


def test_a_shorter_pause_is_no_news() -> None:
    """A refusal that ends within the known pause is not an event."""
    tracker = configured()
    first, second = permit(tracker, 0.0), permit(tracker, ASK_AGAIN_AFTER)
    refuses(tracker, first, says(), 1.5, pause=5)
    before = tracker.snapshot
    refuses(tracker, second, says(), 1.5, pause=2)
    assert tracker.events_since(before, 1.5) == []


def test_the_first_reply_of_a_window_is_news() -> None:
    """The first reply of a window is an event with limit and `Remaining`; the next one is none."""
    tracker = configured()
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.0), says(99), 0.1)
    assert tracker.events_since(before, 0.1) == [WindowOpened(limit=100, remaining=99)]
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.2), says(98), 0.3)
    assert tracker.events_since(before, 0.3) == []


def test_as_many_hits_as_before_are_no_news() -> None:
    """A reply that changes nothing is not an event."""
    tracker = opened()
    assert tracker.events_since(tracker.snapshot, 0.2) == []


def test_more_hits_than_before_are_news() -> None:
    """More hits left than before are an event, because they are those of a new window."""
    tracker = opened(remaining=3)
    before = tracker.snapshot
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.events_since(before, 2.1) == [WindowOpened(limit=100, remaining=95)]


def test_a_window_without_a_limit_tells_no_number() -> None:
    """The event of a window without a limit has no numbers."""
    tracker = configured(None, None)
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    assert tracker.events_since(before, 0.1) == [WindowOpened(limit=None, remaining=None)]


def test_hits_of_others_are_news() -> None:
    """A reply that shows more foreign hits is an event with their total."""
    tracker = opened()
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.2), says(90), 0.3)
    assert tracker.events_since(before, 0.3) == [ForeignUse(hits=8)]
