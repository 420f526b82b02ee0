"""Deadlines: many deadlines on one timer, with the manners of `asyncio.timeout`."""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Any

import pytest

from raydocs_async._deadlines import CancelScope, Deadlines
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


@contextlib.contextmanager
def timers() -> Iterator[list[float]]:
    """The times for which timers are set meanwhile."""
    loop, set_for = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def spy(when: float, callback: Any) -> asyncio.TimerHandle:
        set_for.append(when)
        return call_at(when, callback)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "call_at", spy)
        yield set_for


async def sleep_until_ended(deadlines: Deadlines, seconds: float) -> float:
    """Sleep for a day in a scope; when it ended."""
    with pytest.raises(TimeoutError), deadlines.until(now() + seconds):
        await asyncio.sleep(86_400)
    return now()


async def test_a_scope_ends_by_its_deadline() -> None:
    """A scope ends at its deadline with TimeoutError."""
    assert await sleep_until_ended(Deadlines(), 5) == pytest.approx(5)


async def test_many_scopes_end_each_by_its_own_deadline() -> None:
    """One timer serves deadlines that come in any order."""
    deadlines = Deadlines()
    ended = await asyncio.gather(*(sleep_until_ended(deadlines, s) for s in (3, 1, 2, 1)))
    assert ended == pytest.approx([3, 1, 2, 1])


async def test_what_is_done_in_time_is_left_alone() -> None:
    """A scope that is over does not end anything later."""
    deadlines = Deadlines()
    with deadlines.until(now() + 1):
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    assert len(deadlines) == 0


async def test_what_has_arrived_wins_over_the_deadline() -> None:
    """C10: a result that is there when a blocked loop goes on is not thrown away."""
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    def a_few_turns_later(turns: int) -> None:
        loop.call_soon(a_few_turns_later, turns - 1) if turns else arrived.set_result("reply")

    with Deadlines().until(now() + 1):
        loop.call_at(now() + 1, a_few_turns_later, 10)
        assert await arrived == "reply"


async def test_a_lost_timer_is_set_again() -> None:
    """C9: when an interrupt has cost the timer, the next scope brings it back for all."""
    deadlines = Deadlines()

    async def call() -> None:
        with deadlines.until(now() + 1):
            timer: Any = deadlines._timer
            timer.cancel()
            await asyncio.sleep(5)
            with deadlines.until(now() + 3600):
                await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await call()
    assert now() == 5
    deadlines.cancel_all()


async def test_a_scope_whose_task_is_over_does_not_count() -> None:
    """C9: a scope that an interrupt left open is over when its task is."""
    deadlines = Deadlines()
    task = asyncio.create_task(_enter(deadlines.until(now() + 1)))
    await asyncio.wait([task])
    assert len(deadlines) == 0
    await asyncio.sleep(2)
    assert deadlines._running == set()


async def _enter(scope: CancelScope) -> None:
    """Open a scope and go, as when an interrupt comes at the end of its block."""
    scope.__enter__()


async def test_a_scope_without_an_end_needs_no_timer() -> None:
    """An infinite deadline is none."""
    with timers() as set_for, Deadlines().until(math.inf):
        pass
    assert set_for == []


async def test_one_timer_is_set_to_the_earliest_deadline() -> None:
    """A timer is set when a deadline is earlier than all that came before, and only then."""
    deadlines, start = Deadlines(), now()
    with timers() as set_for:
        for seconds in (3, 5, 2, 2, math.inf):
            deadlines.until(start + seconds).__enter__()
    deadlines.cancel_all()
    assert set_for == [start + 3, start + 2]
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(1)


async def test_a_scope_is_not_cancelled_before_it_begins() -> None:
    """A scope is not cancelled before it begins, even if its deadline has passed."""
    assert Deadlines().until(now() - 1).cancelled is False


async def test_a_timer_that_fires_a_little_early_counts() -> None:
    """A timer that fires within the clock's resolution before its deadline is not set again."""
    deadlines, start = Deadlines(), now()

    async def call() -> None:
        with deadlines.until(start + 1):
            deadlines._on_timer(0)
            await asyncio.sleep(0.5)

    with pytest.raises(TimeoutError):
        await call()
    assert now() == start


async def test_cancelling_all_leaves_no_timer() -> None:
    """A client that is closed leaves nothing in the event loop, not until its last deadline."""
    deadlines = Deadlines()
    with deadlines.until(now() + 3600):
        pass
    deadlines.cancel_all()
    loop: Any = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


async def test_cancelling_all_ends_all_scopes() -> None:
    """All open scopes end, with or without a deadline."""
    deadlines = Deadlines()
    tasks = [asyncio.create_task(sleep_until_ended(deadlines, s)) for s in (10, math.inf)]
    await asyncio.sleep(1)
    deadlines.cancel_all()
    assert await asyncio.gather(*tasks) == pytest.approx([1, 1])


async def test_cancelling_all_twice_cancels_once() -> None:
    """A scope takes back the one cancellation it made; a second one would stay."""
    deadlines = Deadlines()
    task = asyncio.create_task(sleep_until_ended(deadlines, math.inf))
    await asyncio.sleep(1)
    deadlines.cancel_all()
    deadlines.cancel_all()
    await task
    assert task.cancelling() == 0


async def test_a_nested_scope_that_ends_with_the_outer_one_leaves_it_the_word() -> None:
    """When both end at once, it is the outer one that reports."""
    deadlines = Deadlines()
    outer, inner = deadlines.until(now() + 1), deadlines.until(now() + 1)
    with pytest.raises(TimeoutError), outer, inner:
        await asyncio.sleep(5)
    assert outer.cancelled
    assert inner.cancelled


async def test_it_is_known_who_is_inside() -> None:
    """A task that is in a scope is told from one that is not."""
    deadlines = Deadlines()
    outside = deadlines.cover_current_task
    with deadlines.until(math.inf):
        assert deadlines.cover_current_task
    assert not outside


async def test_an_inner_scope_ends_alone() -> None:
    """The outer block goes on after its inner one has timed out."""
    deadlines = Deadlines()
    with deadlines.until(now() + 10) as outer:
        await sleep_until_ended(deadlines, 1)
        await asyncio.sleep(1)
    assert not outer.cancelled


async def test_a_cancellation_by_the_caller_goes_through() -> None:
    """C9: who cancels the task gets CancelledError, not TimeoutError."""
    task = asyncio.create_task(sleep_until_ended(Deadlines(), 10))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_together_with_the_end_goes_through() -> None:
    """C9: the caller's cancellation is not lost when the deadline comes in the same instant."""
    deadlines = Deadlines()
    task = asyncio.create_task(sleep_until_ended(deadlines, 10))
    await asyncio.sleep(1)
    deadlines.cancel_all()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_callers_own_timeout_is_its_own() -> None:
    """C10: `asyncio.timeout` around a scope ends it, and says so itself."""
    own, scope = asyncio.timeout(1), Deadlines().until(now() + 10)

    async def call() -> None:
        async with own:
            with scope:
                await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        await call()
    assert own.expired()
    assert not scope.cancelled


async def test_another_exception_is_not_replaced() -> None:
    """An exception of the body is raised, even if the scope was cancelled."""

    async def call() -> None:
        with Deadlines().until(now() + 1):
            try:
                await asyncio.sleep(5)
            finally:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await call()


async def test_a_body_that_finishes_although_told_to_end_is_done() -> None:
    """Nothing is raised in the place of a result that is there."""
    deadlines = Deadlines()
    with deadlines.until(now() + 1) as scope, contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(5)
    assert scope.cancelled
