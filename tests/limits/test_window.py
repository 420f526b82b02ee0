"""One window: its end, its hits, and those that the server may not have counted."""

import itertools
import math

import pytest

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._period import Interval
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._window import ASK_AGAIN_AFTER, MAX_DOUBLINGS
from tests.support.windows import (
    LIMIT,
    PER,
    loses,
    opened,
    passes,
    permit,
    refusal,
    refuses,
    says,
    sent,
    told,
)

LONGEST_ASK_PAUSE = ASK_AGAIN_AFTER * 2.0**MAX_DOUBLINGS


# -- the end ------------------------------------------------------------------------------------


def test_the_window_is_over_one_period_after_its_first_reply() -> None:
    """One period after the reply to the opening hit, the next window may be probed."""
    tracker = opened(remaining=0)
    assert refusal(tracker, 60.05) == pytest.approx(60.1)
    permit(tracker, 60.1)


def test_an_opening_reply_bounds_the_end_from_both_sides() -> None:
    """Limit - 1 says that the window was opened between sending and receiving."""
    assert opened().window.ends == Interval(60.0, 60.1)


def test_another_reply_bounds_it_from_above_only() -> None:
    """A lower Remaining leaves open how long the window has been there."""
    assert opened(remaining=50).window.ends == Interval(-math.inf, 60.1)


def test_an_unknown_end_is_asked_for_with_one_request() -> None:
    """With nothing left of a window that others opened, one request goes to be refused."""
    tracker = opened(remaining=0)
    tracker.window.ends = Interval(-math.inf, 60.1)
    permit(tracker, 1.0)
    refusal(tracker, 1.0)


def test_a_known_end_is_not_asked_for() -> None:
    """With nothing left of a window that we opened, nothing is sent before its end."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(LIMIT - 1)]
    for left, ticket in enumerate(reversed(tickets)):
        passes(tracker, ticket, says(left), 0.3)
    assert refusal(tracker, 30.0) == pytest.approx(60.1)


def test_a_refusal_shuts_the_window_until_one_second_after_retry_after() -> None:
    """Retry-After is whole seconds, cut off: one more is always enough."""
    tracker = told()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=10), 0.1, pause=5)
    assert refusal(tracker, 1.0) == pytest.approx(11.1)


def test_a_refusal_does_not_wait_past_a_better_known_end() -> None:
    """Retry-After plus one is not waited for when the window is known to end sooner."""
    tracker = opened()
    refuses(tracker, permit(tracker, 10.0), says(0, retry_after=50), 10.1, pause=5)
    assert tracker.shut_until == pytest.approx(60.1)


def test_a_refusal_that_contradicts_the_known_end_replaces_it() -> None:
    """What a 429 says about another window counts, and the old bounds do not."""
    tracker = opened(remaining=50)
    refuses(tracker, permit(tracker, 10.0), says(0, retry_after=200), 10.1, pause=5)
    assert (tracker.window.ends.low, tracker.window.ends.high) == pytest.approx((209.0, 211.1))


@pytest.mark.parametrize("retry_after", [0, 1, 59])
def test_a_refusal_never_permits_the_next_request_at_once(retry_after: int) -> None:
    """R1: even with Retry-After 0 there is a second between two probes of a shut window."""
    tracker = told()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=retry_after), 0.1, pause=5)
    assert refusal(tracker, 0.1) >= 1.0


def test_a_refusal_without_retry_after_pauses_everybody() -> None:
    """R2: a 429 that does not say for how long shuts the window for the pause given."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(retry_after=None), 1.1, pause=5)
    assert refusal(tracker, 1.2) == pytest.approx(6.1)


def test_after_a_pause_one_request_goes_first() -> None:
    """R7: a pause ends with a probe, not with the herd."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(retry_after=None), 1.1, pause=5)
    permit(tracker, 6.2)
    assert refusal(tracker, 6.2) == pytest.approx(6.2 + ASK_AGAIN_AFTER)


def test_pauses_are_combined_by_the_longest() -> None:
    """R7: of many refusals at a time, the one that asks for most decides."""
    tracker = opened()
    first, second = permit(tracker, 1.0), permit(tracker, 1.0)
    refuses(tracker, first, says(), 1.1, pause=9)
    refuses(tracker, second, says(), 1.1, pause=2)
    assert refusal(tracker, 1.2) == pytest.approx(10.1)


def test_refusals_are_counted_until_one_passes() -> None:
    """The count by which pauses grow starts anew with the first reply that is no 429."""
    tracker = told()
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    refuses(tracker, permit(tracker, 2.0), says(), 2.1, pause=1)
    refused = tracker.refusals
    passes(tracker, permit(tracker, 4.0), says(99), 4.1)
    assert (refused, tracker.refusals) == (2, 0)


def test_a_new_window_opened_by_others_is_noticed() -> None:
    """A higher Remaining on a later request can only be a new window's."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.left == 95
    assert tracker.window.ends.high == pytest.approx(62.1)


def test_a_late_reply_of_the_old_window_says_nothing_of_the_new_one() -> None:
    """A reply to a request sent before the window turned does not lower the new budget."""
    tracker = opened()
    late = permit(tracker, 59.0)
    passes(tracker, permit(tracker, 60.2), says(98), 60.3)
    passes(tracker, late, says(1), 60.4)
    assert tracker.window.left == 98


@pytest.mark.parametrize("sent_before", [True, False])
def test_a_late_refusal_of_the_old_window_does_not_shut_the_new_one(sent_before: bool) -> None:
    """Only a refusal of a request that was sent in this window speaks of this window."""
    tracker = opened()
    late = permit(tracker, 59.0)
    fresh = permit(tracker, 60.2)
    refuses(tracker, late if sent_before else fresh, says(0, retry_after=0), 60.3, pause=5)
    assert (tracker.shut_until > 60.3) is not sent_before


def test_one_silent_request_does_not_hold_a_shared_window_past_its_end() -> None:
    """With others about, a reply that does not come holds up nobody for longer than the window."""
    tracker = opened(limit=10, remaining=5)
    permit(tracker, 0.2)
    assert refusal(tracker, 0.3) == pytest.approx(60.1)
    permit(tracker, 60.2)


def test_an_end_that_a_refusal_would_not_tell_better_is_not_asked_for() -> None:
    """To within two seconds is what a 429 tells."""
    tracker = opened(remaining=0)
    tracker.window.ends = Interval(58.0, 60.0)
    assert refusal(tracker, 1.0) == 60.0


def test_an_end_that_nobody_knows_is_asked_for() -> None:
    """With a limit alone, and neither a period nor headers, nobody waits for ever."""
    tracker = told(limit=1, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    permit(tracker, 1.0)


def test_the_end_of_the_next_window_is_known_beforehand() -> None:
    """It begins when the last one is over, and so ends no earlier than a period after that."""
    tracker = opened()
    permit(tracker, 60.2)
    assert tracker.window.ends == Interval(120.0, math.inf)


def test_without_a_period_nothing_is_known_of_the_next_window() -> None:
    """Its end is open on both sides."""
    tracker = told(None, None)
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=10), 0.1, pause=1)
    permit(tracker, 11.1)
    assert tracker.window.ends == Interval()


def test_without_a_period_an_opening_reply_bounds_nothing() -> None:
    """To know when the window began does not help if nobody knows how long it lasts."""
    tracker = told(None, None)
    passes(tracker, permit(tracker, 0.0), says(LIMIT - 1), 0.1)
    assert tracker.window.ends == Interval()


def test_a_refused_window_has_nothing_left() -> None:
    """Neither hits, nor any that were counted and have not been seen."""
    tracker = opened()
    loses(tracker, permit(tracker, 0.5), 0.6, sent=True)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=58), 1.1, pause=1)
    assert tracker.free == 0


def test_a_window_that_others_opened_began_after_the_lowest_count_of_the_old_one() -> None:
    """The request that got it was still in the old window; the new one ends a period later."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.ends == Interval(61.0, 62.1)


def test_without_a_period_a_window_that_others_opened_has_no_known_end() -> None:
    """It is a new window, and that is all."""
    tracker = told(None, None)
    passes(tracker, permit(tracker, 0.0), says(2), 0.1)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert (tracker.window.left, tracker.window.ends) == (95, Interval())


def test_a_new_window_is_noticed_by_a_request_sent_with_the_last_reply() -> None:
    """What is sent at the very moment of a reply comes after it."""
    tracker = opened(remaining=3)
    passes(tracker, permit(tracker, 1.0), says(2), 1.1)
    passes(tracker, permit(tracker, 1.1), says(95), 1.2)
    assert tracker.window.left == 95


def test_a_new_window_is_noticed_after_the_same_count_twice() -> None:
    """Two replies that tell the same do not put off what can be told from the first."""
    tracker = opened(remaining=60)
    slow = permit(tracker, 1.0)
    passes(tracker, permit(tracker, 1.0), says(58), 1.1)
    later = permit(tracker, 2.0)
    passes(tracker, slow, says(58), 3.0)
    passes(tracker, later, says(90), 3.1)
    assert tracker.window.left == 90


def test_a_late_reply_of_a_window_that_others_ended_says_nothing_of_theirs() -> None:
    """The new window is as old as the first request that is known to be in it."""
    tracker = opened(remaining=60)
    late = permit(tracker, 1.0)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    passes(tracker, late, says(59), 2.2)
    assert tracker.window.left == 95


# -- hits without a Remaining --------------------------------------------------------------------


def test_a_lost_reply_counts() -> None:
    """A request that got no reply is taken for counted."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    assert tracker.free == 9


def test_a_request_that_was_never_sent_does_not_count() -> None:
    """A refused connection gives its hit back."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=False)
    assert tracker.free == 10


def test_a_later_reply_corrects_the_count_of_lost_ones() -> None:
    """What a lost request was taken for no longer matters once the server has told again."""
    tracker = opened(remaining=10)
    for _ in range(3):
        loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 3.0), says(9), 3.1)
    assert tracker.free == 9


def test_lost_replies_are_not_taken_for_a_new_window() -> None:
    """A Remaining above our own cautious count is not a window that has turned."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 3.0), says(10), 3.1)
    assert tracker.window.ends.high == pytest.approx(60.1)


def test_a_lost_probe_is_replaced_at_once() -> None:
    """The next in line probes when the first one found no server."""
    tracker = told()
    loses(tracker, permit(tracker, 0.0), 0.1, sent=False)
    permit(tracker, 0.1)


def test_a_loss_of_an_earlier_window_does_not_count_in_this_one() -> None:
    """A request of the old window that is lost later takes nothing from the new one."""
    tracker = opened()
    late = permit(tracker, 59.0)
    passes(tracker, permit(tracker, 60.2), says(98), 60.3)
    loses(tracker, late, 61.0, sent=True)
    assert tracker.free == 98


def test_without_headers_the_configured_limit_counts() -> None:
    """A server that says nothing gets as many requests a period as was configured."""
    tracker = told(limit=3)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    permit(tracker, 0.2), permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_without_headers_and_without_a_limit_everything_goes() -> None:
    """Nothing known beforehand and nothing said: there is no limit."""
    tracker = told(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    for _ in range(1000):
        permit(tracker, 0.2)


def test_a_server_that_tells_nothing_is_not_asked_for_the_end() -> None:
    """Without headers nobody asks for the window's end by a request that is refused."""
    tracker = told(limit=1)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    assert refusal(tracker, 1.0) == pytest.approx(60.1)


def test_a_burst_of_refusals_is_one() -> None:
    """R2: what was under way when the first 429 came neither counts nor lengthens the pause."""
    tracker = told(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    for ticket in [permit(tracker, 0.2) for _ in range(30)]:
        refuses(tracker, ticket, RateLimitHeaders(), 0.3, pause=2.0**tracker.refusals)
    assert tracker.refusals == 1
    assert tracker.shut_until == pytest.approx(1.3)


def test_a_late_reply_does_not_reopen_a_refused_window() -> None:
    """R7: a 200 that was under way before the 429 does not replace the probe after it."""
    tracker = told(limit=None, per=None)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    late, refused = permit(tracker, 0.2), permit(tracker, 0.2)
    refuses(tracker, refused, RateLimitHeaders(), 0.3, pause=1.0)
    passes(tracker, late, RateLimitHeaders(), 0.4)
    permit(tracker, 1.4)
    assert refusal(tracker, 1.4) == pytest.approx(1.4 + ASK_AGAIN_AFTER)


@pytest.mark.parametrize(
    ("limit", "remaining", "expected"),
    [
        pytest.param(10, 9, 9, id="limit lowered"),
        pytest.param(10, 70, 10, id="R11 Remaining above Limit"),
        pytest.param(LIMIT, 0, 0, id="R11 nothing left at once"),
    ],
)
def test_the_headers_win_over_what_was_told(limit: int, remaining: int, expected: int) -> None:
    """R11: limit and budget follow the server."""
    tracker = told()
    passes(tracker, permit(tracker, 0.0), says(remaining, limit=limit), 0.1)
    assert (tracker.limit, tracker.window.left) == (limit, expected)


def test_a_remaining_without_a_limit_is_believed() -> None:
    """R11: what is left is known even where nobody says of how many."""
    tracker = told(None, None)
    passes(tracker, permit(tracker, 0.0), says(5, limit=None), 0.1)
    assert (tracker.limit, tracker.free) == (None, 5)


def test_one_reply_without_headers_does_not_open_a_window() -> None:
    """A gateway's reply to the probe says nothing, from a server that has told before."""
    tracker = opened(remaining=0)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=30), 1.1, pause=1)
    passes(tracker, permit(tracker, 60.2), RateLimitHeaders(), 60.3)
    assert refusal(tracker, 60.4) == pytest.approx(61.2)


def test_several_lost_replies_count() -> None:
    """Each of them is one hit."""
    tracker = opened(remaining=10)
    for _ in range(2):
        loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    assert tracker.free == 8


def test_several_replies_without_headers_count() -> None:
    """Each of them is one hit of the configured limit."""
    tracker = told(limit=10)
    for now in range(3):
        passes(tracker, permit(tracker, now), RateLimitHeaders(), now + 0.1)
    assert tracker.free == 7


def test_a_remaining_corrects_the_count_of_replies_without_headers() -> None:
    """The first reply that tells something is believed."""
    tracker = told(limit=10)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    passes(tracker, permit(tracker, 1.0), says(5, limit=10), 1.1)
    assert tracker.free == 5


def test_a_remaining_corrects_what_was_lost_up_to_its_request() -> None:
    """A request that is sent the moment another is lost knows of it."""
    tracker = opened(remaining=10)
    loses(tracker, permit(tracker, 1.0), 2.0, sent=True)
    passes(tracker, permit(tracker, 2.0), says(8), 2.1)
    assert tracker.free == 8


def test_what_is_lost_before_a_slow_probes_reply_counts() -> None:
    """A second probe that is lost is one hit, also in a window that is not the first."""
    tracker = opened()
    slow = permit(tracker, 60.2)
    loses(tracker, permit(tracker, 61.3), 61.5, sent=True)
    passes(tracker, slow, says(98), 61.6)
    assert tracker.free == 97


def test_what_is_lost_before_the_first_reply_counts() -> None:
    """A second probe that is lost is one hit, and the only one that was not seen."""
    tracker = told()
    slow = permit(tracker, 0.0)
    loses(tracker, permit(tracker, ASK_AGAIN_AFTER), 1.5, sent=True)
    passes(tracker, slow, says(98), 1.6)
    assert tracker.free == 97


def test_a_remaining_above_the_configured_limit_is_believed() -> None:
    """After replies that told nothing, the server knows better how many hits there are."""
    tracker = told(limit=10)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    passes(tracker, permit(tracker, 1.0), says(50), 1.1)
    assert tracker.free == 50


def test_a_lost_probe_of_a_later_window_is_replaced_at_once() -> None:
    """The request that opens a window belongs to it."""
    tracker = opened()
    loses(tracker, permit(tracker, 60.2), 60.3, sent=True)
    permit(tracker, 60.3)


def test_a_refusal_of_what_was_sent_at_the_moment_of_another_is_a_second_one() -> None:
    """What is sent with a refusal comes after it."""
    tracker = told()
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    refuses(tracker, sent(tracker, 0.1), says(), 0.2, pause=1)
    assert tracker.refusals == 2


def test_a_reply_to_what_was_sent_at_the_moment_of_a_refusal_opens_the_window() -> None:
    """What is sent with a refusal and passes comes after it."""
    tracker = told(None, None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=1)
    passes(tracker, sent(tracker, 0.1), RateLimitHeaders(), 0.2)
    assert tracker.window.left == math.inf


# -- doubt: hits that the server may not have counted --------------------------------------------


def in_doubt(*, left: int = 40, lost: int = 45, per: float | None = PER) -> WindowTracker:
    """A window with `left` hits by its lowest Remaining, and `lost` replies since, at 0.2 s."""
    tracker = told(per=per)
    passes(tracker, permit(tracker, 0.0), says(LIMIT - 1), 0.1)
    for remaining in reversed(range(left, LIMIT - 1)):
        passes(tracker, permit(tracker, 0.1), says(remaining), 0.1)
    for ticket in [sent(tracker, 0.1) for _ in range(lost)]:
        loses(tracker, ticket, 0.2, sent=True)
    return tracker


def test_doubt_is_cleared_by_one_request() -> None:
    """After 60 hits and 45 replies of a gateway, one request asks whether 40 hits are left."""
    tracker = in_doubt()
    ticket = permit(tracker, 0.2)
    refusal(tracker, 0.2)
    passes(tracker, ticket, says(39), 0.3)
    assert tracker.free == 39


def test_doubt_is_cleared_by_a_refusal() -> None:
    """If the lost requests were counted, one 429 says so, and nothing follows it."""
    tracker = in_doubt()
    refuses(tracker, permit(tracker, 0.2), says(0, retry_after=59), 0.3, pause=1)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)
    assert tracker.window.foreign == 0


def test_a_doubt_with_nothing_left_is_not_asked_about() -> None:
    """If the lowest Remaining was 0, lost replies do not matter: the window is used up."""
    assert refusal(in_doubt(left=0, lost=1), 0.2) == pytest.approx(60.1)


def test_a_doubt_about_the_last_hit_is_asked_about() -> None:
    """One hit that may be left is worth one request."""
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
    """A connection that is refused is no answer, either."""
    tracker = in_doubt()
    loses(tracker, permit(tracker, 0.2), 0.3, sent=False)
    assert refusal(tracker, 0.3) == pytest.approx(0.2 + ASK_AGAIN_AFTER)


@pytest.mark.parametrize("remaining", [39, None])
def test_an_answer_lets_the_next_doubt_be_asked_about_at_once(remaining: int | None) -> None:
    """Any reply of the server itself shows that asking works again."""
    tracker = in_doubt()
    loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    passes(tracker, permit(tracker, 1.2), says(remaining), 1.3)
    while tracker.free > 0:
        loses(tracker, permit(tracker, 1.3), 1.4, sent=True)
    permit(tracker, 1.4)


def test_a_slow_answer_is_followed_by_another_question() -> None:
    """A question that hangs does not hold up everybody."""
    tracker = in_doubt()
    permit(tracker, 0.2)
    assert refusal(tracker, 0.3) == pytest.approx(0.2 + ASK_AGAIN_AFTER)
    permit(tracker, 1.2)
    assert refusal(tracker, 1.3) == pytest.approx(1.2 + 2 * ASK_AGAIN_AFTER)


def test_fresh_requests_are_waited_for_before_asking() -> None:
    """What was sent just now will probably tell; what has been silent for a second will not."""
    tracker = in_doubt(lost=0)
    for ticket in [permit(tracker, 1.0) for _ in range(40)][:39]:
        loses(tracker, ticket, 1.1, sent=True)
    assert refusal(tracker, 1.2) == pytest.approx(1.0 + ASK_AGAIN_AFTER)
    permit(tracker, 1.0 + ASK_AGAIN_AFTER)


def test_what_is_in_flight_is_not_doubtful() -> None:
    """Requests without a reply yet are taken for counted, however long they take."""
    tracker = in_doubt(left=1, lost=0)
    late = permit(tracker, 1.0)
    loses(tracker, sent(tracker, 1.0), 1.1, sent=True)
    assert refusal(tracker, 10.0) == pytest.approx(60.1)
    passes(tracker, late, says(0), 10.1)
    assert refusal(tracker, 10.2) == pytest.approx(60.1)


def test_nobody_waits_for_an_answer_past_the_windows_end() -> None:
    """The next question is due, at the latest, when the next window is."""
    tracker = in_doubt()
    permit(tracker, 59.9)
    assert refusal(tracker, 60.0) == pytest.approx(60.1)


def test_a_new_window_has_no_doubts() -> None:
    """Questions that were not answered do not slow down those of the next window."""
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


def test_an_unknown_end_is_asked_for_ever_more_slowly() -> None:
    """A gateway's answers to that question do not make a storm."""
    tracker = told(per=None)
    passes(tracker, permit(tracker, 0.0), says(0), 0.1)
    loses(tracker, permit(tracker, 1.0), 1.1, sent=True)
    assert refusal(tracker, 1.1) == pytest.approx(1.0 + ASK_AGAIN_AFTER)


def test_without_headers_there_is_no_doubt() -> None:
    """A server that never tells what is left cannot be asked."""
    tracker = told(limit=2)
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)


def test_in_doubt_nobody_is_told_to_wait_by_guess() -> None:
    """Calls that the doubtful hits would serve may be served now; others wait for the window."""
    tracker = in_doubt()
    assert tracker.opens_at(1.0, ahead=39) == 1.0
    assert tracker.opens_at(1.0, ahead=40) == pytest.approx(60.1)


# -- counts that are odd, and sent by the framework all the same ---------------------------------


def test_a_full_count_does_not_say_when_the_window_ends() -> None:
    """Remaining == Limit: the count expired while the request was handled, so none is open."""
    tracker = told()
    passes(tracker, permit(tracker, 0.0), says(LIMIT), 0.1)
    assert (tracker.free, tracker.window.ends) == (LIMIT, Interval())


def test_the_first_hit_after_a_full_count_opens_a_window() -> None:
    """It may come much later, and the window then lasts a period from there."""
    tracker = told()
    passes(tracker, permit(tracker, 0.0), says(LIMIT), 0.1)
    passes(tracker, permit(tracker, 30.0), says(LIMIT - 1), 30.1)
    assert tracker.window.ends == Interval(90.0, 90.1)


def test_a_server_that_counts_nothing_lets_everything_through() -> None:
    """A Remaining that stays full is not used up."""
    tracker = told()
    for now in range(3 * LIMIT):
        passes(tracker, permit(tracker, now), says(LIMIT), now + 0.1)
    assert tracker.free == LIMIT


@pytest.mark.parametrize("remaining", ["-1", "-12"])
def test_a_negative_count_is_an_empty_window(remaining: str) -> None:
    """A burst that was let in over the limit leaves less than nothing."""
    tracker = told()
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": remaining}
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders.parse(headers), 0.1)
    assert (tracker.free, tracker.window.foreign) == (0, LIMIT - 1)


def test_a_window_that_ran_over_is_followed_by_a_whole_one() -> None:
    """What was let in over the limit is not held against the next window."""
    tracker = opened(limit=20)
    tickets = [permit(tracker, 0.2) for _ in range(19)]
    for ticket in tickets:
        passes(tracker, ticket, says(0, limit=20), 0.3)
    passes(tracker, permit(tracker, 60.2), says(19, limit=20), 60.3)
    assert (tracker.free, tracker.window.foreign) == (19, 0)
