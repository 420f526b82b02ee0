"""Requests, replies and cancellations in any order, on the rate limiter alone.

hypothesis chooses the steps of the callers; the server is the sandbox's throttle.
"""

import asyncio
import math
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from raydocs_async import RateLimit, RateLimiter
from raydocs_async._classify import observe
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._values import Lane, Ticket
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from raydocs_async.sandbox import Throttle
from tests.support.interleavings import STEPS, OnVirtualTime, any_of_them

pytestmark = pytest.mark.timeout(360)  # hypothesis needs minutes to minimise a failure


class AnyQueue(OnVirtualTime):
    """The rate limiter as the server's only client; replies come within a second, or get lost."""

    @initialize(
        limit=st.integers(1, 5),
        store=st.sampled_from(["redis", "file"]),
        max_in_flight=st.sampled_from([1, 2, 32]),
    )
    def open(self, limit: int, store: Any, max_in_flight: int) -> None:
        """Build the limiter and the server's throttle."""
        self.limiter = RateLimiter(RateLimit(requests=limit, per=10), max_in_flight=max_in_flight)
        self.throttle = Throttle(limit, 10.0, store=store)
        self.replies: list[asyncio.Event] = []
        self.refused = self.lost = self.served = 0

    @rule(lane=st.sampled_from(Lane), loses=st.sampled_from([False, False, True]))
    def request(self, lane: Lane, loses: bool) -> None:
        """Start a request, whose reply may get lost."""
        self.start(self._request(lane, loses))

    async def _request(self, lane: Lane, loses: bool) -> None:
        ticket = await self.limiter.acquire(lane, math.inf)
        assert isinstance(ticket, Ticket)
        reply = asyncio.Event()
        self.replies.append(reply)
        response = self._serve()
        try:
            async with asyncio.timeout(0.9 * ASK_AGAIN_AFTER):
                await reply.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            self.lost += 1
            self.limiter.settle(ticket, Unseen())
            raise
        finally:
            self.replies.remove(reply)
        self.lost += loses
        outcome = Failure(FailureKind.DISCONNECT, "so it is") if loses else response
        self.limiter.settle(ticket, observe(outcome))
        self.served += 1

    def _serve(self) -> Response:
        now = self.loop.time()
        if self.throttle.refuses(now):
            self.refused += 1
            return Response(429, self.throttle.refused_headers(now), b"")
        self.throttle.hit(now)
        return Response(200, self.throttle.passed_headers(now), b"")

    @precondition(lambda self: self.replies)
    @rule(which=any_of_them)
    def reply(self, which: int) -> None:
        """Deliver one of the replies, in any order."""
        self.do(self.replies[which % len(self.replies)].set)

    @precondition(lambda self: self.replies)
    @rule(which=any_of_them, whom=any_of_them, turns=st.integers(0, 5))
    def reply_and_cancel(self, which: int, whom: int, turns: int) -> None:
        """Deliver a reply, and cancel a call, perhaps the next in the queue, during that."""

        def step() -> None:
            self.replies[which % len(self.replies)].set()
            self.cancel_after(turns, whom)

        self.do(step)

    @rule()
    def count(self) -> None:
        """Check the counts: each call is in flight or queued, and only lost replies cause 429s."""
        known = self.do(lambda: self.limiter.status(self.loop.time()))
        assert known.in_flight == len(self.replies)
        assert known.in_flight + known.waiting == len(self.waiting)
        assert self.refused <= self.lost

    def finish(self) -> None:
        """Let as many windows pass as the calls need, and check that all of them are served."""
        assert self.throttle.limit is not None
        windows = len(self.waiting) / self.throttle.limit + self.lost + 2
        self.wait(windows * (10 + 2 * ASK_AGAIN_AFTER))
        self.count()
        assert self.served + len(self.cancelled) == len(self.tasks)
        self.check_that_nothing_is_left()


TestAnyQueue = AnyQueue.TestCase
TestAnyQueue.settings = STEPS
