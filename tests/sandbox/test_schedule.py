"""Progress of sessions."""

import math
from itertools import pairwise
from uuid import UUID

import pytest

from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._schedule import Schedule, Stage

NOW = 1_700_000_000.0
SESSION = session_id(0)


def schedule(finish_within: float | None) -> Schedule:
    """A schedule that starts at `NOW`."""
    started = Schedule(finish_within)
    started.start(NOW)
    return started


def test_finished_by_default() -> None:
    """Without a time to finish within, every session is finished, also before the start."""
    assert Schedule().stage(SESSION, 0.0) is Stage.FINISHED


@pytest.mark.parametrize(
    ("share", "stage"),
    [
        (0.0, Stage.WAITING),
        (0.09, Stage.WAITING),
        (0.11, Stage.PARSING),
        (0.49, Stage.PARSING),
        (0.51, Stage.EXTRACTING),
        (0.99, Stage.EXTRACTING),
        (1.0, Stage.FINISHED),
        (9.0, Stage.FINISHED),
    ],
)
def test_stages(share: float, stage: Stage) -> None:
    """A session waits for a tenth of its time, is parsed in the first half, then extracted."""
    started = schedule(1200)
    assert started.stage(SESSION, NOW + share * started.duration(SESSION)) is stage


def test_last_moment() -> None:
    """A session is finished at the very end of its time, and not before."""
    started = schedule(997.0)
    last = str(UUID(int=996))
    assert started.duration(last) == 997
    assert started.stage(last, NOW + 997) is Stage.FINISHED
    assert started.stage(last, NOW + 996.9) is Stage.EXTRACTING


def test_no_duration() -> None:
    """Without a time to finish within, sessions take no time."""
    assert Schedule().duration(SESSION) == 0


def test_not_started() -> None:
    """Before the start, nothing has happened."""
    assert Schedule(1.0).stage(SESSION, NOW) is Stage.WAITING


def test_started_once() -> None:
    """A second start does not begin anew."""
    started = schedule(1.0)
    started.start(NOW + 100)
    assert started.stage(SESSION, NOW + 1) is Stage.FINISHED


def test_durations() -> None:
    """The sessions finish at different times, spread over the whole time, and none after it."""
    durations = sorted(schedule(1000).duration(session_id(index)) for index in range(500))
    assert 0 < durations[0] < 20
    assert 980 < durations[-1] <= 1000
    assert max(later - earlier for earlier, later in pairwise(durations)) < 30


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
def test_bad_time(seconds: float) -> None:
    """The time to finish within is positive and finite."""
    with pytest.raises(ValueError, match="finish_within"):
        Schedule(seconds)
