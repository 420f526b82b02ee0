"""The times of polls: sooner after a change, and never more than the window allows."""

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import RateLimitStatus, Session
from raydocs_async._polling import (
    LONGEST_INTERVAL,
    PollSchedule,
    finished_share,
    opens_in,
    share_of_window,
)
from raydocs_async.testing import build_session

UNKNOWN = RateLimitStatus(
    limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
)
KNOWN = attrs.evolve(UNKNOWN, limit=100, per=60.0, remaining=7, resets_in=40.0)
SESSION_ID = "770e8400-e29b-41d4-a716-446655440000"


def session(documents: str = "parsing", results: str = "pending", **changes: Any) -> Session:
    """A session whose parts have these statuses."""
    built = build_session(SESSION_ID, status="processing")
    return attrs.evolve(
        built,
        documents=tuple(attrs.evolve(each, status=documents) for each in built.documents),
        results=tuple(attrs.evolve(each, status=results) for each in built.results),
        **changes,
    )


def pauses(schedule: PollSchedule, *polls: Session | None, share: float = 0.0) -> list[float]:
    """The pauses after polls, without a deadline."""
    return [schedule.next_pause(each, after=0.0, share=share, left=math.inf) for each in polls]


def test_polls_become_rarer() -> None:
    """The interval grows by half, up to the longest."""
    found = pauses(PollSchedule(2.0), *[session()] * 20)
    assert found[:4] == [2.0, 3.0, 4.5, 6.75]
    assert found[-1] == LONGEST_INTERVAL


def test_a_change_is_followed_closely() -> None:
    """After a change the interval begins anew."""
    before, after = session(), session(documents="ready")
    assert pauses(PollSchedule(2.0), before, before, before, after)[-1] == 2.0


def test_a_session_that_is_nearly_finished() -> None:
    """The more of it is finished, the slower the interval grows."""
    near = session(documents="ready", results="completed")
    assert pauses(PollSchedule(2.0), near, near, near) == [2.0, 2.5, 3.125]


@pytest.mark.parametrize(
    ("documents", "results", "share"),
    [
        ("parsing", "pending", 0.0),
        ("ready", "pending", 0.6),
        ("processed", "processing", 0.6),
        ("failed", "failed", 1.0),
        ("ready", "completed", 1.0),
        ("new", "newer", 0.0),
    ],
)
def test_the_finished_share(documents: str, results: str, share: float) -> None:
    """Documents and results count alike, three and two of them here."""
    assert finished_share(session(documents, results)) == share
    assert finished_share(attrs.evolve(session(), documents=(), results=())) == 0.0


def test_polls_that_fail() -> None:
    """After failures polls become rarer, too, until a poll succeeds."""
    schedule = PollSchedule(2.0)
    assert pauses(schedule, None, None, None) == [2.0, 3.0, 4.5]
    assert pauses(schedule, session(), None) == [2.0, 2.0]
    assert pauses(schedule, *[None] * 500)[-1] == LONGEST_INTERVAL


def test_a_retry_after_is_heeded() -> None:
    """After a failed poll, the next one waits for the end of Retry-After."""
    assert PollSchedule(2.0).next_pause(None, after=90.0, share=0.0, left=math.inf) == 90.0


@pytest.mark.parametrize(
    ("left", "after", "share", "pause"),
    [
        (22.0, 0.0, 0.0, 20.0),
        (21.9, 0.0, 0.0, 19.9),
        (21.9, 20.0, 0.0, 20.0),
        (21.9, 0.0, 20.0, 20.0),
        (20.0, 20.0, 0.0, 20.0),
        (19.0, 20.0, 0.0, 19.0),
        (12.0, 0.0, 0.0, 10.0),
        (11.9, 0.0, 0.0, 11.9),
    ],
)
def test_the_last_poll(left: float, after: float, share: float, pause: float) -> None:
    """The last poll comes 2 s before the deadline, or later if a rule does not allow that."""
    schedule = PollSchedule(10.0)
    assert pauses(schedule, *[session("ready", "completed")] * 20)[-1] == LONGEST_INTERVAL
    schedule._next = 20.0
    same = session("ready", "completed")
    assert schedule.next_pause(same, after=after, share=share, left=left) == pytest.approx(pause)


@pytest.mark.parametrize("interval", [40.0, 600.0])
def test_a_long_interval_of_the_callers(interval: float) -> None:
    """An interval past the longest is kept as it is."""
    assert pauses(PollSchedule(interval), session(), session(), None) == [interval] * 3


def test_the_share_of_the_window() -> None:
    """With many sessions each waits for its share; without a known limit there is none."""
    assert share_of_window(50, KNOWN) == 30.0
    assert share_of_window(50, attrs.evolve(KNOWN, limit=1)) == 3000.0
    assert share_of_window(50, attrs.evolve(KNOWN, limit=None)) == 0.0
    assert share_of_window(50, attrs.evolve(KNOWN, per=None)) == 0.0
    assert share_of_window(50, attrs.evolve(KNOWN, limit=0)) == 0.0
    assert pauses(PollSchedule(2.0), session(), None, share=12.0) == [12.0, 12.0]


@pytest.mark.parametrize(
    ("remaining", "resets_in", "seconds"), [(0, 40.0, 40.0), (1, 40.0, 0.0), (0, None, 0.0)]
)
def test_a_window_that_is_used_up(remaining: int, resets_in: float | None, seconds: float) -> None:
    """A used-up window opens when it resets; otherwise a request may pass now."""
    status = attrs.evolve(KNOWN, remaining=remaining, resets_in=resets_in)
    assert opens_in(status) == seconds


POLLS = st.sampled_from([None, session(), session("ready"), session("ready", "completed")])


@given(
    st.floats(0.1, 100),
    st.lists(st.tuples(POLLS, st.floats(0, 50), st.floats(0, 50)), max_size=50),
)
def test_no_pause_is_too_short(
    interval: float, polls: list[tuple[Session | None, float, float]]
) -> None:
    """No pause is below the interval, the share or Retry-After, nor above all of them."""
    schedule = PollSchedule(interval)
    for found, after, share in polls:
        pause = schedule.next_pause(found, after=after, share=share, left=math.inf)
        assert max(interval, after, share) <= pause
        assert pause <= max(interval, after, share, LONGEST_INTERVAL)
