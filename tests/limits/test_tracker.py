"""Admission: which requests may go, when the others may, and what a reply changes for all."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async._headers import RateLimitHeaders, Refused
from raydocs_async._limits._tracker import SHARE, WindowTracker
from raydocs_async._limits._values import Ticket
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from raydocs_async.events import ForeignUse, Paused, WindowOpened
from tests.support.windows import (
    DATES,
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


def test_an_unknown_window_is_opened_by_one_request() -> None:
    """Before the first reply one request may go, and a second one has to wait."""
    tracker = configured()
    permit(tracker, 0.0)
    assert refusal(tracker, 0.0) == ASK_AGAIN_AFTER


def test_a_slow_probe_is_followed_by_another() -> None:
    """A probe without an answer does not hold up everybody for longer than its patience."""
    tracker = configured()
    permit(tracker, 0.0)
    permit(tracker, ASK_AGAIN_AFTER)
    assert refusal(tracker, ASK_AGAIN_AFTER) == 2 * ASK_AGAIN_AFTER


def test_the_probes_reply_lets_the_rest_go() -> None:
    """All that the reply says is left may be sent at once, and not one more."""
    tracker = opened()
    for _ in range(LIMIT - 1):
        permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_what_is_in_flight_is_not_given_twice() -> None:
    """A reply that tells of fewer hits left than there are in flight permits nothing."""
    tracker = opened(limit=3)
    first, _ = permit(tracker, 0.2), permit(tracker, 0.2)
    passes(tracker, first, says(1, limit=3), 0.3)
    assert tracker.free == 0


def test_replies_out_of_order_do_not_raise_the_budget() -> None:
    """The lowest Remaining of a window is the truth, whenever it arrives."""
    tracker = opened()
    early, late = permit(tracker, 0.2), permit(tracker, 0.2)
    passes(tracker, late, says(97), 0.3)
    passes(tracker, early, says(98), 0.4)
    assert tracker.window.left == 97


def test_no_reserve_is_the_default() -> None:
    """Who says nothing of a reserve gets the last hit."""
    assert opened(limit=2).admit(Ticket(), 0.2) is None


def test_a_reserve_is_left_to_others() -> None:
    """With a reserve the last hits of a window are not permitted, and without it they are."""
    tracker = opened(limit=7)
    permit(tracker, 0.2, reserve=5)
    refusal(tracker, 0.2, reserve=5)
    permit(tracker, 0.2)


def test_a_reserve_is_not_kept_while_the_windows_end_is_out_of_sight() -> None:
    """Nobody waits for ever on a reserve when it is not known when the window ends."""
    tracker = configured(per=None)
    passes(tracker, permit(tracker, 0.0), says(5), 0.1)
    permit(tracker, 0.2, reserve=5)


def test_a_reserve_is_kept_while_the_windows_end_is_in_sight() -> None:
    """A hit that is left to others is not spent on asking when the window ends."""
    assert refusal(opened(remaining=1), 0.2, reserve=1) == pytest.approx(60.1)


# -- others on the address -----------------------------------------------------------------------


def test_hits_of_others_are_counted() -> None:
    """What Remaining lacks beyond our own hits is foreign use."""
    assert opened(remaining=LIMIT - 1 - 30).window.foreign == 30


def test_own_hits_are_not_foreign() -> None:
    """Our own requests in flight do not look like somebody else's."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(20)]
    passes(tracker, tickets[0], says(LIMIT - 21), 0.3)
    assert tracker.window.foreign == 0


def test_with_others_about_a_share_of_what_is_left_is_in_flight() -> None:
    """The less is left, the fewer requests of ours are on the wire at a time."""
    tracker = opened(remaining=40)
    for _ in range(40 // SHARE):
        permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_with_others_about_one_request_may_always_be_in_flight() -> None:
    """Caution does not stop us."""
    permit(opened(remaining=1), 0.2)


def test_without_a_limit_there_is_no_share_to_keep_to() -> None:
    """A single 429 of a server that tells no limit does not make the rest go one at a time."""
    tracker = configured(None, None)
    passes(tracker, permit(tracker, 0.0), says(limit=None), 0.1)
    refuses(tracker, permit(tracker, 0.2), says(limit=None, retry_after=0), 0.3, pause=1)
    passes(tracker, permit(tracker, 2.0), says(limit=None), 2.1)
    for _ in range(100):
        permit(tracker, 2.2)


def test_caution_outlasts_the_window_by_one() -> None:
    """Others who were there in the last window are expected in this one."""
    tracker = opened(remaining=40)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // SHARE):
        permit(tracker, 60.4)
    assert refusal(tracker, 60.4) == pytest.approx(120.3)


def test_an_unexpected_refusal_is_foreign_use() -> None:
    """A 429 while hits should have been left was somebody else's doing."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 1


def test_a_refusal_that_was_asked_for_is_not_foreign_use() -> None:
    """The request that asks for the window's end is expected to be refused."""
    tracker = configured(per=None)
    passes(tracker, permit(tracker, 0.0), says(0, limit=1), 0.1)
    refuses(tracker, permit(tracker, 0.2), says(0, limit=1, retry_after=2), 0.3, pause=5)
    assert tracker.window.foreign == 0


def test_the_last_hit_being_refused_is_foreign_use() -> None:
    """Also where one hit alone should have been left."""
    tracker = opened(limit=2)
    refuses(tracker, permit(tracker, 1.0), says(0, limit=2, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 1


def test_foreign_use_that_shows_in_a_refusal_adds_up() -> None:
    """What was known of before is not forgotten."""
    tracker = opened(remaining=LIMIT - 1 - 30)
    refuses(tracker, permit(tracker, 1.0), says(0, retry_after=59), 1.1, pause=5)
    assert tracker.window.foreign == 31


def test_lost_hits_are_not_shared_with_others() -> None:
    """The share that may be in flight is one of what is left after what was lost."""
    tracker = opened(remaining=40)
    for _ in range(8):
        loses(tracker, permit(tracker, 0.2), 0.3, sent=True)
    for _ in range((40 - 8) // SHARE):
        permit(tracker, 0.4)
    assert refusal(tracker, 0.4) == pytest.approx(60.1)


def test_a_single_hit_of_others_makes_cautious() -> None:
    """Where there is one, there may be more."""
    tracker = opened(remaining=LIMIT - 2)
    for _ in range((LIMIT - 2) // SHARE):
        permit(tracker, 0.2)
    refusal(tracker, 0.2)


def test_a_single_hit_of_others_makes_cautious_in_the_next_window() -> None:
    """Where there was one, there may be more."""
    tracker = opened(remaining=LIMIT - 2)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    for _ in range((LIMIT - 1) // SHARE):
        permit(tracker, 60.4)
    refusal(tracker, 60.4)


def test_caution_ends_when_nobody_else_has_been_there_for_a_window() -> None:
    """After a window of our own, everything may be in flight again."""
    tracker = opened(remaining=40)
    passes(tracker, permit(tracker, 60.2), says(LIMIT - 1), 60.3)
    passes(tracker, permit(tracker, 120.4), says(LIMIT - 1), 120.5)
    for _ in range(LIMIT - 1):
        permit(tracker, 120.6)


def test_own_hits_in_a_window_that_others_opened_are_not_foreign() -> None:
    """The reply that shows it, and what is in flight then, are ours."""
    tracker = opened(remaining=60)
    permit(tracker, 1.9)
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.window.foreign == 3


# -- known waits ---------------------------------------------------------------------------------


def test_an_open_window_opens_now() -> None:
    """Whoever finds hits left does not wait."""
    assert opened().opens_at(1.0, ahead=98) == 1.0


def test_an_unknown_window_may_open_now() -> None:
    """Nobody is told to wait by guess."""
    assert configured().opens_at(0.0, ahead=1000) == 0.0


@pytest.mark.parametrize(("ahead", "expected"), [(0, 60.1), (99, 60.1), (100, 120.1), (250, 180.1)])
def test_a_queue_takes_a_window_for_each_limit(ahead: int, expected: float) -> None:
    """The place in the queue tells the window in which it is served."""
    tracker = opened()
    tickets = [permit(tracker, 0.2) for _ in range(LIMIT - 1)]
    assert len(tickets) == LIMIT - 1
    assert tracker.opens_at(1.0, ahead) == pytest.approx(expected)


def test_a_shut_window_opens_when_it_is_no_longer_shut() -> None:
    """R4: a long pause is known from the refusal on."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(0, retry_after=86_400), 0.1, pause=1)
    assert tracker.opens_at(1.0) == pytest.approx(86_401.1)


def test_nobody_else_waiting_is_the_default() -> None:
    """The last hit of a window may go at once when there is no queue."""
    assert opened(limit=2).opens_at(1.0) == 1.0


def test_what_is_left_is_not_waited_for() -> None:
    """Of a queue that is longer than what is left, those served from it wait for no window."""
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 2) == pytest.approx(60.1)
    assert opened().opens_at(1.0, ahead=2 * LIMIT - 1) == pytest.approx(120.1)


def test_a_pause_is_waited_for() -> None:
    """R2: a 429 that does not say for how long shuts the window for the pause, not for longer."""
    tracker = configured(None, None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.1, pause=5)
    assert tracker.opens_at(1.0, ahead=3) == pytest.approx(5.1)


def test_without_a_period_nobody_is_told_to_wait_for_further_windows() -> None:
    """How long those last is not known, and so a pause is all that is waited for."""
    tracker = configured(per=None)
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.opens_at(1.0, ahead=250) == 5.5


def test_after_a_pause_the_window_may_open_now() -> None:
    """When the pause is over nothing is known, and so nobody is told to wait."""
    tracker = configured()
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.opens_at(5.5, ahead=250) == 5.5


def test_after_a_pause_in_a_window_whose_end_is_known_it_may_open_now() -> None:
    """How much is left is not known, and so nobody is told to wait for the end."""
    tracker = opened()
    refuses(tracker, permit(tracker, 1.0), says(), 1.1, pause=5)
    assert tracker.opens_at(7.0) == 7.0


def test_a_used_up_window_whose_end_is_not_known_may_open_now() -> None:
    """One request may ask when it ends, and so nobody is told to wait."""
    assert opened(remaining=0).opens_at(1.0) == 1.0


def test_in_a_pause_what_was_left_does_not_count() -> None:
    """A late reply that tells of hits left does not shorten the queue behind the pause."""
    tracker = opened()
    late, refused = permit(tracker, 1.0), permit(tracker, 1.0)
    refuses(tracker, refused, says(), 1.1, pause=5)
    passes(tracker, late, says(97), 1.2)
    assert tracker.opens_at(1.3, ahead=LIMIT) == pytest.approx(66.1)


# -- news ----------------------------------------------------------------------------------------


def test_a_pause_is_news_once() -> None:
    """The refusal that shuts the window tells for how long; the same view again tells nothing."""
    tracker = configured()
    before = tracker.snapshot
    refuses(tracker, permit(tracker, 0.0), says(), 0.5, pause=5)
    assert tracker.events_since(before, 1.0) == [Paused(seconds=4.5)]
    assert tracker.events_since(tracker.snapshot, 1.0) == []


def test_a_pause_that_is_over_is_no_news() -> None:
    """At its end it holds up nobody, and what is left is not known."""
    tracker = opened()
    before = tracker.snapshot
    refuses(tracker, permit(tracker, 1.0), says(), 1.5, pause=5)
    assert tracker.events_since(before, 6.5) == []


def test_a_shorter_pause_is_no_news() -> None:
    """A refusal that ends within the pause that is known changes nothing."""
    tracker = configured()
    first, second = permit(tracker, 0.0), permit(tracker, ASK_AGAIN_AFTER)
    refuses(tracker, first, says(), 1.5, pause=5)
    before = tracker.snapshot
    refuses(tracker, second, says(), 1.5, pause=2)
    assert tracker.events_since(before, 1.5) == []


def test_the_first_reply_of_a_window_is_news() -> None:
    """It tells the limit and what is left; the next one, with less left, tells nothing."""
    tracker = configured()
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.0), says(99), 0.1)
    assert tracker.events_since(before, 0.1) == [WindowOpened(limit=100, remaining=99)]
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.2), says(98), 0.3)
    assert tracker.events_since(before, 0.3) == []


def test_as_many_hits_as_before_are_no_news() -> None:
    """A reply that tells what was known changes nothing."""
    tracker = opened()
    assert tracker.events_since(tracker.snapshot, 0.2) == []


def test_more_hits_than_before_are_news() -> None:
    """They can only be a new window's."""
    tracker = opened(remaining=3)
    before = tracker.snapshot
    passes(tracker, permit(tracker, 2.0), says(95), 2.1)
    assert tracker.events_since(before, 2.1) == [WindowOpened(limit=100, remaining=95)]


def test_a_window_without_a_limit_tells_no_number() -> None:
    """There is none to tell."""
    tracker = configured(None, None)
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.0), RateLimitHeaders(), 0.1)
    assert tracker.events_since(before, 0.1) == [WindowOpened(limit=None, remaining=None)]


def test_hits_of_others_are_news() -> None:
    """How many there are in all, whenever a reply tells of more."""
    tracker = opened()
    before = tracker.snapshot
    passes(tracker, permit(tracker, 0.2), says(90), 0.3)
    assert tracker.events_since(before, 0.3) == [ForeignUse(hits=8)]


# -- any header --------------------------------------------------------------------------------

headers = st.builds(
    RateLimitHeaders,
    limit=st.none() | st.integers(1, 10**9),
    remaining=st.none() | st.integers(-20, 120) | st.integers(0, 10**9),
    retry_after=st.none() | st.floats(0, 4e7),
    date=st.none() | st.sampled_from(DATES) | st.text(max_size=20),
)


@given(
    tracker=st.builds(
        configured,
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
    tracker: WindowTracker, steps: list[tuple[str, RateLimitHeaders, float]]
) -> None:
    """R3, R11: whatever the server says, counts stay counts and every wait can be waited for."""
    now, tickets = 0.0, list[Ticket]()
    for step, said, seconds in steps:
        now += seconds
        if step == "ask":
            ticket = Ticket()
            wait = tracker.admit(ticket, now)
            if wait is None:
                tickets.append(ticket)
            else:
                assert wait.until > now or tracker.in_flight
                assert not math.isnan(wait.until)
                assert math.isfinite(wait.until) or tracker.in_flight
        elif tickets:
            ticket = tickets.pop(0)
            if step == "pass":
                passes(tracker, ticket, said, now)
            elif step == "refuse":
                refuses(tracker, ticket, said, now, pause=1.0)
            else:
                loses(tracker, ticket, now, sent=True)
        assert tracker.in_flight == set(tickets)
        assert not math.isnan(tracker.opens_at(now, 10))


def test_a_pause_follows_from_the_number_of_refusals() -> None:
    """R2: the caller decides how long to pause, by the consecutive refusals so far."""
    tracker = configured()
    tracker.settle(
        permit(tracker, 0.0), Refused(says(limit=None)), 1.0, lambda refusals: 7.0 * refusals
    )
    assert refusal(tracker, 1.0) == 8.0
    tracker.settle(
        permit(tracker, 8.0), Refused(says(limit=None)), 9.0, lambda refusals: 7.0 * refusals
    )
    assert refusal(tracker, 9.0) == 23.0
