"""The window machine: what it permits, what it learns, and how it fares against the server's own.

The second half runs it against a model of the server (`Throttle`, both of its stores) in simulated
time: whole jobs of hundreds of requests, with latency, loss, and others on the same address.
"""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeAlias

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._window import (
    CAUTION,
    MAX_DOUBLINGS,
    PROBE_PATIENCE,
    Interval,
    Ticket,
    Wait,
    Window,
)
from raydocs_async.events import ForeignUse, Paused, WindowOpened
from raydocs_async.sandbox import Throttle

LIMIT, PER = 100, 60.0
LONGEST_ASK_PAUSE = PROBE_PATIENCE * 2.0**MAX_DOUBLINGS

Store: TypeAlias = Literal["redis", "file"]


def told(limit: int | None = LIMIT, per: float | None = PER) -> Window:
    """A window as it is before the first request."""
    return Window(limit=limit, per=per)


def says(
    remaining: int | None = None,
    *,
    limit: int | None = LIMIT,
    retry_after: float | None = None,
    date: str | None = None,
) -> RateLimitHeaders:
    """What a reply says."""
    return RateLimitHeaders(limit=limit, remaining=remaining, retry_after=retry_after, date=date)


def permit(window: Window, now: float, reserve: int = 0) -> Ticket:
    """A permission that must be given."""
    ticket = window.admit(now, reserve)
    assert isinstance(ticket, Ticket)
    return ticket


def refusal(window: Window, now: float, reserve: int = 0) -> float:
    """Until when to wait, where a permission must not be given."""
    wait = window.admit(now, reserve)
    assert isinstance(wait, Wait)
    return wait.until


def opened(*, remaining: int | None = None, limit: int = LIMIT) -> Window:
    """A window whose probe has been answered 0.1 s later; by default, it was the opening hit."""
    window = told(limit)
    left = limit - 1 if remaining is None else remaining
    window.passed(permit(window, 0.0), says(left, limit=limit), 0.1)
    return window


# -- asking -------------------------------------------------------------------------------------


def test_an_unknown_window_is_opened_by_one_request() -> None:
    """Before the first reply one request may go, and a second one has to wait."""
    window = told()
    permit(window, 0.0)
    assert refusal(window, 0.0) == PROBE_PATIENCE


def test_a_slow_probe_is_followed_by_another() -> None:
    """A probe without an answer does not hold up everybody for longer than its patience."""
    window = told()
    permit(window, 0.0)
    permit(window, PROBE_PATIENCE)
    assert refusal(window, PROBE_PATIENCE) == 2 * PROBE_PATIENCE


def test_the_probes_reply_lets_the_rest_go() -> None:
    """All that the reply says is left may be sent at once, and not one more."""
    window = opened()
    for _ in range(LIMIT - 1):
        permit(window, 0.2)
    assert refusal(window, 0.2) == pytest.approx(60.1)


def test_what_is_in_flight_is_not_given_twice() -> None:
    """A reply that tells of fewer hits left than there are in flight permits nothing."""
    window = opened(limit=3)
    first, _ = permit(window, 0.2), permit(window, 0.2)
    window.passed(first, says(1, limit=3), 0.3)
    assert window.free == 0


def test_replies_out_of_order_do_not_raise_the_budget() -> None:
    """The lowest Remaining of a window is the truth, whenever it arrives."""
    window = opened()
    early, late = permit(window, 0.2), permit(window, 0.2)
    window.passed(late, says(97), 0.3)
    window.passed(early, says(98), 0.4)
    assert window.left == 97


def test_no_reserve_is_the_default() -> None:
    """Who says nothing of a reserve gets the last hit."""
    assert isinstance(opened(limit=2).admit(0.2), Ticket)


def test_a_reserve_is_left_to_others() -> None:
    """With a reserve the last hits of a window are not permitted, and without it they are."""
    window = opened(limit=7)
    permit(window, 0.2, reserve=5)
    refusal(window, 0.2, reserve=5)
    permit(window, 0.2)


def test_a_reserve_is_not_kept_while_the_windows_end_is_out_of_sight() -> None:
    """Nobody waits for ever on a reserve when it is not known when the window ends."""
    window = told(per=None)
    window.passed(permit(window, 0.0), says(5), 0.1)
    permit(window, 0.2, reserve=5)


def test_a_reserve_is_kept_while_the_windows_end_is_in_sight() -> None:
    """A hit that is left to others is not spent on asking when the window ends."""
    assert refusal(opened(remaining=1), 0.2, reserve=1) == pytest.approx(60.1)


# -- the end of a window ------------------------------------------------------------------------


def test_the_window_is_over_one_period_after_its_first_reply() -> None:
    """One period after the reply to the opening hit, the next window may be probed."""
    window = opened(remaining=0)
    assert refusal(window, 60.05) == pytest.approx(60.1)
    permit(window, 60.1)


def test_an_opening_reply_bounds_the_end_from_both_sides() -> None:
    """Limit - 1 says that the window was opened between sending and receiving."""
    assert opened().ends == Interval(60.0, 60.1)


def test_another_reply_bounds_it_from_above_only() -> None:
    """A lower Remaining leaves open how long the window has been there."""
    assert opened(remaining=50).ends == Interval(-math.inf, 60.1)


def test_an_unknown_end_is_asked_for_with_one_request() -> None:
    """With nothing left of a window that others opened, one request goes to be refused."""
    window = opened(remaining=0)
    window.ends = Interval(-math.inf, 60.1)
    permit(window, 1.0)
    refusal(window, 1.0)


def test_a_known_end_is_not_asked_for() -> None:
    """With nothing left of a window that we opened, nothing is sent before its end."""
    window = opened()
    tickets = [permit(window, 0.2) for _ in range(LIMIT - 1)]
    for left, ticket in enumerate(reversed(tickets)):
        window.passed(ticket, says(left), 0.3)
    assert refusal(window, 30.0) == pytest.approx(60.1)


def test_a_refusal_shuts_the_window_until_one_second_after_retry_after() -> None:
    """Retry-After is whole seconds, cut off: one more is always enough."""
    window = told()
    window.refused(permit(window, 0.0), says(0, retry_after=10), 0.1, pause=5)
    assert refusal(window, 1.0) == pytest.approx(11.1)


def test_a_refusal_does_not_wait_past_a_better_known_end() -> None:
    """Retry-After plus one is not waited for when the window is known to end sooner."""
    window = opened()
    window.refused(permit(window, 10.0), says(0, retry_after=50), 10.1, pause=5)
    assert window.shut_until == pytest.approx(60.1)


def test_a_refusal_that_contradicts_the_known_end_replaces_it() -> None:
    """What a 429 says about another window counts, and the old bounds do not."""
    window = opened(remaining=50)
    window.refused(permit(window, 10.0), says(0, retry_after=200), 10.1, pause=5)
    assert (window.ends.low, window.ends.high) == pytest.approx((209.0, 211.1))


@pytest.mark.parametrize("retry_after", [0, 1, 59])
def test_a_refusal_never_permits_the_next_request_at_once(retry_after: int) -> None:
    """R1: even with Retry-After 0 there is a second between two probes of a shut window."""
    window = told()
    window.refused(permit(window, 0.0), says(0, retry_after=retry_after), 0.1, pause=5)
    assert refusal(window, 0.1) >= 1.0


def test_a_refusal_without_retry_after_pauses_everybody() -> None:
    """R2: a 429 that does not say for how long shuts the window for the pause given."""
    window = opened()
    window.refused(permit(window, 1.0), says(retry_after=None), 1.1, pause=5)
    assert refusal(window, 1.2) == pytest.approx(6.1)


def test_after_a_pause_one_request_goes_first() -> None:
    """R7: a pause ends with a probe, not with the herd."""
    window = opened()
    window.refused(permit(window, 1.0), says(retry_after=None), 1.1, pause=5)
    permit(window, 6.2)
    assert refusal(window, 6.2) == pytest.approx(6.2 + PROBE_PATIENCE)


def test_pauses_are_combined_by_the_longest() -> None:
    """R7: of many refusals at a time, the one that asks for most decides."""
    window = opened()
    first, second = permit(window, 1.0), permit(window, 1.0)
    window.refused(first, says(), 1.1, pause=9)
    window.refused(second, says(), 1.1, pause=2)
    assert refusal(window, 1.2) == pytest.approx(10.1)


def test_refusals_are_counted_until_one_passes() -> None:
    """The count by which pauses grow starts anew with the first reply that is no 429."""
    window = told()
    window.refused(permit(window, 0.0), says(), 0.1, pause=1)
    window.refused(permit(window, 2.0), says(), 2.1, pause=1)
    refused = window.refusals
    window.passed(permit(window, 4.0), says(99), 4.1)
    assert (refused, window.refusals) == (2, 0)


def test_a_new_window_opened_by_others_is_noticed() -> None:
    """A higher Remaining on a later request can only be a new window's."""
    window = opened(remaining=3)
    window.passed(permit(window, 1.0), says(2), 1.1)
    window.passed(permit(window, 2.0), says(95), 2.1)
    assert window.left == 95
    assert window.ends.high == pytest.approx(62.1)


def test_a_late_reply_of_the_old_window_says_nothing_of_the_new_one() -> None:
    """A reply to a request sent before the window turned does not lower the new budget."""
    window = opened()
    late = permit(window, 59.0)
    window.passed(permit(window, 60.2), says(98), 60.3)
    window.passed(late, says(1), 60.4)
    assert window.left == 98


@pytest.mark.parametrize("sent_before", [True, False])
def test_a_late_refusal_of_the_old_window_does_not_shut_the_new_one(sent_before: bool) -> None:
    """Only a refusal of a request that was sent in this window speaks of this window."""
    window = opened()
    late = permit(window, 59.0)
    fresh = permit(window, 60.2)
    window.refused(late if sent_before else fresh, says(0, retry_after=0), 60.3, pause=5)
    assert (window.shut_until > 60.3) is not sent_before


def test_one_silent_request_does_not_hold_a_shared_window_past_its_end() -> None:
    """With others about, a reply that does not come holds up nobody for longer than the window."""
    window = opened(limit=10, remaining=5)
    permit(window, 0.2)
    assert refusal(window, 0.3) == pytest.approx(60.1)
    permit(window, 60.2)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (20.0, 30.0)])
def test_bounds_that_touch_do_not_contradict_each_other(low: float, high: float) -> None:
    """What can only be at one moment is known to be then."""
    (moment,) = {low, high} & {10.0, 20.0}
    assert Interval(10.0, 20.0).narrowed(low, high) == Interval(moment, moment)


def test_an_end_that_a_refusal_would_not_tell_better_is_not_asked_for() -> None:
    """To within two seconds is what a 429 tells."""
    window = opened(remaining=0)
    window.ends = Interval(58.0, 60.0)
    assert refusal(window, 1.0) == 60.0


def test_an_end_that_nobody_knows_is_asked_for() -> None:
    """With a limit alone, and neither a period nor headers, nobody waits for ever."""
    window = told(limit=1, per=None)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    permit(window, 1.0)


def test_the_end_of_the_next_window_is_known_beforehand() -> None:
    """It begins when the last one is over, and so ends no earlier than a period after that."""
    window = opened()
    permit(window, 60.2)
    assert window.ends == Interval(120.0, math.inf)


def test_without_a_period_nothing_is_known_of_the_next_window() -> None:
    """Its end is open on both sides."""
    window = told(None, None)
    window.refused(permit(window, 0.0), says(0, retry_after=10), 0.1, pause=1)
    permit(window, 11.1)
    assert window.ends == Interval()


def test_without_a_period_an_opening_reply_bounds_nothing() -> None:
    """To know when the window began does not help if nobody knows how long it lasts."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(LIMIT - 1), 0.1)
    assert window.ends == Interval()


def test_a_refused_window_has_nothing_left() -> None:
    """Neither hits, nor any that were counted and have not been seen."""
    window = opened()
    window.lost(permit(window, 0.5), 0.6, sent=True)
    window.refused(permit(window, 1.0), says(0, retry_after=58), 1.1, pause=1)
    assert window.free == 0


def test_a_window_that_others_opened_began_after_the_lowest_count_of_the_old_one() -> None:
    """The request that got it was still in the old window; the new one ends a period later."""
    window = opened(remaining=3)
    window.passed(permit(window, 1.0), says(2), 1.1)
    window.passed(permit(window, 2.0), says(95), 2.1)
    assert window.ends == Interval(61.0, 62.1)


def test_without_a_period_a_window_that_others_opened_has_no_known_end() -> None:
    """It is a new window, and that is all."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(2), 0.1)
    window.passed(permit(window, 2.0), says(95), 2.1)
    assert (window.left, window.ends) == (95, Interval())


def test_a_new_window_is_noticed_by_a_request_sent_with_the_last_reply() -> None:
    """What is sent at the very moment of a reply comes after it."""
    window = opened(remaining=3)
    window.passed(permit(window, 1.0), says(2), 1.1)
    window.passed(permit(window, 1.1), says(95), 1.2)
    assert window.left == 95


def test_a_new_window_is_noticed_after_the_same_count_twice() -> None:
    """Two replies that tell the same do not put off what can be told from the first."""
    window = opened(remaining=60)
    slow = permit(window, 1.0)
    window.passed(permit(window, 1.0), says(58), 1.1)
    later = permit(window, 2.0)
    window.passed(slow, says(58), 3.0)
    window.passed(later, says(90), 3.1)
    assert window.left == 90


def test_a_late_reply_of_a_window_that_others_ended_says_nothing_of_theirs() -> None:
    """The new window is as old as the first request that is known to be in it."""
    window = opened(remaining=60)
    late = permit(window, 1.0)
    window.passed(permit(window, 2.0), says(95), 2.1)
    window.passed(late, says(59), 2.2)
    assert window.left == 95


# -- hits without a Remaining -------------------------------------------------------------------


def test_a_lost_reply_counts() -> None:
    """A request that got no reply is taken for counted."""
    window = opened(remaining=10)
    window.lost(permit(window, 1.0), 2.0, sent=True)
    assert window.free == 9


def test_a_request_that_was_never_sent_does_not_count() -> None:
    """A refused connection gives its hit back."""
    window = opened(remaining=10)
    window.lost(permit(window, 1.0), 2.0, sent=False)
    assert window.free == 10


def test_a_later_reply_corrects_the_count_of_lost_ones() -> None:
    """What a lost request was taken for no longer matters once the server has told again."""
    window = opened(remaining=10)
    for _ in range(3):
        window.lost(permit(window, 1.0), 2.0, sent=True)
    window.passed(permit(window, 3.0), says(9), 3.1)
    assert window.free == 9


def test_lost_replies_are_not_taken_for_a_new_window() -> None:
    """A Remaining above our own cautious count is not a window that has turned."""
    window = opened(remaining=10)
    window.lost(permit(window, 1.0), 2.0, sent=True)
    window.passed(permit(window, 3.0), says(10), 3.1)
    assert window.ends.high == pytest.approx(60.1)


def test_a_lost_probe_is_replaced_at_once() -> None:
    """The next in line probes when the first one found no server."""
    window = told()
    window.lost(permit(window, 0.0), 0.1, sent=False)
    permit(window, 0.1)


def test_a_loss_of_an_earlier_window_does_not_count_in_this_one() -> None:
    """A request of the old window that is lost later takes nothing from the new one."""
    window = opened()
    late = permit(window, 59.0)
    window.passed(permit(window, 60.2), says(98), 60.3)
    window.lost(late, 61.0, sent=True)
    assert window.free == 98


def test_without_headers_the_configured_limit_counts() -> None:
    """A server that says nothing gets as many requests a period as was configured."""
    window = told(limit=3)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    permit(window, 0.2), permit(window, 0.2)
    assert refusal(window, 0.2) == pytest.approx(60.1)


def test_without_headers_and_without_a_limit_everything_goes() -> None:
    """Nothing known beforehand and nothing said: there is no limit."""
    window = told(limit=None, per=None)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    for _ in range(1000):
        permit(window, 0.2)


def test_a_server_that_tells_nothing_is_not_asked_for_the_end() -> None:
    """Without headers nobody asks for the window's end by a request that is refused."""
    window = told(limit=1)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    assert refusal(window, 1.0) == pytest.approx(60.1)


def test_a_burst_of_refusals_is_one() -> None:
    """R2: what was under way when the first 429 came neither counts nor lengthens the pause."""
    window = told(limit=None, per=None)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    for ticket in [permit(window, 0.2) for _ in range(30)]:
        window.refused(ticket, RateLimitHeaders(), 0.3, pause=2.0**window.refusals)
    assert window.refusals == 1
    assert window.shut_until == pytest.approx(1.3)


def test_a_late_reply_does_not_reopen_a_refused_window() -> None:
    """R7: a 200 that was under way before the 429 does not replace the probe after it."""
    window = told(limit=None, per=None)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    late, refused = permit(window, 0.2), permit(window, 0.2)
    window.refused(refused, RateLimitHeaders(), 0.3, pause=1.0)
    window.passed(late, RateLimitHeaders(), 0.4)
    permit(window, 1.4)
    assert refusal(window, 1.4) == pytest.approx(1.4 + PROBE_PATIENCE)


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
    window = told()
    window.passed(permit(window, 0.0), says(remaining, limit=limit), 0.1)
    assert (window.limit, window.left) == (limit, expected)


def test_a_remaining_without_a_limit_is_believed() -> None:
    """R11: what is left is known even where nobody says of how many."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(5, limit=None), 0.1)
    assert (window.limit, window.free) == (None, 5)


def test_one_reply_without_headers_does_not_open_a_window() -> None:
    """A gateway's reply to the probe says nothing, from a server that has told before."""
    window = opened(remaining=0)
    window.refused(permit(window, 1.0), says(0, retry_after=30), 1.1, pause=1)
    window.passed(permit(window, 60.2), RateLimitHeaders(), 60.3)
    assert refusal(window, 60.4) == pytest.approx(61.2)


def test_several_lost_replies_count() -> None:
    """Each of them is one hit."""
    window = opened(remaining=10)
    for _ in range(2):
        window.lost(permit(window, 1.0), 2.0, sent=True)
    assert window.free == 8


def test_several_replies_without_headers_count() -> None:
    """Each of them is one hit of the configured limit."""
    window = told(limit=10)
    for now in range(3):
        window.passed(permit(window, now), RateLimitHeaders(), now + 0.1)
    assert window.free == 7


def test_a_remaining_corrects_the_count_of_replies_without_headers() -> None:
    """The first reply that tells something is believed."""
    window = told(limit=10)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    window.passed(permit(window, 1.0), says(5, limit=10), 1.1)
    assert window.free == 5


def test_a_remaining_corrects_what_was_lost_up_to_its_request() -> None:
    """A request that is sent the moment another is lost knows of it."""
    window = opened(remaining=10)
    window.lost(permit(window, 1.0), 2.0, sent=True)
    window.passed(permit(window, 2.0), says(8), 2.1)
    assert window.free == 8


def test_what_is_lost_before_a_slow_probes_reply_counts() -> None:
    """A second probe that is lost is one hit, also in a window that is not the first."""
    window = opened()
    slow = permit(window, 60.2)
    window.lost(permit(window, 61.3), 61.5, sent=True)
    window.passed(slow, says(98), 61.6)
    assert window.free == 97


def test_what_is_lost_before_the_first_reply_counts() -> None:
    """A second probe that is lost is one hit, and the only one that was not seen."""
    window = told()
    slow = permit(window, 0.0)
    window.lost(permit(window, PROBE_PATIENCE), 1.5, sent=True)
    window.passed(slow, says(98), 1.6)
    assert window.free == 97


def test_a_remaining_above_the_configured_limit_is_believed() -> None:
    """After replies that told nothing, the server knows better how many hits there are."""
    window = told(limit=10)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    window.passed(permit(window, 1.0), says(50), 1.1)
    assert window.free == 50


def test_a_lost_probe_of_a_later_window_is_replaced_at_once() -> None:
    """The request that opens a window belongs to it."""
    window = opened()
    window.lost(permit(window, 60.2), 60.3, sent=True)
    permit(window, 60.3)


def test_a_refusal_of_what_was_sent_at_the_moment_of_another_is_a_second_one() -> None:
    """What is sent with a refusal comes after it."""
    window = told()
    window.refused(permit(window, 0.0), says(), 0.1, pause=1)
    window.in_flight += 1
    window.refused(Ticket(0.1), says(), 0.2, pause=1)
    assert window.refusals == 2


def test_a_reply_to_what_was_sent_at_the_moment_of_a_refusal_opens_the_window() -> None:
    """What is sent with a refusal and passes comes after it."""
    window = told(None, None)
    window.refused(permit(window, 0.0), says(), 0.1, pause=1)
    window.in_flight += 1
    window.passed(Ticket(0.1), RateLimitHeaders(), 0.2)
    assert window.left == math.inf


# -- doubt: hits that the server may not have counted ---------------------------------------------


def in_doubt(*, left: int = 40, lost: int = 45, per: float | None = PER) -> Window:
    """A window with `left` hits by its lowest Remaining, and `lost` replies since, at 0.2 s."""
    window = told(per=per)
    window.passed(permit(window, 0.0), says(LIMIT - 1), 0.1)
    for remaining in reversed(range(left, LIMIT - 1)):
        window.passed(permit(window, 0.1), says(remaining), 0.1)
    window.in_flight += lost
    for _ in range(lost):
        window.lost(Ticket(0.1), 0.2, sent=True)
    return window


def test_doubt_is_cleared_by_one_request() -> None:
    """After 60 hits and 45 replies of a gateway, one request asks whether 40 hits are left."""
    window = in_doubt()
    ticket = permit(window, 0.2)
    refusal(window, 0.2)
    window.passed(ticket, says(39), 0.3)
    assert window.free == 39


def test_doubt_is_cleared_by_a_refusal() -> None:
    """If the lost requests were counted, one 429 says so, and nothing follows it."""
    window = in_doubt()
    window.refused(permit(window, 0.2), says(0, retry_after=59), 0.3, pause=1)
    assert refusal(window, 0.4) == pytest.approx(60.1)
    assert window.foreign == 0


def test_a_doubt_with_nothing_left_is_not_asked_about() -> None:
    """If the lowest Remaining was 0, lost replies do not matter: the window is used up."""
    assert refusal(in_doubt(left=0, lost=1), 0.2) == pytest.approx(60.1)


def test_a_doubt_about_the_last_hit_is_asked_about() -> None:
    """One hit that may be left is worth one request."""
    permit(in_doubt(left=1, lost=1), 0.2)


def test_a_question_without_an_answer_is_asked_again_ever_more_slowly() -> None:
    """A gateway that goes on answering 502 gets a request after 0, 1, 2, 4, 8 and 8 s."""
    window, now, asked = in_doubt(), 0.2, list[float]()
    while now < 30:
        window.lost(permit(window, now), now + 0.1, sent=True)
        asked.append(now)
        now = refusal(window, now + 0.1)
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == pytest.approx([1, 2, 4, LONGEST_ASK_PAUSE, LONGEST_ASK_PAUSE])


def test_a_question_that_was_not_sent_is_asked_again_as_slowly() -> None:
    """A connection that is refused is no answer, either."""
    window = in_doubt()
    window.lost(permit(window, 0.2), 0.3, sent=False)
    assert refusal(window, 0.3) == pytest.approx(0.2 + PROBE_PATIENCE)


@pytest.mark.parametrize("remaining", [39, None])
def test_an_answer_lets_the_next_doubt_be_asked_about_at_once(remaining: int | None) -> None:
    """Any reply of the server itself shows that asking works again."""
    window = in_doubt()
    window.lost(permit(window, 0.2), 0.3, sent=True)
    window.passed(permit(window, 1.2), says(remaining), 1.3)
    while window.free > 0:
        window.lost(permit(window, 1.3), 1.4, sent=True)
    permit(window, 1.4)


def test_a_slow_answer_is_followed_by_another_question() -> None:
    """A question that hangs does not hold up everybody."""
    window = in_doubt()
    permit(window, 0.2)
    assert refusal(window, 0.3) == pytest.approx(0.2 + PROBE_PATIENCE)
    permit(window, 1.2)
    assert refusal(window, 1.3) == pytest.approx(1.2 + 2 * PROBE_PATIENCE)


def test_fresh_requests_are_waited_for_before_asking() -> None:
    """What was sent just now will probably tell; what has been silent for a second will not."""
    window = in_doubt(lost=0)
    for ticket in [permit(window, 1.0) for _ in range(40)][:39]:
        window.lost(ticket, 1.1, sent=True)
    assert refusal(window, 1.2) == pytest.approx(1.0 + PROBE_PATIENCE)
    permit(window, 1.0 + PROBE_PATIENCE)


def test_what_is_in_flight_is_not_doubtful() -> None:
    """Requests without a reply yet are taken for counted, however long they take."""
    window = in_doubt(left=1, lost=0)
    late = permit(window, 1.0)
    window.in_flight += 1
    window.lost(Ticket(1.0), 1.1, sent=True)
    assert refusal(window, 10.0) == pytest.approx(60.1)
    window.passed(late, says(0), 10.1)
    assert refusal(window, 10.2) == pytest.approx(60.1)


def test_nobody_waits_for_an_answer_past_the_windows_end() -> None:
    """The next question is due, at the latest, when the next window is."""
    window = in_doubt()
    permit(window, 59.9)
    assert refusal(window, 60.0) == pytest.approx(60.1)


def test_a_new_window_has_no_doubts() -> None:
    """Questions that were not answered do not slow down those of the next window."""
    window = in_doubt()
    for now in (0.2, 1.2, 3.2):
        window.lost(permit(window, now), now + 0.1, sent=True)
    window.passed(permit(window, 60.2), says(1), 60.3)
    window.lost(permit(window, 60.3), 60.4, sent=True)
    permit(window, 60.4)


def test_a_reserve_is_asked_about_only_where_more_than_it_may_be_left() -> None:
    """With 40 hits or fewer left, a reserve of 40 is kept, and one of 39 may be asked about."""
    refusal(in_doubt(), 0.2, reserve=40)
    permit(in_doubt(), 0.2, reserve=39)


def test_an_unknown_end_is_asked_for_ever_more_slowly() -> None:
    """A gateway's answers to that question do not make a storm."""
    window = told(per=None)
    window.passed(permit(window, 0.0), says(0), 0.1)
    window.lost(permit(window, 1.0), 1.1, sent=True)
    assert refusal(window, 1.1) == pytest.approx(1.0 + PROBE_PATIENCE)


def test_without_headers_there_is_no_doubt() -> None:
    """A server that never tells what is left cannot be asked."""
    window = told(limit=2)
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    window.lost(permit(window, 0.2), 0.3, sent=True)
    assert refusal(window, 0.4) == pytest.approx(60.1)


def test_in_doubt_nobody_is_told_to_wait_by_guess() -> None:
    """Calls that the doubtful hits would serve may be served now; others wait for the window."""
    window = in_doubt()
    assert window.opens_at(1.0, ahead=39) == 1.0
    assert window.opens_at(1.0, ahead=40) == pytest.approx(60.1)


# -- counts that are odd, and sent by the framework all the same ----------------------------------


def test_a_full_count_does_not_say_when_the_window_ends() -> None:
    """Remaining == Limit: the count expired while the request was handled, so none is open."""
    window = told()
    window.passed(permit(window, 0.0), says(LIMIT), 0.1)
    assert (window.free, window.ends) == (LIMIT, Interval())


def test_the_first_hit_after_a_full_count_opens_a_window() -> None:
    """It may come much later, and the window then lasts a period from there."""
    window = told()
    window.passed(permit(window, 0.0), says(LIMIT), 0.1)
    window.passed(permit(window, 30.0), says(LIMIT - 1), 30.1)
    assert window.ends == Interval(90.0, 90.1)


def test_a_server_that_counts_nothing_lets_everything_through() -> None:
    """A Remaining that stays full is not used up."""
    window = told()
    for now in range(3 * LIMIT):
        window.passed(permit(window, now), says(LIMIT), now + 0.1)
    assert window.free == LIMIT


@pytest.mark.parametrize("remaining", ["-1", "-12"])
def test_a_negative_count_is_an_empty_window(remaining: str) -> None:
    """A burst that was let in over the limit leaves less than nothing."""
    window = told()
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": remaining}
    window.passed(permit(window, 0.0), RateLimitHeaders.parse(headers), 0.1)
    assert (window.free, window.foreign) == (0, LIMIT - 1)


def test_a_window_that_ran_over_is_followed_by_a_whole_one() -> None:
    """What was let in over the limit is not held against the next window."""
    window = opened(limit=20)
    tickets = [permit(window, 0.2) for _ in range(19)]
    for ticket in tickets:
        window.passed(ticket, says(0, limit=20), 0.3)
    window.passed(permit(window, 60.2), says(19, limit=20), 60.3)
    assert (window.free, window.foreign) == (19, 0)


# -- others on the address ----------------------------------------------------------------------


def test_hits_of_others_are_counted() -> None:
    """What Remaining lacks beyond our own hits is foreign use."""
    assert opened(remaining=LIMIT - 1 - 30).foreign == 30


def test_own_hits_are_not_foreign() -> None:
    """Our own requests in flight do not look like somebody else's."""
    window = opened()
    tickets = [permit(window, 0.2) for _ in range(20)]
    window.passed(tickets[0], says(LIMIT - 21), 0.3)
    assert window.foreign == 0


def test_with_others_about_a_share_of_what_is_left_is_in_flight() -> None:
    """The less is left, the fewer requests of ours are on the wire at a time."""
    window = opened(remaining=40)
    for _ in range(40 // CAUTION):
        permit(window, 0.2)
    assert refusal(window, 0.2) == pytest.approx(60.1)


def test_with_others_about_one_request_may_always_be_in_flight() -> None:
    """Caution does not stop us."""
    permit(opened(remaining=1), 0.2)


def test_without_a_limit_there_is_no_share_to_keep_to() -> None:
    """A single 429 of a server that tells no limit does not make the rest go one at a time."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(limit=None), 0.1)
    window.refused(permit(window, 0.2), says(limit=None, retry_after=0), 0.3, pause=1)
    window.passed(permit(window, 2.0), says(limit=None), 2.1)
    for _ in range(100):
        permit(window, 2.2)


def test_caution_outlasts_the_window_by_one() -> None:
    """Others who were there in the last window are expected in this one."""
    window = opened(remaining=40)
    window.passed(permit(window, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // CAUTION):
        permit(window, 60.4)
    assert refusal(window, 60.4) == pytest.approx(120.3)


def test_an_unexpected_refusal_is_foreign_use() -> None:
    """A 429 while hits should have been left was somebody else's doing."""
    window = opened()
    window.refused(permit(window, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert window.foreign == 1


def test_a_refusal_that_was_asked_for_is_not_foreign_use() -> None:
    """The request that asks for the window's end is expected to be refused."""
    window = told(per=None)
    window.passed(permit(window, 0.0), says(0, limit=1), 0.1)
    window.refused(permit(window, 0.2), says(0, limit=1, retry_after=2), 0.3, pause=5)
    assert window.foreign == 0


def test_the_last_hit_being_refused_is_foreign_use() -> None:
    """Also where one hit alone should have been left."""
    window = opened(limit=2)
    window.refused(permit(window, 1.0), says(0, limit=2, retry_after=59), 1.1, pause=5)
    assert window.foreign == 1


def test_foreign_use_that_shows_in_a_refusal_adds_up() -> None:
    """What was known of before is not forgotten."""
    window = opened(remaining=LIMIT - 1 - 30)
    window.refused(permit(window, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert window.foreign == 31


def test_lost_hits_are_not_shared_with_others() -> None:
    """The share that may be in flight is one of what is left after what was lost."""
    window = opened(remaining=40)
    for _ in range(8):
        window.lost(permit(window, 0.2), 0.3, sent=True)
    for _ in range((40 - 8) // CAUTION):
        permit(window, 0.4)
    assert refusal(window, 0.4) == pytest.approx(60.1)


def test_a_single_hit_of_others_makes_cautious() -> None:
    """Where there is one, there may be more."""
    window = opened(remaining=LIMIT - 2)
    for _ in range((LIMIT - 2) // CAUTION):
        permit(window, 0.2)
    refusal(window, 0.2)


def test_a_single_hit_of_others_makes_cautious_in_the_next_window() -> None:
    """Where there was one, there may be more."""
    window = opened(remaining=LIMIT - 2)
    window.passed(permit(window, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // CAUTION):
        permit(window, 60.4)
    refusal(window, 60.4)


def test_caution_ends_when_nobody_else_has_been_there_for_a_window() -> None:
    """After a window of our own, everything may be in flight again."""
    window = opened(remaining=40)
    window.passed(permit(window, 60.2), says(LIMIT - 1), 60.3)
    window.passed(permit(window, 120.4), says(LIMIT - 1), 120.5)
    for _ in range(LIMIT - 1):
        permit(window, 120.6)


def test_own_hits_in_a_window_that_others_opened_are_not_foreign() -> None:
    """The reply that shows it, and what is in flight then, are ours."""
    window = opened(remaining=60)
    permit(window, 1.9)
    window.passed(permit(window, 2.0), says(95), 2.1)
    assert window.foreign == 3


# -- the period ---------------------------------------------------------------------------------

DATES = [f"Mon, 23 Nov 2026 12:00:{second:02} GMT" for second in range(60)]


def refused_after_opening(
    window: Window, *, opened_at: str | None, refused_at: str | None, retry_after: int
) -> None:
    """An opening reply, and two seconds later a refusal."""
    window.passed(permit(window, 0.0), says(0, limit=1, date=opened_at), 0.1)
    ticket = permit(window, 2.0) if window.per is None else Ticket(2.0)
    window.in_flight = 1
    window.refused(ticket, says(0, limit=1, retry_after=retry_after, date=refused_at), 2.1, pause=1)


def test_the_period_is_learned_from_the_first_refusal() -> None:
    """Retry-After and the replies' dates give the period in whole seconds."""
    window = told(limit=None, per=None)
    refused_after_opening(window, opened_at=DATES[10], refused_at=DATES[12], retry_after=58)
    assert window.per == 60
    assert (window.ends.low, window.ends.high) == pytest.approx((60.0, 60.1))


@pytest.mark.parametrize(
    ("opened_at", "refused_at"), [(None, None), (DATES[10], None), (None, DATES[12])]
)
def test_the_period_is_rounded_up_without_dates(
    opened_at: str | None, refused_at: str | None
) -> None:
    """Without both dates the longest period that fits is taken, which is never refused."""
    window = told(limit=None, per=None)
    refused_after_opening(window, opened_at=opened_at, refused_at=refused_at, retry_after=58)
    assert window.per == 61


def test_the_period_does_not_depend_on_where_the_clock_began() -> None:
    """What counts is the time from the opening request to the refusal."""
    window = told(None, None)
    window.passed(permit(window, 100.0), says(0, limit=1), 100.1)
    window.refused(permit(window, 102.0), says(0, limit=1, retry_after=58), 102.1, pause=1)
    assert window.per == 61


def test_a_told_period_that_fits_is_kept() -> None:
    """A refusal that agrees with the configured period does not change it."""
    window = told()
    refused_after_opening(window, opened_at=DATES[10], refused_at=DATES[12], retry_after=57)
    assert window.per == PER


@pytest.mark.parametrize("retry_after", [8, 280, 3600])
def test_a_told_period_outlives_a_refusal_that_contradicts_it(retry_after: int) -> None:
    """A gateway's or a firewall's own 429 counts for its window, not for all that follow."""
    window = told()
    refused_after_opening(
        window, opened_at=DATES[10], refused_at=DATES[12], retry_after=retry_after
    )
    assert window.per == PER
    assert window.ends.high == pytest.approx(3.1 + retry_after)


@pytest.mark.parametrize("limit", [None, 7])
def test_a_refusal_by_another_limit_teaches_nothing(limit: int | None) -> None:
    """Only a 429 of the limit that is being followed tells its period."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(0, limit=1), 0.1)
    window.refused(permit(window, 2.0), says(0, limit=limit, retry_after=58), 2.1, pause=1)
    assert window.per is None


def learned() -> Window:
    """A window that has learned a period of 60 s."""
    window = told(None, None)
    refused_after_opening(window, opened_at=DATES[10], refused_at=DATES[12], retry_after=58)
    return window


def test_a_learned_period_that_fits_is_kept() -> None:
    """Another refusal in the same window changes nothing."""
    window = learned()
    window.refused(Ticket(3.0), says(0, limit=1, retry_after=57, date=DATES[13]), 3.1, pause=1)
    assert window.per == PER


def test_a_refusal_just_after_the_expected_end_mends_a_learned_period_once() -> None:
    """A period learned a second too short is mended by the first probe that it lets go early."""
    window = learned()
    ends = window.ends.high
    window.refused(permit(window, ends), says(0, limit=1, retry_after=0), ends + 0.1, pause=5)
    again = window.shut_until
    window.refused(permit(window, again), says(0, limit=1, retry_after=0), again + 0.1, pause=5)
    assert window.per == PER + 1


def test_a_refusal_long_after_the_expected_end_does_not_mend_anything() -> None:
    """A late probe that others have beaten to a window says nothing of the period."""
    window = learned()
    window.refused(permit(window, 90.0), says(0, limit=1, retry_after=1), 90.1, pause=5)
    assert window.per == PER


def test_others_who_emptied_the_next_window_do_not_change_the_period() -> None:
    """A refusal early in a window that others have used up says nothing of the period."""
    window = learned()
    ends = window.ends.high
    window.refused(permit(window, ends), says(0, limit=1, retry_after=59), ends + 0.1, pause=5)
    assert window.per == PER


def test_a_learned_period_that_is_too_long_is_learned_anew() -> None:
    """A window that turns before its end shows that the period is shorter."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(99, date=DATES[0]), 0.1)
    window.refused(permit(window, 1.0), says(0, retry_after=50, date=DATES[1]), 1.1, pause=1)
    ends = window.ends.high
    window.passed(permit(window, ends), says(99, date=DATES[52]), ends + 0.1)
    window.passed(permit(window, ends + 1), says(97), ends + 1.1)
    window.passed(permit(window, ends + 3), says(98), ends + 3.1)
    assert window.per is None


@pytest.mark.parametrize("now", [60.0, 60.05])
def test_a_learned_period_outlives_a_window_that_ends_in_time(now: float) -> None:
    """A window that turns when it may is no sign of a shorter period."""
    window = learned()
    window.in_flight = 1
    window.passed(Ticket(59.9), says(1, limit=2), now)
    assert window.per == PER


def test_a_told_period_outlives_a_window_that_ends_early() -> None:
    """What was told is believed, whatever the server seems to do."""
    window = opened()
    window.passed(permit(window, 1.0), says(98), 1.1)
    window.passed(permit(window, 2.0), says(99), 2.1)
    assert window.per == PER


def test_a_window_whose_opening_was_not_seen_teaches_nothing() -> None:
    """A refusal tells when it ends, and not when it began."""
    window = told(None, None)
    window.passed(permit(window, 0.0), says(50), 0.1)
    window.refused(permit(window, 1.0), says(0, retry_after=30), 1.1, pause=1)
    assert window.per is None


def test_a_refusal_before_the_end_does_not_mend_anything() -> None:
    """In a window that we opened ourselves, it is just the end coming."""
    window = learned()
    ends = window.ends.high
    window.passed(permit(window, ends), says(0, limit=1), ends + 0.1)
    window.in_flight = 1
    window.refused(Ticket(119.9), says(0, limit=1, retry_after=1), 120.0, pause=1)
    assert window.per == PER


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
    window = learned()
    ticket = permit(window, sent_at)
    window.refused(ticket, says(0, limit=1, retry_after=retry_after), sent_at + 0.1, pause=5)
    assert window.per == expected


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
    window = learned()
    window.in_flight = 1
    headers = says(0, limit=1, retry_after=retry_after, date=date)
    window.refused(Ticket(sent_at), headers, received_at, pause=1)
    assert window.per == expected


# -- known waits --------------------------------------------------------------------------------


def test_an_open_window_opens_now() -> None:
    """Whoever finds hits left does not wait."""
    assert opened().opens_at(1.0, ahead=98) == 1.0


def test_an_unknown_window_may_open_now() -> None:
    """Nobody is told to wait by guess."""
    assert told().opens_at(0.0, ahead=1000) == 0.0


@pytest.mark.parametrize(("ahead", "expected"), [(0, 60.1), (99, 60.1), (100, 120.1), (250, 180.1)])
def test_a_queue_takes_a_window_for_each_limit(ahead: int, expected: float) -> None:
    """The place in the queue tells the window in which it is served."""
    window = opened()
    tickets = [permit(window, 0.2) for _ in range(LIMIT - 1)]
    assert len(tickets) == LIMIT - 1
    assert window.opens_at(1.0, ahead) == pytest.approx(expected)


def test_a_shut_window_opens_when_it_is_no_longer_shut() -> None:
    """R4: a long pause is known from the refusal on."""
    window = told()
    window.refused(permit(window, 0.0), says(0, retry_after=86_400), 0.1, pause=1)
    assert window.opens_at(1.0) == pytest.approx(86_401.1)


def test_nobody_else_waiting_is_the_default() -> None:
    """The last hit of a window may go at once when there is no queue."""
    assert opened(limit=2).opens_at(1.0) == 1.0


def test_what_is_left_is_not_waited_for() -> None:
    """Of a queue that is longer than what is left, those served from it wait for no window."""
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 2) == pytest.approx(60.1)
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 1) == pytest.approx(120.1)


def test_a_pause_is_waited_for() -> None:
    """R2: a 429 that does not say for how long shuts the window for the pause, not for longer."""
    window = told(None, None)
    window.refused(permit(window, 0.0), says(), 0.1, pause=5)
    assert window.opens_at(1.0, ahead=3) == pytest.approx(5.1)


def test_without_a_period_nobody_is_told_to_wait_for_further_windows() -> None:
    """How long those last is not known, and so a pause is all that is waited for."""
    window = told(per=None)
    window.refused(permit(window, 0.0), says(), 0.5, pause=5)
    assert window.opens_at(1.0, ahead=250) == 5.5


def test_after_a_pause_the_window_may_open_now() -> None:
    """When the pause is over nothing is known, and so nobody is told to wait."""
    window = told()
    window.refused(permit(window, 0.0), says(), 0.5, pause=5)
    assert window.opens_at(5.5, ahead=250) == 5.5


def test_in_a_pause_what_was_left_does_not_count() -> None:
    """A late reply that tells of hits left does not shorten the queue behind the pause."""
    window = opened()
    late, refused = permit(window, 1.0), permit(window, 1.0)
    window.refused(refused, says(), 1.1, pause=5)
    window.passed(late, says(97), 1.2)
    assert window.opens_at(1.3, ahead=LIMIT) == pytest.approx(66.1)


# -- news ---------------------------------------------------------------------------------------


def test_a_pause_is_news_once() -> None:
    """The refusal that shuts the window tells for how long; the same view again tells nothing."""
    window = told()
    before = window.view
    window.refused(permit(window, 0.0), says(), 0.5, pause=5)
    assert window.news_since(before, 1.0) == [Paused(seconds=4.5)]
    assert window.news_since(window.view, 1.0) == []


def test_a_pause_that_is_over_is_no_news() -> None:
    """At its end it holds up nobody, and what is left is not known."""
    window = opened()
    before = window.view
    window.refused(permit(window, 1.0), says(), 1.5, pause=5)
    assert window.news_since(before, 6.5) == []


def test_a_shorter_pause_is_no_news() -> None:
    """A refusal that ends within the pause that is known changes nothing."""
    window = told()
    first, second = permit(window, 0.0), permit(window, PROBE_PATIENCE)
    window.refused(first, says(), 1.5, pause=5)
    before = window.view
    window.refused(second, says(), 1.5, pause=2)
    assert window.news_since(before, 1.5) == []


def test_the_first_reply_of_a_window_is_news() -> None:
    """It tells the limit and what is left; the next one, with less left, tells nothing."""
    window = told()
    before = window.view
    window.passed(permit(window, 0.0), says(99), 0.1)
    assert window.news_since(before, 0.1) == [WindowOpened(limit=100, remaining=99)]
    before = window.view
    window.passed(permit(window, 0.2), says(98), 0.3)
    assert window.news_since(before, 0.3) == []


def test_as_many_hits_as_before_are_no_news() -> None:
    """A reply that tells what was known changes nothing."""
    window = opened()
    assert window.news_since(window.view, 0.2) == []


def test_more_hits_than_before_are_news() -> None:
    """They can only be a new window's."""
    window = opened(remaining=3)
    before = window.view
    window.passed(permit(window, 2.0), says(95), 2.1)
    assert window.news_since(before, 2.1) == [WindowOpened(limit=100, remaining=95)]


def test_a_window_without_a_limit_tells_no_number() -> None:
    """There is none to tell."""
    window = told(None, None)
    before = window.view
    window.passed(permit(window, 0.0), RateLimitHeaders(), 0.1)
    assert window.news_since(before, 0.1) == [WindowOpened(limit=None, remaining=None)]


def test_hits_of_others_are_news() -> None:
    """How many there are in all, whenever a reply tells of more."""
    window = opened()
    before = window.view
    window.passed(permit(window, 0.2), says(90), 0.3)
    assert window.news_since(before, 0.3) == [ForeignUse(hits=8)]


# -- against the server -------------------------------------------------------------------------


@attrs.define
class Outcome:
    """How a simulated job went."""

    seconds: float
    passed: int = 0
    refused: int = 0
    windows: Counter[int] = attrs.Factory(Counter)


Latency = Callable[[random.Random], tuple[float, float]]


def quick(rand: random.Random) -> tuple[float, float]:
    """Seconds there and back, somewhat uneven."""
    return rand.uniform(0.01, 0.02), rand.uniform(0.01, 0.05)


@attrs.define
class Simulation:
    """Requests of one or more clients against one server, event by event."""

    throttle: Throttle
    latency: Latency
    rand: random.Random
    start: float = 1_000_000.0
    concurrency: int = 32
    loss: float = 0.0
    outage: tuple[float, float] = (math.inf, math.inf)
    """From when to when a gateway answers in the throttle's place, in seconds from the start."""
    foreign: tuple[float, ...] = ()
    """When others hit, in seconds from the start."""
    _order: Iterator[int] = attrs.Factory(itertools.count)
    _events: list[tuple[float, int, Callable[[float], None]]] = attrs.Factory(list)

    def run(self, *jobs: tuple[Window, int]) -> list[Outcome]:
        """Run every job to its end; each asserts on the way that it goes on."""
        outcomes = [Outcome(self.start) for _ in jobs]
        for (window, count), outcome in zip(jobs, outcomes, strict=True):
            self._at(self.start, partial(self._pump, window, count, outcome))
        for moment in self.foreign:
            self._at(self.start + moment, self._hit_by_others)
        while self._events:
            now, _, event = heapq.heappop(self._events)
            assert now < self.start + 40 * 60, "the job does not come to its end"
            event(now)
        for outcome in outcomes:
            outcome.seconds -= self.start
        return outcomes

    def _at(self, moment: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _hit_by_others(self, now: float) -> None:
        if not self.throttle.refuses(now):
            self.throttle.hit(now)

    def _pump(self, window: Window, count: int, outcome: Outcome, now: float) -> None:
        while outcome.passed + window.in_flight < count:
            if window.in_flight >= self.concurrency:
                return
            permitted = window.admit(now)
            if isinstance(permitted, Wait):
                assert permitted.until > now or window.in_flight, "a wait that is over at once"
                if math.isfinite(permitted.until):
                    self._at(permitted.until, partial(self._pump, window, count, outcome))
                return
            there, back = self.latency(self.rand)
            self._at(now + there, self._serve(window, count, outcome, permitted, back))

    def _serve(
        self, window: Window, count: int, outcome: Outcome, ticket: Ticket, back: float
    ) -> Callable[[float], None]:
        def serve(now: float) -> None:
            begins, ends = self.outage
            unseen = begins <= now - self.start < ends
            refused = not unseen and self.throttle.refuses(now)
            if not refused and not unseen:
                self.throttle.hit(now)
                outcome.windows[self.throttle.windows] += 1
            headers = (
                self.throttle.refused_headers(now) if refused else self.throttle.passed_headers(now)
            )
            read = RateLimitHeaders.parse(headers)
            lost = unseen or self.rand.random() < self.loss

            def receive(then: float) -> None:
                if lost:
                    window.lost(ticket, then, sent=True)
                elif refused:
                    outcome.refused += 1
                    window.refused(ticket, read, then, pause=1.0)
                else:
                    outcome.passed += 1
                    window.passed(ticket, read, then)
                outcome.seconds = then
                self._pump(window, count, outcome, then)

            self._at(now + back, receive)

        return serve


stores = st.sampled_from(["redis", "file"])
starts = st.floats(0, 1).map(lambda fraction: 1_000_000 + fraction)
seeds = st.integers(0, 2**32)


@given(store=stores, start=starts, seed=seeds, limit=st.integers(1, 60), windows=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_alone_and_told_right_nothing_is_ever_refused(
    store: Store, start: float, seed: int, limit: int, windows: int
) -> None:
    """No 429 at all, and a round trip a window above the least that the server allows."""
    simulation = Simulation(
        Throttle(limit, 60, store=store), quick, random.Random(seed), start=start
    )
    (outcome,) = simulation.run((told(limit), limit * windows))
    assert outcome.refused == 0
    assert outcome.seconds <= (windows - 1) * 60.2 + 0.2 * (1 + limit / 8)


@given(store=stores, start=starts, seed=seeds, limit=st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_told_nothing_the_period_is_learned_in_the_first_window(
    store: Store, start: float, seed: int, limit: int
) -> None:
    """One refusal teaches the period; one more where a second was lost in the dates."""
    simulation = Simulation(
        Throttle(limit, 60, store=store), quick, random.Random(seed), start=start
    )
    (outcome,) = simulation.run((told(None, None), limit * 4))
    assert outcome.refused <= 2
    assert outcome.seconds <= 3 * 62.2 + 0.2 * (1 + limit / 8)


@given(
    store=stores,
    start=starts,
    seed=seeds,
    others=st.lists(st.floats(0, 240), max_size=200).map(sorted),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_with_others_about_and_replies_lost_the_job_comes_to_its_end(
    store: Store, start: float, seed: int, others: list[float], loss: float
) -> None:
    """Progress always: whatever others take and the network loses."""
    simulation = Simulation(
        Throttle(50, 60, store=store),
        quick,
        random.Random(seed),
        start=start,
        foreign=tuple(others),
        loss=loss,
    )
    (outcome,) = simulation.run((told(50), 150))
    assert outcome.passed == 150


@given(
    store=stores, start=starts, seed=seeds, begins=st.floats(0.0, 1.0), lasts=st.floats(0.0, 40.0)
)
@settings(max_examples=60, deadline=None)
def test_an_outage_of_the_gateway_costs_the_rest_of_the_window_nothing(
    store: Store, start: float, seed: int, begins: float, lasts: float
) -> None:
    """What the throttle never saw is not held against the window: no 429, and no silence."""
    simulation = Simulation(
        Throttle(100, 60, store=store),
        quick,
        random.Random(seed),
        start=start,
        outage=(begins, begins + lasts),
    )
    (outcome,) = simulation.run((told(), 100))
    assert outcome.refused == 0
    assert outcome.seconds <= begins + lasts + LONGEST_ASK_PAUSE + 2


outages = st.tuples(st.floats(0.0, 200.0), st.floats(0.0, 60.0)).map(
    lambda outage: (outage[0], sum(outage))
)


@given(
    store=stores,
    seed=seeds,
    outage=outages,
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    limit=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_a_doubt_costs_one_refusal_at_most(
    store: Store, seed: int, outage: tuple[float, float], loss: float, limit: int
) -> None:
    """A refusal ends the doubt and the window with it: no more of them than windows."""
    rand = random.Random(seed)
    simulation = Simulation(Throttle(limit, 60, store=store), quick, rand, outage=outage, loss=loss)
    (outcome,) = simulation.run((told(limit), 3 * limit))
    assert outcome.passed == 3 * limit
    assert outcome.refused <= simulation.throttle.windows


@given(store=stores, start=starts, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_two_clients_share_a_window_by_the_headers_alone(
    store: Store, start: float, seed: int
) -> None:
    """Neither loses anything, and refusals stay under 5 % of the requests."""
    simulation = Simulation(Throttle(100, 60, store=store), quick, random.Random(seed), start=start)
    outcomes = simulation.run((told(), 300), (told(), 300))
    assert [outcome.passed for outcome in outcomes] == [300, 300]
    assert sum(outcome.refused for outcome in outcomes) <= 0.05 * 600
    assert max(outcome.seconds for outcome in outcomes) <= 1.1 * 300


@given(seed=seeds, slow=st.floats(0.5, 30))
@settings(max_examples=30, deadline=None)
def test_slow_replies_cost_no_refusals(seed: int, slow: float) -> None:
    """A window that turns while replies are long under way is still kept to."""

    def latency(rand: random.Random) -> tuple[float, float]:
        return 0.01, rand.choice([0.02, slow])

    simulation = Simulation(Throttle(100, 60), latency, random.Random(seed))
    (outcome,) = simulation.run((told(), 300))
    assert outcome.refused <= simulation.concurrency


headers = st.builds(
    RateLimitHeaders,
    limit=st.none() | st.integers(1, 10**9),
    remaining=st.none() | st.integers(-20, 120) | st.integers(0, 10**9),
    retry_after=st.none() | st.floats(0, 4e7),
    date=st.none() | st.sampled_from(DATES) | st.text(max_size=20),
)


@given(
    window=st.builds(
        Window,
        limit=st.none() | st.integers(1, 100),
        per=st.none() | st.floats(0.1, 3600),
    ),
    steps=st.lists(
        st.tuples(st.sampled_from(["ask", "pass", "refuse", "lose"]), headers, st.floats(0, 100)),
        max_size=60,
    ),
)
@settings(max_examples=200, deadline=None)
def test_no_header_brings_it_out_of_step(
    window: Window, steps: list[tuple[str, RateLimitHeaders, float]]
) -> None:
    """R3, R11: whatever the server says, counts stay counts and every wait can be waited for."""
    now, tickets = 0.0, list[Ticket]()
    for step, said, seconds in steps:
        now += seconds
        if step == "ask":
            permitted = window.admit(now)
            if isinstance(permitted, Ticket):
                tickets.append(permitted)
            else:
                assert permitted.until > now or window.in_flight > 0
                assert not math.isnan(permitted.until)
                assert math.isfinite(permitted.until) or window.in_flight > 0
        elif tickets:
            ticket = tickets.pop(0)
            if step == "pass":
                window.passed(ticket, said, now)
            elif step == "refuse":
                window.refused(ticket, said, now, pause=1.0)
            else:
                window.lost(ticket, now, sent=True)
        assert window.in_flight == len(tickets)
        assert not math.isnan(window.opens_at(now, 10))
