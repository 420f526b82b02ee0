"""A signal at any line of the limiter, in a program that goes on.

It raises `KeyboardInterrupt`; or it cancels the main task, as `asyncio.run` does at Ctrl-C, in the
signal's handler and so between any two lines, too.

Its tracer takes the place of the one that measures coverage, so this module is not measured.
"""

import asyncio
import math
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import looptime
import pytest

from raydocs_async import RateLimit, RateLimiter, _limits
from raydocs_async._classify import observe
from raydocs_async._exchange import Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async.sandbox import Throttle
from tests.support.loops import now

ROUND_TRIP = 0.05
LIMITS = str(Path(_limits.__file__).parent)


class InterruptedCallers:
    """Callers of a limiter, in a thread where a signal interrupts one line of the limiter.

    The event loop is run on after the interrupt, and makes another call, as a program does that
    handles it. Tracing a thread of its own leaves the tracer alone that measures coverage.
    """

    def __init__(self, line: int, victim: int | None = None) -> None:
        self.lines_left = line
        self.victim = victim
        """The caller that the signal cancels; ``None`` for a `KeyboardInterrupt`."""
        self.limiter = RateLimiter(RateLimit(requests=2, per=10.0), max_in_flight=1)
        self.throttle = Throttle(2, 10.0)
        self.served = self.interrupted = 0
        self.complaints: list[dict[str, Any]] = []
        thread = threading.Thread(target=self._run)
        thread.start()
        thread.join()

    def _run(self) -> None:
        loop = looptime.new_event_loop(start=0.0)
        loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.callers = callers = [loop.create_task(self._call()) for _ in range(3)]
        sys.settrace(self._trace)
        while unfinished := [caller for caller in callers if not caller.done()]:
            assert loop.time() < 100, "a caller is waiting for ever"
            try:
                loop.run_until_complete(asyncio.wait(unfinished, timeout=101))
            except KeyboardInterrupt:
                self.interrupted += 1
                callers.append(loop.create_task(self._call()))
        sys.settrace(None)
        self.failures = [None if each.cancelled() else each.exception() for each in callers]
        self.status = self.limiter.status(loop.time())
        loop.close()

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        if not frame.f_code.co_filename.startswith(LIMITS):
            return None
        if event == "line":
            self.lines_left -= 1
            if self.lines_left == 0:
                if self.victim is None:
                    raise KeyboardInterrupt
                self.callers[self.victim].cancel()
        return self._trace

    def _serve(self) -> Response:
        if self.throttle.refuses(now()):
            return Response(429, self.throttle.refused_headers(now()), b"")
        self.throttle.hit(now())
        return Response(200, self.throttle.passed_headers(now()), b"")

    async def _call(self) -> None:
        ticket: Ticket | Wait | None = None
        try:
            response = Response(429, {}, b"")
            while response.status == 429:
                ticket = await self.limiter.acquire(Lane.BULK, math.inf)
                assert isinstance(ticket, Ticket)
                response = self._serve()
                await asyncio.sleep(ROUND_TRIP)
                self.limiter.settle(ticket, observe(response))
            self.served += 1
        except BaseException:
            if isinstance(ticket, Ticket):
                self.limiter.settle(ticket, Unseen())
            raise


def test_an_interrupt_at_any_line_leaves_nothing_behind() -> None:
    """After a signal there is no ticket in flight that nobody has, and the others are served."""
    line = 1
    while (callers := InterruptedCallers(line)).lines_left <= 0:
        assert callers.interrupted == 1
        status = callers.status
        assert (status.in_flight, status.waiting) == (0, 0), f"interrupted at line {line}"
        assert callers.served >= 3
        line += 1
    assert (callers.served, callers.failures) == (3, [None] * 3)
    assert line > 100


@pytest.mark.parametrize("victim", range(3))
def test_a_cancellation_at_any_line_leaves_nothing_behind(victim: int) -> None:
    """A call that is cancelled while the queue is about to answer it does no other call harm."""
    line = 1
    while (callers := InterruptedCallers(line, victim)).lines_left <= 0:
        status = callers.status
        assert (status.in_flight, status.waiting) == (0, 0), f"cancelled at line {line}"
        assert callers.served >= 2, f"cancelled at line {line}"
        assert (callers.failures, callers.complaints) == ([None] * 3, []), f"at line {line}"
        line += 1
    assert line > 100
