"""The limiter's queue: the order of its callers, its lanes, and its state.

Time is virtual; the server is the sandbox's throttle.
"""

import asyncio
import copy
import pickle
from collections.abc import Callable

import pytest

from raydocs_async import ConfigurationError, RateLimit, RateLimiter
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._values import Lane
from raydocs_async.sandbox import Throttle
from tests.limits.promises import LimiterPromises
from tests.support.loops import now
from tests.support.queues import ROUND_TRIP, acquire, exhausted, reply, request, settle

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("used", [False, True])
async def test_it_is_not_copied_or_pickled(
    attempt: Callable[[RateLimiter], object], *, used: bool
) -> None:
    """A limiter, used or not, refuses to be pickled or copied, and says why and what to do."""
    limiter = RateLimiter()
    if used:
        await acquire(limiter)
    with pytest.raises(TypeError, match="would count apart; build one in each process"):
        attempt(limiter)


class TestPromises(LimiterPromises):
    """The promises that each backend keeps."""

    def make(self, max_wait: float) -> RateLimiter:
        """Return a limiter with the defaults, which waits for the reply to the first request."""
        return RateLimiter(RateLimit(max_wait=max_wait))


async def test_a_job_takes_the_least_time_that_the_server_allows() -> None:
    """A thousand requests at a hundred a minute take ten windows, without a 429."""
    limiter, throttle = RateLimiter(), Throttle(100)
    await asyncio.gather(*(request(limiter, throttle) for _ in range(1000)))
    assert throttle.windows == 10
    assert now() <= 9 * (60 + 2 * ROUND_TRIP) + 6 * ROUND_TRIP


async def test_waiters_are_served_in_the_order_they_came() -> None:
    """R14: callers are served first come, first served, over any number of windows."""
    limiter, throttle, order = RateLimiter(RateLimit(requests=2)), Throttle(2), list[int]()

    async def call(number: int) -> None:
        await request(limiter, throttle)
        order.append(number)

    await asyncio.gather(*(call(number) for number in range(9)))
    assert order == list(range(9))


async def test_single_calls_go_before_bulk_work() -> None:
    """A single call is served before bulk work that came earlier."""
    limiter, order = await exhausted(), list[Lane]()

    async def call(lane: Lane) -> None:
        ticket = await acquire(limiter, lane)
        order.append(lane)
        settle(limiter, ticket, reply(2, limit=3))

    async with asyncio.TaskGroup() as tasks:
        for lane in (Lane.BULK, Lane.BULK, Lane.SINGLE):
            tasks.create_task(call(lane))
    assert order == [Lane.SINGLE, Lane.BULK, Lane.BULK]


async def test_a_bulk_call_waits_behind_single_calls_even_with_hits_left() -> None:
    """A new bulk call does not overtake a waiting single call."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    single = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    bulk = asyncio.create_task(acquire(limiter, Lane.BULK))
    await asyncio.sleep(0)
    settle(limiter, first, reply(99))
    await asyncio.sleep(0)
    assert (single.done(), bulk.done()) == (True, False)
    settle(limiter, await single, reply(98))
    await bulk


async def test_bulk_work_leaves_the_reserve() -> None:
    """With only the reserve left, bulk work waits for the next window; single calls do not."""
    limiter = await exhausted(limit=5, reserve=2)
    bulk = asyncio.create_task(acquire(limiter, Lane.BULK))
    await asyncio.sleep(1)
    await acquire(limiter)
    assert not bulk.done()
    bulk.cancel()


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    """E2: at most `max_in_flight` tickets are out."""
    limiter = RateLimiter(None, max_in_flight=2)
    settle(limiter, await acquire(limiter), Response(200, {}, b""))
    tickets = [await acquire(limiter), await acquire(limiter)]
    third = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    assert not third.done()
    settle(limiter, tickets[0], Response(200, {}, b""))
    await third


async def test_a_lost_request_frees_its_slot() -> None:
    """A failure without a reply lets the next request probe."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    after = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    settle(limiter, probe, Failure(FailureKind.CONNECT, "refused", sent=False))
    await after
    assert now() == 0


@pytest.mark.parametrize("status", [401, 500, 502, 504])
async def test_a_gateways_reply_to_the_probe_opens_nothing(status: int) -> None:
    """A probe whose reply does not come from the throttle is followed by another probe."""
    limiter = RateLimiter()
    settle(limiter, await acquire(limiter), Response(status, {}, b""))
    await acquire(limiter)
    second = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0.5)
    assert not second.done()
    second.cancel()


async def test_a_reserve_follows_the_servers_limit() -> None:
    """If the server's limit is a fifth of the configured one, a fifth of the reserve is kept."""
    limiter = RateLimiter(RateLimit(reserve=20))
    settle(limiter, await acquire(limiter), reply(19, limit=20))
    for _ in range(15):
        await acquire(limiter, Lane.BULK)
    waiting = asyncio.create_task(acquire(limiter, Lane.BULK))
    await asyncio.sleep(1)
    assert not waiting.done()
    waiting.cancel()


async def test_a_limiter_in_use_elsewhere_is_refused() -> None:
    """C12: a limiter in use in one event loop refuses another one."""
    limiter = RateLimiter()
    await acquire(limiter)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, acquire(limiter))


async def test_the_status_tells_what_is_known() -> None:
    """The status has the limit, the hits left, the reset, waiting calls and foreign hits."""
    limiter = await exhausted(limit=3)
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(10)
    status = limiter.status(now())
    assert (status.limit, status.remaining, status.waiting, status.foreign) == (3, 0, 1, 0)
    assert status.resets_in == pytest.approx(50)
    waiting.cancel()


async def test_the_status_admits_what_is_not_known() -> None:
    """Before the first reply the status has only the configuration."""
    status = RateLimiter(None).status(now())
    assert (status.limit, status.remaining, status.resets_in) == (None, None, None)


def test_a_limiter_goes_on_in_the_next_event_loop() -> None:
    """C11: the next event loop keeps the window, and drops the timers and tickets of the last."""
    limiter = RateLimiter(RateLimit(requests=1, per=0.03))

    async def leave_a_timer() -> None:
        settle(limiter, await acquire(limiter), reply(0, limit=1))
        limiter._wake_at(now() + 1000, now())

    async def go_on() -> None:
        await asyncio.wait_for(acquire(limiter), 5)

    asyncio.run(leave_a_timer())
    asyncio.run(go_on())
    asyncio.set_event_loop(None)


def test_the_repr_tells_the_state() -> None:
    """The ``repr`` shows the state, even outside of an event loop."""
    assert "limit=100" in repr(RateLimiter())


def test_no_requests_in_flight_at_all_are_refused() -> None:
    """C18: a limiter that could never admit a request is refused."""
    with pytest.raises(ConfigurationError):
        RateLimiter(max_in_flight=0)


async def test_a_ticket_is_settled_once() -> None:
    """Settling a ticket again, after an interrupt, neither frees a slot nor counts a hit."""
    limiter = RateLimiter()
    ticket = await acquire(limiter)
    settle(limiter, ticket, reply(99))
    limiter.settle(ticket, Unseen())
    status = limiter.status(now())
    assert (status.in_flight, status.remaining) == (0, 99)


async def test_bulk_work_goes_on_when_a_gateways_outage_is_over() -> None:
    """After a gateway's outage within a window, bulk work uses the hits left in it."""
    limiter, left = RateLimiter(), 100
    gateway, served = Response(502, {}, b""), 0
    while served < 100:
        ticket = await acquire(limiter, Lane.BULK)
        await asyncio.sleep(ROUND_TRIP)
        if served == 60 and now() < 10:
            settle(limiter, ticket, gateway)
            continue
        left, served = left - 1, served + 1
        settle(limiter, ticket, reply(left))
    assert now() < 25
