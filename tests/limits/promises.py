"""The promises of `Limiter`, as tests that each backend passes.

A backend's test module holds a subclass of `LimiterPromises` that makes its limiter.
"""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import pytest

from raydocs_async import ConfigurationError
from raydocs_async._headers import NotCounted, Passed, RateLimitHeaders, Refused, Unseen
from raydocs_async._limits import Limiter
from raydocs_async._limits._values import Lane, Ticket, Wait

ROUND_TRIP = 0.05
PASSED = Passed(RateLimitHeaders(limit=100, remaining=50))


def now() -> float:
    """Return the event loop's time, which is virtual."""
    return asyncio.get_running_loop().time()


def refused(retry_after: float | None = None) -> Refused:
    """Return a 429, with a Retry-After or without one."""
    return Refused(RateLimitHeaders(retry_after=retry_after))


async def granted(limiter: Limiter, lane: Lane = Lane.SINGLE) -> Ticket:
    """Wait for a ticket, for as long as it takes."""
    ticket = await limiter.acquire(lane, math.inf)
    assert isinstance(ticket, Ticket)
    return ticket


async def call(
    limiter: Limiter, lane: Lane = Lane.SINGLE, on_grant: Callable[[], object] = bool
) -> None:
    """Make a request that passes."""
    ticket = await granted(limiter, lane)
    on_grant()
    await asyncio.sleep(ROUND_TRIP)
    limiter.settle(ticket, PASSED)


async def shut(limiter: Limiter, seconds: float) -> Limiter:
    """Return the limiter after a 429 that asks for some seconds of silence."""
    limiter.settle(await granted(limiter), refused(seconds))
    return limiter


@pytest.mark.looptime
class LimiterPromises(ABC):
    """Tests of one backend, on virtual time."""

    @abstractmethod
    def make(self, max_wait: float) -> Limiter:
        """Return a new limiter, which lets no second request follow the first one at once."""

    async def test_a_ticket_is_of_the_moment_it_was_granted(self) -> None:
        """`sent_at` is the time of the grant, not of the call."""
        limiter = await shut(self.make(300), 10)
        ticket = await granted(limiter)
        assert ticket.sent_at == now() >= 10

    async def test_first_come_first_served(self) -> None:
        """Calls of a lane are admitted in the order in which they came."""
        limiter, order = await shut(self.make(300), 10), list[int]()
        calls = [call(limiter, on_grant=partial(order.append, number)) for number in range(9)]
        await asyncio.gather(*calls)
        assert order == list(range(9))

    async def test_single_calls_go_before_bulk_calls(self) -> None:
        """A bulk call waits for the single calls that came after it."""
        limiter, order = await shut(self.make(300), 10), list[Lane]()
        lanes = [Lane.BULK, Lane.BULK, Lane.SINGLE]
        await asyncio.gather(*(call(limiter, lane, partial(order.append, lane)) for lane in lanes))
        assert order == [Lane.SINGLE, Lane.BULK, Lane.BULK]

    @pytest.mark.parametrize("lane", Lane)
    async def test_a_deadline_that_cannot_be_met_is_answered_at_once(self, lane: Lane) -> None:
        """With 2 s left while the window is shut for 60, the answer is a `Wait`, without delay."""
        limiter = await shut(self.make(300), 60)
        before = now()
        answer = await limiter.acquire(lane, before + 2)
        assert isinstance(answer, Wait)
        assert answer.until >= before + 60
        assert now() == before

    async def test_a_wait_longer_than_max_wait_is_answered_at_once(self) -> None:
        """Nothing waits for a window that opens in an hour, even without a deadline."""
        limiter = await shut(self.make(300), 3600)
        before = now()
        assert isinstance(await limiter.acquire(Lane.SINGLE, math.inf), Wait)
        assert now() == before

    @pytest.mark.parametrize(("seconds", "timeout"), [(60, 5), (3600, math.inf)])
    async def test_a_waiter_is_released_when_its_wait_turns_out_too_long(
        self, seconds: float, timeout: float
    ) -> None:
        """A 429 to an earlier request answers the waiters whose deadline it makes impossible."""
        limiter = self.make(300)
        first = await granted(limiter)
        waiter = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + timeout))
        await asyncio.sleep(0)
        limiter.settle(first, refused(seconds))
        before = now()
        assert isinstance(await waiter, Wait)
        assert now() == before

    async def test_silence_after_a_429_without_retry_after(self) -> None:
        """`pause` is asked, with the number of consecutive refusals, how long to be silent."""
        limiter, refusals = self.make(300), list[int]()

        def pause(consecutive: int) -> float:
            refusals.append(consecutive)
            return 7.0

        for _ in range(3):
            before = now()
            limiter.settle(await granted(limiter), refused(), pause)
            assert now() - before >= 7 * (len(refusals) > 1)
        limiter.settle(await granted(limiter), PASSED)
        limiter.settle(await granted(limiter), refused(), pause)
        await asyncio.sleep(1)  # a limiter that asks a server has its answer by now
        assert refusals == [1, 2, 3, 1]

    async def test_a_cancelled_waiter_leaves_nothing(self) -> None:
        """Its place goes to the next waiter, and no ticket stays in flight."""
        limiter = await shut(self.make(300), 10)
        tasks = [asyncio.create_task(call(limiter)) for _ in range(3)]
        await asyncio.sleep(1)
        tasks[0].cancel()
        await asyncio.sleep(0)
        assert limiter.status(now()).waiting == 2
        await asyncio.wait(tasks)
        status = limiter.status(now())
        assert (status.waiting, status.in_flight) == (0, 0)
        assert [task.cancelled() for task in tasks] == [True, False, False]

    @pytest.mark.parametrize("ahead", [0.0, 1e-9], ids=["after", "before"])
    async def test_a_cancellation_at_the_moment_of_the_grant(self, ahead: float) -> None:
        """A waiter that is cancelled in the turn of the loop that serves it keeps no ticket."""
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        limiter = await shut(self.make(300), 10)
        known = await limiter.acquire(Lane.SINGLE, now())
        assert isinstance(known, Wait)
        waiter = asyncio.create_task(granted(limiter))
        await asyncio.sleep(0)
        loop.call_at(known.until - ahead, waiter.cancel)
        await asyncio.wait([waiter])
        assert waiter.cancelled()
        assert complaints == []
        assert limiter.status(now()).in_flight == 0
        await call(limiter)

    @pytest.mark.parametrize("observation", [PASSED, refused(1), Unseen(), NotCounted()])
    async def test_a_ticket_is_settled_once(
        self, observation: Passed | Refused | Unseen | NotCounted
    ) -> None:
        """Settling a ticket again changes nothing, whatever became of its request."""
        limiter = self.make(300)
        ticket = await granted(limiter)
        limiter.settle(ticket, observation)
        before = limiter.status(now())
        assert not limiter.settle(ticket, refused(60))
        assert limiter.status(now()) == before
        assert before.in_flight == 0

    async def test_another_event_loop_is_refused(self) -> None:
        """A limiter that an open event loop uses cannot be used in another one."""
        limiter = self.make(300)
        await granted(limiter)
        with pytest.raises(ConfigurationError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, granted(limiter))

    def test_the_next_event_loop_inherits_no_caller(self) -> None:
        """When its event loop is closed, a limiter forgets its waiters and tickets in flight."""
        limiter = self.make(300)
        left = granted(limiter)

        async def leave() -> None:
            await granted(limiter)
            left.send(None)  # a caller that its event loop's end will not cancel

        async def look() -> tuple[int, int]:
            await granted(limiter)
            status = limiter.status(now())
            return status.waiting, status.in_flight

        asyncio.run(leave())
        assert asyncio.run(look()) == (0, 1)
        left.close()
        asyncio.set_event_loop(None)

    def test_the_status_outside_of_an_event_loop(self) -> None:
        """`status` can be called from anywhere."""
        status = self.make(300).status(0.0)
        assert (status.waiting, status.in_flight) == (0, 0)
