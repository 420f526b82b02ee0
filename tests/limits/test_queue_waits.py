"""Waits in the limiter's queue: deadlines, pauses, and the timer that ends them.

Time is virtual; the server is the sandbox's throttle.
"""

import asyncio
import math
from collections.abc import Callable

import pytest
import uvloop

from raydocs_async import RateLimit, RateLimiter
from raydocs_async._exchange import Response
from raydocs_async._limits._period import Interval
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async.sandbox import Throttle
from tests.support.loops import now
from tests.support.queues import ROUND_TRIP, acquire, exhausted, reply, request, settle, too_many

pytestmark = pytest.mark.looptime


async def test_a_known_wait_past_the_deadline_is_told_at_once() -> None:
    """A known wait past the deadline is returned at once."""
    limiter = await exhausted()
    wait = await limiter.acquire(Lane.SINGLE, now() + 2)
    assert isinstance(wait, Wait)
    assert wait.until == pytest.approx(60)
    assert now() == 0


async def test_a_place_in_the_queue_past_the_deadline_is_told_at_once() -> None:
    """A place in the queue that is served past the deadline is returned as a wait at once."""
    limiter = await exhausted(limit=3)
    queue = [asyncio.create_task(acquire(limiter)) for _ in range(3)]
    await asyncio.sleep(0)
    wait = await limiter.acquire(Lane.SINGLE, now() + 100)
    assert isinstance(wait, Wait)
    assert wait.until == pytest.approx(120)
    for task in queue:
        task.cancel()


async def bulk_in_flight() -> tuple[RateLimiter, list[Ticket]]:
    """Return a limiter with five reserved hits left, and the bulk calls whose replies are due."""
    limiter = RateLimiter(RateLimit(requests=20, reserve=5))
    settle(limiter, await acquire(limiter), reply(19, limit=20))
    await asyncio.sleep(0.1)
    tickets = [await acquire(limiter, Lane.BULK) for _ in range(14)]
    await asyncio.sleep(0.1)
    settle(limiter, tickets.pop(), reply(5, limit=20))
    return limiter, tickets


async def test_a_call_within_the_reserve_waits_for_replies_to_bulk_work() -> None:
    """The lowest count may include the bulk calls in flight, so the reserve may be free."""
    limiter, tickets = await bulk_in_flight()
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 1))
    await asyncio.sleep(0.1)
    for ticket in tickets:
        settle(limiter, ticket, reply(5, limit=20))
    assert isinstance(await waiting, Ticket)
    assert now() == pytest.approx(0.3)


async def test_a_call_that_waits_for_replies_in_vain_is_told_at_once() -> None:
    """When the replies say that no hit is left, callers with a near deadline are released."""
    limiter, tickets = await bulk_in_flight()
    bulk = asyncio.create_task(limiter.acquire(Lane.BULK, now() + 100))
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 1))
    await asyncio.sleep(0.1)
    for ticket in tickets:
        settle(limiter, ticket, reply(0, limit=20))
    assert isinstance(await waiting, Wait)
    assert now() == pytest.approx(0.3)
    assert isinstance(await bulk, Ticket)


async def test_waiters_are_told_when_the_window_turns_out_to_be_shut() -> None:
    """Queued callers are released as soon as a pause exceeds their deadline."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 10))
    patient = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 100))
    await asyncio.sleep(0.1)
    settle(limiter, probe, too_many("50"))
    assert isinstance(await waiting, Wait)
    assert now() == pytest.approx(0.1)
    assert isinstance(await patient, Ticket)


async def test_a_pause_longer_than_max_wait_is_refused() -> None:
    """R4: a pause longer than `max_wait` is refused, with or without a deadline."""
    limiter = RateLimiter(RateLimit(max_wait=300))
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, math.inf))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("86400"))
    assert isinstance(await waiting, Wait)
    assert isinstance(await limiter.acquire(Lane.SINGLE, math.inf), Wait)


async def test_max_wait_does_not_bound_the_queue() -> None:
    """`max_wait` does not bound the wait in the caller's own queue."""
    limiter, throttle = RateLimiter(RateLimit(requests=1, max_wait=61)), Throttle(1)
    assert all(await asyncio.gather(*(request(limiter, throttle) for _ in range(10))))


async def test_a_thousand_refusals_at_a_time_are_one_pause() -> None:
    """R7: a thousand refusals are one pause, then a probe, then the others after its reply."""
    limiter, sent = RateLimiter(None, max_in_flight=1000), list[float]()
    settle(limiter, await acquire(limiter), Response(200, {}, b""))

    async def call() -> None:
        ticket = await acquire(limiter)
        await asyncio.sleep(ROUND_TRIP)
        settle(limiter, ticket, too_many("5"))
        ticket = await acquire(limiter)
        sent.append(now())
        await asyncio.sleep(ROUND_TRIP)
        settle(limiter, ticket, Response(200, {}, b""))

    await asyncio.gather(*(call() for _ in range(1000)))
    assert min(sent) == pytest.approx(6 + ROUND_TRIP)
    assert sorted(sent)[1] == pytest.approx(6 + 2 * ROUND_TRIP)


async def test_an_earlier_moment_moves_the_timer() -> None:
    """A waiting caller is woken at the earliest known time, not at the one first set."""
    limiter = await exhausted(limit=3, per=60)
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    limiter._tracker.window.ends = Interval(9, 10)
    second = asyncio.create_task(acquire(limiter))
    await waiting
    assert now() == pytest.approx(10)
    second.cancel()


async def test_progress_against_a_server_that_only_refuses() -> None:
    """E5: ten minutes of 429s without a Retry-After meet one probe a pause."""
    limiter, probes = RateLimiter(), 0

    async def call() -> None:
        nonlocal probes
        while now() < 600:
            ticket = await acquire(limiter)
            probes += 1
            settle(limiter, ticket, too_many(), pause=lambda refusals: min(20, 2.0**refusals))

    await asyncio.gather(*(call() for _ in range(50)))
    assert probes <= 50 + 600 / 20 + 6


async def test_no_timer_outlives_those_who_were_told() -> None:
    """R4: without a waiting caller there is no timer for a window that is shut for a day."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, math.inf))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("86400"))
    assert isinstance(await waiting, Wait)
    assert limiter._timer is None


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_wait_that_is_over_when_its_timer_is_set(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """The queue goes on when time passes between its look and its timer, on every loop.

    uvloop calls what is due by a handle that does not know its time.
    """

    async def wait_twice() -> None:
        limiter = await exhausted()
        waiting = asyncio.create_task(acquire(limiter))
        await asyncio.sleep(0)
        for _ in range(2):
            limiter._wake_at(now() - 1, now() - 2)
        waiting.cancel()
        await asyncio.wait([waiting])

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(wait_twice())
