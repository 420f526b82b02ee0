"""The limiter's queue: order, lanes, deadlines, and nothing left behind by a cancellation.

Time is virtual; the server is a model of it (`serve`) with the framework's throttle.
"""

import asyncio
import copy
import math
import pickle
import random
from collections.abc import Callable

import pytest

from raydocs_async import ConfigurationError, RateLimit, RateLimiter
from raydocs_async._classify import observe
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._period import Interval
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async.sandbox import Throttle
from tests.limits.promises import LimiterPromises
from tests.support.windows import pausing

pytestmark = pytest.mark.looptime

ROUND_TRIP = 0.05
ONE_SECOND = pausing(1)


def now() -> float:
    """The event loop's time, which is virtual here."""
    return asyncio.get_running_loop().time()


def reply(remaining: int, *, limit: int = 100) -> Response:
    """A reply that passed."""
    return Response(
        200, {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}, b""
    )


def too_many(retry_after: str | None = None) -> Response:
    """A 429."""
    return Response(429, {} if retry_after is None else {"Retry-After": retry_after}, b"")


def settle(
    limiter: RateLimiter,
    ticket: Ticket,
    outcome: Response | Failure,
    pause: Callable[[int], float] = ONE_SECOND,
) -> None:
    """Give the ticket back with what came of its request."""
    limiter.settle(ticket, observe(outcome), pause)


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


async def acquire(
    limiter: RateLimiter, lane: Lane = Lane.SINGLE, *, timeout: float = math.inf
) -> Ticket:
    """A permission that is waited for."""
    ticket = await limiter.acquire(lane, now() + timeout)
    assert isinstance(ticket, Ticket)
    return ticket


async def request(limiter: RateLimiter, throttle: Throttle) -> bool:
    """One call, which the server must not refuse."""
    ticket = await acquire(limiter)
    assert not throttle.refuses(now())
    throttle.hit(now())
    headers = throttle.passed_headers(now())
    try:
        await asyncio.sleep(ROUND_TRIP)
    except asyncio.CancelledError:
        limiter.settle(ticket, Unseen())
        raise
    settle(limiter, ticket, Response(200, headers, b""))
    return True


async def exhausted(*, limit: int = 3, per: float = 60.0, reserve: int = 0) -> RateLimiter:
    """A limiter whose window has just been used up."""
    limiter = RateLimiter(RateLimit(requests=limit, per=per, reserve=reserve))
    settle(limiter, await acquire(limiter), reply(limit - 1, limit=limit))
    for left in range(limit - 2, reserve - 1, -1):
        settle(limiter, await acquire(limiter), reply(left, limit=limit))
    return limiter


class TestPromises(LimiterPromises):
    """The promises that each backend keeps."""

    def make(self, max_wait: float) -> RateLimiter:
        """Return a limiter with the defaults, which waits for the reply to the first request."""
        return RateLimiter(RateLimit(max_wait=max_wait))


async def test_a_job_takes_the_least_time_that_the_server_allows() -> None:
    """A thousand requests at a hundred a minute: no 429, a round trip a window over the floor."""
    limiter, throttle = RateLimiter(), Throttle(100)
    await asyncio.gather(*(request(limiter, throttle) for _ in range(1000)))
    assert throttle.windows == 10
    assert now() <= 9 * (60 + 2 * ROUND_TRIP) + 6 * ROUND_TRIP


async def test_waiters_are_served_in_the_order_they_came() -> None:
    """R14: first come, first served, over any number of windows."""
    limiter, throttle, order = RateLimiter(RateLimit(requests=2)), Throttle(2), list[int]()

    async def call(number: int) -> None:
        await request(limiter, throttle)
        order.append(number)

    await asyncio.gather(*(call(number) for number in range(9)))
    assert order == list(range(9))


async def test_single_calls_go_before_bulk_work() -> None:
    """A call that comes later, but in the first lane, is served first."""
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
    """A new bulk call does not overtake a single one that waits for its turn."""
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
    """With only the reserve left, bulk waits for the next window and a single call does not."""
    limiter = await exhausted(limit=5, reserve=2)
    bulk = asyncio.create_task(acquire(limiter, Lane.BULK))
    await asyncio.sleep(1)
    await acquire(limiter)
    assert not bulk.done()
    bulk.cancel()


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    """E2: the number of connections bounds the number of permissions."""
    limiter = RateLimiter(None, max_in_flight=2)
    settle(limiter, await acquire(limiter), Response(200, {}, b""))
    tickets = [await acquire(limiter), await acquire(limiter)]
    third = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    assert not third.done()
    settle(limiter, tickets[0], Response(200, {}, b""))
    await third


async def test_a_known_wait_past_the_deadline_is_told_at_once() -> None:
    """A call with 2 s, while the window is shut for 60, gets its answer now."""
    limiter = await exhausted()
    wait = await limiter.acquire(Lane.SINGLE, now() + 2)
    assert isinstance(wait, Wait)
    assert wait.until == pytest.approx(60)
    assert now() == 0


async def test_a_place_in_the_queue_past_the_deadline_is_told_at_once() -> None:
    """Who stands behind more calls than a window takes knows that it is the window after."""
    limiter = await exhausted(limit=3)
    queue = [asyncio.create_task(acquire(limiter)) for _ in range(3)]
    await asyncio.sleep(0)
    wait = await limiter.acquire(Lane.SINGLE, now() + 100)
    assert isinstance(wait, Wait)
    assert wait.until == pytest.approx(120)
    for task in queue:
        task.cancel()


async def test_waiters_are_told_when_the_window_turns_out_to_be_shut() -> None:
    """Those who queued while nothing was known are released as soon as it is hopeless."""
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
    """R4: nobody waits for a day, with or without a deadline."""
    limiter = RateLimiter(RateLimit(max_wait=300))
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, math.inf))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("86400"))
    assert isinstance(await waiting, Wait)
    assert isinstance(await limiter.acquire(Lane.SINGLE, math.inf), Wait)


async def test_max_wait_does_not_bound_the_queue() -> None:
    """A long queue is the caller's own wish; without a deadline it is waited for."""
    limiter, throttle = RateLimiter(RateLimit(requests=1, max_wait=61)), Throttle(1)
    assert all(await asyncio.gather(*(request(limiter, throttle) for _ in range(10))))


async def test_a_thousand_refusals_at_a_time_are_one_pause() -> None:
    """R7: one shared pause, then a probe, and the herd only after its reply."""
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


async def test_a_thousand_waiters_of_whom_half_are_cancelled() -> None:
    """R14: the rest finish, in as many windows as they need, and no permission is lost."""
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
    """R14: cancelled in the very turn of the loop that granted it, a slot goes to the next."""
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
    """A waiter that was told of a long wait had no slot, so its cancellation frees none."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 5))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("50"))
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter.status(now()).in_flight == 0


async def test_a_cancelled_waiter_is_passed_over() -> None:
    """A waiter cancelled just before its turn takes no permission."""
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
    """Being cancelled and being released at the same time is only a cancellation."""
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


async def test_a_lost_request_frees_its_slot() -> None:
    """A failure without a reply lets the next one probe."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    after = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0)
    settle(limiter, probe, Failure(FailureKind.CONNECT, "refused", sent=False))
    await after
    assert now() == 0


async def test_an_earlier_moment_moves_the_timer() -> None:
    """Whoever waits is woken at the earliest moment that is known, not at the first one set."""
    limiter = await exhausted(limit=3, per=60)
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    limiter._tracker.window.ends = Interval(9, 10)
    second = asyncio.create_task(acquire(limiter))
    await waiting
    assert now() == pytest.approx(10)
    second.cancel()


async def test_progress_against_a_server_that_only_refuses() -> None:
    """E5: ten minutes of 429s without a word are met with one probe a pause."""
    limiter, probes = RateLimiter(), 0

    async def call() -> None:
        nonlocal probes
        while now() < 600:
            ticket = await acquire(limiter)
            probes += 1
            settle(limiter, ticket, too_many(), pause=lambda refusals: min(20, 2.0**refusals))

    await asyncio.gather(*(call() for _ in range(50)))
    assert probes <= 50 + 600 / 20 + 6


@pytest.mark.parametrize("status", [401, 500, 502, 504])
async def test_a_gateways_reply_to_the_probe_opens_nothing(status: int) -> None:
    """A reply that comes from before the limit, or from without it, is followed by a probe."""
    limiter = RateLimiter()
    settle(limiter, await acquire(limiter), Response(status, {}, b""))
    await acquire(limiter)
    second = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(0.5)
    assert not second.done()
    second.cancel()


async def test_a_reserve_follows_the_servers_limit() -> None:
    """Of a limit of 20, where 100 were configured, a fifth of the reserve is kept: bulk goes on."""
    limiter = RateLimiter(RateLimit(reserve=20))
    settle(limiter, await acquire(limiter), reply(19, limit=20))
    for _ in range(15):
        await acquire(limiter, Lane.BULK)
    waiting = asyncio.create_task(acquire(limiter, Lane.BULK))
    await asyncio.sleep(1)
    assert not waiting.done()
    waiting.cancel()


async def test_no_timer_outlives_the_last_waiter() -> None:
    """R14: when the last waiter is cancelled nothing is left that would wake anybody."""
    limiter = await exhausted()
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert limiter._timer is None


async def test_no_timer_outlives_those_who_were_told() -> None:
    """R4: when nobody waits for a window that is shut for a day, no timer does."""
    limiter = RateLimiter()
    probe = await acquire(limiter)
    waiting = asyncio.create_task(limiter.acquire(Lane.SINGLE, math.inf))
    await asyncio.sleep(0)
    settle(limiter, probe, too_many("86400"))
    assert isinstance(await waiting, Wait)
    assert limiter._timer is None


async def test_a_limiter_in_use_elsewhere_is_refused() -> None:
    """C12: one event loop at a time."""
    limiter = RateLimiter()
    await acquire(limiter)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, acquire(limiter))


async def test_the_status_tells_what_is_known() -> None:
    """Limit, what is left, when it resets, who waits, who else is there."""
    limiter = await exhausted(limit=3)
    waiting = asyncio.create_task(acquire(limiter))
    await asyncio.sleep(10)
    status = limiter.status(now())
    assert (status.limit, status.remaining, status.waiting, status.foreign) == (3, 0, 1, 0)
    assert status.resets_in == pytest.approx(50)
    waiting.cancel()


async def test_the_status_admits_what_is_not_known() -> None:
    """Before the first reply nothing is known but what was configured."""
    status = RateLimiter(None).status(now())
    assert (status.limit, status.remaining, status.resets_in) == (None, None, None)


def test_a_limiter_goes_on_in_the_next_event_loop() -> None:
    """C11: what is known of the window stays; what an ended loop left behind is dropped."""
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
    """What is known can be read off the object, also outside of an event loop."""
    assert "limit=100" in repr(RateLimiter())


def test_no_requests_in_flight_at_all_are_refused() -> None:
    """C18: a limiter that could never let anything through is not built."""
    with pytest.raises(ConfigurationError):
        RateLimiter(max_in_flight=0)


async def test_a_ticket_is_settled_once() -> None:
    """Settled again after an interrupt, it neither frees a second slot nor counts a second hit."""
    limiter = RateLimiter()
    ticket = await acquire(limiter)
    settle(limiter, ticket, reply(99))
    limiter.settle(ticket, Unseen())
    status = limiter.status(now())
    assert (status.in_flight, status.remaining) == (0, 99)


async def test_an_interrupted_waiter_gives_its_ticket_back() -> None:
    """An exception of any kind that reaches a waiter leaves neither its place nor its ticket."""
    limiter = RateLimiter(max_in_flight=1)
    first = await acquire(limiter)
    waiting = limiter.acquire(Lane.SINGLE, math.inf)
    waiting.send(None)
    settle(limiter, first, reply(99))
    with pytest.raises(KeyboardInterrupt):
        waiting.throw(KeyboardInterrupt)
    status = limiter.status(now())
    assert (status.in_flight, status.waiting) == (0, 0)


async def test_bulk_work_goes_on_when_a_gateways_outage_is_over() -> None:
    """60 sessions, then a gateway's 45 times 502: the 40 hits left are used in this window."""
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


def interrupts(limiter: RateLimiter) -> Callable[[float], None]:
    """A turn of the queue that a signal ends when the first waiter has been admitted."""

    def serve(at: float) -> None:
        del limiter._serve
        waiter = next(iter(limiter._waiters[Lane.SINGLE].values()))
        limiter._admit(waiter.ticket, Lane.SINGLE, at)
        raise KeyboardInterrupt

    return serve


async def test_an_interrupted_turn_after_a_reply_is_done_again() -> None:
    """The waiter that was admitted gets its ticket, and no other one."""
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
    """The waiter that was admitted gets its ticket, and no other one."""
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
