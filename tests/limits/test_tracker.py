"""Admission: the requests that may go now, and the headers of any server."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async._headers import RateLimitHeaders, Refused
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket
from raydocs_async._limits._window import ASK_AGAIN_AFTER
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
    """Before the first reply one request may go, and a second one must wait."""
    tracker = configured()
    permit(tracker, 0.0)
    assert refusal(tracker, 0.0) == ASK_AGAIN_AFTER


def test_a_slow_probe_is_followed_by_another() -> None:
    """A probe without a reply delays the next one by `ASK_AGAIN_AFTER`, not longer."""
    tracker = configured()
    permit(tracker, 0.0)
    permit(tracker, ASK_AGAIN_AFTER)
    assert refusal(tracker, ASK_AGAIN_AFTER) == 2 * ASK_AGAIN_AFTER


def test_the_probes_reply_lets_the_rest_go() -> None:
    """After the probe's reply, as many requests as its `Remaining` may go at once."""
    tracker = opened()
    for _ in range(LIMIT - 1):
        permit(tracker, 0.2)
    assert refusal(tracker, 0.2) == pytest.approx(60.1)


def test_what_is_in_flight_is_not_given_twice() -> None:
    """A `Remaining` below the number of requests in flight permits nothing."""
    tracker = opened(limit=3)
    first, _ = permit(tracker, 0.2), permit(tracker, 0.2)
    passes(tracker, first, says(1, limit=3), 0.3)
    assert tracker.free == 0


def test_replies_out_of_order_do_not_raise_the_budget() -> None:
    """The lowest `Remaining` of a window counts, in whatever order the replies come."""
    tracker = opened()
    early, late = permit(tracker, 0.2), permit(tracker, 0.2)
    passes(tracker, late, says(97), 0.3)
    passes(tracker, early, says(98), 0.4)
    assert tracker.window.left == 97


def test_no_reserve_is_the_default() -> None:
    """Without a reserve, the last hit may be spent."""
    assert opened(limit=2).admit(Ticket(), 0.2) is None


def test_a_reserve_is_left_to_others() -> None:
    """A caller with a reserve leaves the last hits of a window to a caller without one."""
    tracker = opened(limit=7)
    permit(tracker, 0.2, reserve=5)
    refusal(tracker, 0.2, reserve=5)
    permit(tracker, 0.2)


def test_a_reserve_is_not_kept_while_the_windows_end_is_out_of_sight() -> None:
    """Without a known end of the window the reserve is spent, or a wait might never end."""
    tracker = configured(per=None)
    passes(tracker, permit(tracker, 0.0), says(5), 0.1)
    permit(tracker, 0.2, reserve=5)


def test_a_reserve_is_kept_while_the_windows_end_is_in_sight() -> None:
    """With a known end of the window, a hit of the reserve is not spent on asking for it."""
    assert refusal(opened(remaining=1), 0.2, reserve=1) == pytest.approx(60.1)


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
    """R3, R11: with any headers, counts stay counts and every wait is a number."""
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
