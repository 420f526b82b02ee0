"""Cancelled and interrupted callers in the limiter's queue, which leave nothing behind.

Time is virtual; the server is the sandbox's throttle.
"""

import asyncio
import math
import random
from collections.abc import Callable

import pytest

from raydocs_async import RateLimiter
from raydocs_async._limits._values import Lane
from raydocs_async.sandbox import Throttle
from tests.support.loops import now
from tests.support.queues import ROUND_TRIP, acquire, exhausted, reply, request, settle, too_many

pytestmark = pytest.mark.looptime


async def test_a_thousand_waiters_of_whom_half_are_cancelled() -> None:
    """R14: the others finish in as many windows as they need, and no ticket is lost."""
    limiter, throttle, rand = RateLimiter(), Throttle(100), random.Random(5)
    tasks = [asyncio.create_task(request(limiter, throttle)) for _ in range(1000)]

    async def cancel(task: asyncio.Task[bool]) -> None:
        await asyncio.sleep(rand.choice([rand.uniform(0, 200), 1.5 * ROUND_TRIP]))
        task.cancel()

    cancels = [asyncio.create_task(cancel(task)) for task in rand.sample(tasks, 500)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*cancels)
    status = limiter.status(now())
    assert all(r is True or isinstance(r, asyncio.CancelledError) for r in results)
    assert results.count(True) >= 500
    assert (status.in_flight, status.waiting) == (0, 0)
    assert now() <= 11 * 61


async def test_a_permission_that_meets_a_cancellation_is_given_back() -> None:
    """R14: a ticket granted in the very turn of a cancellation goes to the next caller."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    unlucky = asyncio.create_task(acquire(limiter))
    after = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    settle(limiter, first, reply(99))
    unlucky.cancel()
    await asyncio.wait([after])
    assert unlucky.cancelled()
    assert limiter.status(now()).in_flight == 1


async def test_a_refusal_that_meets_a_cancellation_gives_nothing_back() -> None:
    """The cancellation of a caller that was refused frees no slot."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 5))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("50"))
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter.status(now()).in_flight == 0


async def test_a_cancelled_waiter_is_passed_over() -> None:
    """A caller that is cancelled just before its turn takes no ticket."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    cancelled = asyncio.create_task(acquire(limiter))
    after = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    cancelled.cancel()
    settle(limiter, first, reply(99))
    await after
    assert cancelled.cancelled()


async def test_a_cancelled_waiter_is_not_told_of_a_long_wait() -> None:
    """A caller that is cancelled and refused at the same time is cancelled."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    patient = asyncio.create_task(acquire(limiter))
    cancelled = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 5))
    await asyncio.sleep(0)
    cancelled.cancel()
    settle(limiter, probe, too_many("50"))
    await asyncio.wait([cancelled])
    assert cancelled.cancelled()
    patient.cancel()


async def test_no_timer_outlives_the_last_waiter() -> None:
    """R14: after the cancellation of the last waiting caller there is no timer."""
    limiter = await exhausted()
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter._timer is None


async def test_an_interrupted_waiter_gives_its_ticket_back() -> None:
    """Any exception in a waiting caller frees its place and its ticket."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    waiting = limiter.acquire(Lane.SINGLE, math.inf)
    waiting.send(None)
    settle(limiter, first, reply(99))
    with pytest.raises(KeyboardInterrupt):
        waiting.throw(KeyboardInterrupt)
    status = limiter.status(now())
    assert (status.in_flight, status.waiting) == (0, 0)


def interrupts(limiter: RateLimiter) -> Callable[[float], None]:
    """Return a turn of the queue that a signal ends after the first admission."""

    def serve(at: float) -> None:
        del limiter._serve
        waiter = next(iter(limiter._waiters[Lane.SINGLE].values()))
        limiter._admit(waiter.ticket, Lane.SINGLE, at)
        raise KeyboardInterrupt

    return serve


async def test_an_interrupted_turn_after_a_reply_is_done_again() -> None:
    """After an interrupted reply, the admitted caller alone gets its ticket."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    limiter._serve = interrupts(limiter)  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        settle(limiter, first, reply(99))
    await waiting
    assert (limiter.status(now()).in_flight, now()) == (1, 0)


async def test_an_interrupted_turn_of_the_timer_is_done_again() -> None:
    """After an interrupted timer, the admitted caller alone gets its ticket."""
    limiter = await exhausted()
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    limiter._serve = interrupts(limiter)  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        limiter._wake()
    await waiting
    assert now() == pytest.approx(60)


async def test_a_timer_that_fired_without_effect_is_set_anew() -> None:
    """If an interrupt ends the timer's callback before it begins, the next call wakes the queue."""
    limiter = await exhausted()
    waiting = [asyncio.create_task(acquire(limiter)) for _ in range(2)]
    await asyncio.sleep(1)
    assert limiter._timer is not None
    limiter._timer.cancel()
    await asyncio.sleep(100)
    last = asyncio.create_task(acquire(limiter))
    await asyncio.wait([*waiting, last])
    assert now() == pytest.approx(103)
