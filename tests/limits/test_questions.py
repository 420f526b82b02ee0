"""Questions: single requests that find out if the server has counted requests without a reply."""

import itertools

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._window import ASK_AGAIN_AFTER, MAX_DOUBLINGS
from tests.support.windows import (
    LIMIT,
    PER,
    configured,
    loses,
    passes,
    permit,
    refusal,
    refuses,
    says,
    sent,
)

LONGEST_ASK_PAUSE = ASK_AGAIN_AFTER * 2.0**MAX_DOUBLINGS


def in_doubt(*, left: int = 40, lost: int = 45, per: float | None = PER) -> WindowTracker:
    """Return a window with `lost` requests in doubt, at 0.2 s.

    Its lowest ``Remaining`` is `left`; the server may or may not have counted the lost requests.
    """
    tracker = configured(per=per)
    passes(tracker, permit(tracker, 0.0), says(LIMIT - 1), 0.1)
    for remaining in reversed(range(left, LIMIT - 1)):
        passes(tracker, permit(tracker, 0.1), says(remaining), 0.1)
    for ticket in [sent(tracker, 0.1) for _ in range(lost)]:
        loses(tracker, ticket, 0.2, sent=True)
    return tracker


def test_doubt_is_cleared_by_one_request() -> None:
    """With 40 hits left and 45 requests in doubt, the ``Remaining`` of one request decides."""
    tracker = in_doubt()
    ticket = permit(tracker, 0.2)
    refusal(tracker, 0.2)
    passes(tracker, ticket, says(39), 0.3)
    assert tracker.free == 39


def test_doubt_is_cleared_by_a_refusal() -> None:
    """If the server counted the lost requests, the question is refused, and the window shut."""
    tracker = in_doubt()
    refuses(tracker, permit(tracker, 0.2), says(0, retry_after=59), 0.3, pause=1)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)
    assert tracker.window.foreign == 0


def test_a_doubt_with_nothing_left_is_not_asked_about() -> None:
    """With a ``Remaining`` of 0 the window is used up, and the doubt does not matter."""
    assert refusal(in_doubt(left=0, lost=1), 0.2) == pytest.approx(60.1)


def test_a_doubt_about_the_last_hit_is_asked_about() -> None:
    """A question is sent even if only one hit may be left."""
    permit(in_doubt(left=1, lost=1), 0.2)


def test_a_question_without_an_answer_is_asked_again_ever_more_slowly() -> None:
    """A gateway that goes on answering 502 gets a request after 0, 1, 2, 4, 8 and 8 s."""
    tracker, now, asked = in_doubt(), 0.2, list[float]()
    while now < 30:
        loses(tracker, permit(tracker, now), now + 0.1, sent=True)
        asked.append(now)
        now = refusal(tracker, now + 0.1)
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == pytest.approx([1, 2, 4, LONGEST_ASK_PAUSE, LONGEST_ASK_PAUSE])


def test_a_question_that_was_not_sent_is_asked_again_as_slowly() -> None:
    """A refused connection is no answer, so the next question waits as long."""
    tracker = in_doubt()
    loses(tracker, permit(tracker, 0.2), 0.3, sent=False)
    assert refusal(tracker, 0.3) == pytest.approx(0.2 + ASK_AGAIN_AFTER)


@pytest.mark.parametrize("remaining", [39, None])
def test_an_answer_lets_the_next_doubt_be_asked_about_at_once(remaining: int | None) -> None:
    """After any reply of the server itself, the next question is sent at once."""
    tracker = in_doubt()
    loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    passes(tracker, permit(tracker, 1.2), says(remaining), 1.3)
    while tracker.free > 0:
        loses(tracker, permit(tracker, 1.3), 1.4, sent=True)
    permit(tracker, 1.4)


def test_a_slow_answer_is_followed_by_another_question() -> None:
    """If a question gets no reply, another one is sent after a second, then after two."""
    tracker = in_doubt()
    permit(tracker, 0.2)
    assert refusal(tracker, 0.3) == pytest.approx(0.2 + ASK_AGAIN_AFTER)
    permit(tracker, 1.2)
    assert refusal(tracker, 1.3) == pytest.approx(1.2 + 2 * ASK_AGAIN_AFTER)


def test_fresh_requests_are_waited_for_before_asking() -> None:
    """A question waits for requests sent within the last second, whose replies may answer it."""
    tracker = in_doubt(lost=0)
    for ticket in [permit(tracker, 1.0) for _ in range(40)][:39]:
        loses(tracker, ticket, 1.1, sent=True)
    assert refusal(tracker, 1.2) == pytest.approx(1.0 + ASK_AGAIN_AFTER)
    permit(tracker, 1.0 + ASK_AGAIN_AFTER)


def test_requests_in_flight_are_not_in_doubt() -> None:
    """Requests in flight count as hits, however long they take."""
    tracker = in_doubt(left=1, lost=0)
    late = permit(tracker, 1.0)
    loses(tracker, sent(tracker, 1.0), 1.1, sent=True)
    assert refusal(tracker, 10.0) == pytest.approx(60.1)
    passes(tracker, late, says(0), 10.1)
    assert refusal(tracker, 10.2) == pytest.approx(60.1)


def test_no_question_waits_past_the_windows_end() -> None:
    """The next question comes at the window's end at the latest."""
    tracker = in_doubt()
    permit(tracker, 59.9)
    assert refusal(tracker, 60.0) == pytest.approx(60.1)


def test_a_new_window_has_no_doubts() -> None:
    """Unanswered questions do not delay those of the next window."""
    tracker = in_doubt()
    for now in (0.2, 1.2, 3.2):
        loses(tracker, permit(tracker, now), now + 0.1, sent=True)
    passes(tracker, permit(tracker, 60.2), says(1), 60.3)
    loses(tracker, permit(tracker, 60.3), 60.4, sent=True)
    permit(tracker, 60.4)


def test_a_reserve_is_asked_about_only_where_more_than_it_may_be_left() -> None:
    """With 40 hits or fewer left, a reserve of 40 is kept, and one of 39 may be asked about."""
    refusal(in_doubt(), 0.2, reserve=40)
    permit(in_doubt(), 0.2, reserve=39)


def test_without_headers_there_is_no_doubt() -> None:
    """A server that sends no ``Remaining`` cannot answer a question, so none is sent."""
    tracker = configured(limit=2)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)


def test_hits_in_doubt_let_no_caller_give_up() -> None:
    """Calls within the hits in doubt may be admitted now; calls behind them wait for the window."""
    tracker = in_doubt()
    assert tracker.opens_at(1.0, ahead=39) == 1.0
    assert tracker.opens_at(1.0, ahead=40) == pytest.approx(60.1)
