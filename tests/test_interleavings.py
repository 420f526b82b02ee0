"""Calls, replies, cancellations and the end of a client in any order, without sockets.

hypothesis chooses the steps of the callers and of the server.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from raydocs_async import Failed, Fetched, RateLimit, RaydocsClient, RaydocsError, RetryPolicy
from raydocs_async._exchange import Failure, FailureKind, Request, Response
from tests.support.clients import OTHER_ID, TOKEN
from tests.support.interleavings import STEPS, OnVirtualTime, any_of_them
from tests.support.replies import session_json

pytestmark = pytest.mark.timeout(360)  # hypothesis needs minutes to minimise a failure


@define(eq=False)
class Exchange:
    """A request in flight, and the future of its reply."""

    request: Request
    answer: asyncio.Future[Response | Failure] = field(repr=False)


class Transport:
    """A stand-in for the transport: a step of the test ends each exchange, with a chosen reply."""

    def __init__(self) -> None:
        self.open: list[Exchange] = []
        self.closed = False

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Wait until a step of the test ends the exchange."""
        assert not self.closed
        exchange = Exchange(request, asyncio.get_running_loop().create_future())
        self.open.append(exchange)
        try:
            return await exchange.answer
        finally:
            self.open.remove(exchange)

    async def close(self) -> None:
        """Check that no exchange is in flight."""
        assert not self.open
        self.closed = True


def status(code: int, **headers: str) -> Callable[[str], Response]:
    """Return a maker of replies with this status and these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: Response(code, named, b"{}")


def tells(remaining: int) -> Callable[[str], Response]:
    """Return a maker of replies with the session and rate-limit headers."""
    headers = {"X-RateLimit-Limit": "3", "X-RateLimit-Remaining": str(remaining)}
    return lambda asked: Response(200, headers, session_json(asked))


def fails(kind: FailureKind, *, sent: bool = True) -> Callable[[str], Failure]:
    """Return a maker of failures."""
    return lambda asked: Failure(kind, "so it is", sent)


def good(asked: str) -> Response:
    """Return a reply with the session, without rate-limit headers."""
    return Response(200, {}, session_json(asked))


# Makers of replies; each takes the requested id.
ANSWERS = {
    "good": good,
    **{f"good, {left} left": tells(left) for left in range(3)},
    "another's": lambda asked: Response(200, {}, session_json(OTHER_ID)),
    "torn": lambda asked: Response(200, {}, session_json(asked)[:-9]),
    "no session": lambda asked: Response(200, {}, b"[]"),
    **{f"{code}": status(code) for code in (302, 401, 404, 429, 500)},
    "429 for 4 s": status(429, Retry_After="4"),
    "429 for a day": status(429, Retry_After="86400"),
    "503 for 4 s": status(503, Retry_After="4"),
    "not sent": fails(FailureKind.CONNECT, sent=False),
    "lost": fails(FailureKind.DISCONNECT),
    "too large": fails(FailureKind.TOO_LARGE),
}


class AnyCalls(OnVirtualTime):
    """A client with any calls, and any replies to them."""

    @initialize(
        limit=st.sampled_from([None, RateLimit(requests=3, per=10)]), breaks_off=st.booleans()
    )
    def open(self, limit: RateLimit | None, breaks_off: bool) -> None:
        """Build the client; if it `breaks_off`, it is closed at the end with calls in flight."""
        self.rounds_left = 0 if breaks_off else 200
        self.transport = Transport()
        self.client = RaydocsClient(
            TOKEN,
            transport=self.transport,
            rate_limit=limit,
            retry=RetryPolicy(attempts=3),
            timeout=None,
            max_connections=2,
        )
        self.numbers = 0

    def next_id(self) -> UUID:
        """Return an id that was not requested before."""
        self.numbers += 1
        return UUID(int=self.numbers)

    @rule(timeout=st.sampled_from([None, 2.0]))
    def get(self, timeout: float | None) -> None:
        """Start a single call."""
        self.start(self._get(self.next_id(), timeout))

    async def _get(self, asked: UUID, timeout: float | None) -> None:
        assert (await self.client.get_session(asked, timeout=timeout)).id == asked

    @rule(count=st.integers(1, 4), ordered=st.booleans(), left_after=st.integers(1, 4))
    def stream(self, count: int, ordered: bool, left_after: int) -> None:
        """Start a stream, which its consumer leaves after some outcomes."""
        ids = [self.next_id() for _ in range(count)]
        self.start(self._stream(ids, ordered, left_after))

    async def _stream(self, ids: list[UUID], ordered: bool, left_after: int) -> None:
        seen = list[UUID]()
        async with self.client.stream_sessions(ids, concurrency=2, ordered=ordered) as stream:
            async for outcome in stream:
                assert isinstance(outcome, Fetched | Failed)
                seen.append(UUID(str(outcome.id)))
                if len(seen) == left_after:
                    break
        assert len(seen) == len(set(seen)) == min(left_after, len(ids))
        # A closed client ends the stream: its outcomes are handed over, and the order has gaps.
        assert not ordered or seen == [each for each in ids if each in seen]

    @precondition(lambda self: self.transport.open)
    @rule(which=any_of_them, answer=st.sampled_from(sorted(ANSWERS)))
    def answer(self, which: int, answer: str) -> None:
        """End an exchange, with or without a reply."""
        self.do(lambda: self.settle(which, answer))

    @precondition(lambda self: self.transport.open)
    @rule(
        which=any_of_them,
        answer=st.sampled_from(sorted(ANSWERS)),
        whom=any_of_them,
        turns=st.integers(0, 5),
    )
    def answer_and_cancel(self, which: int, answer: str, whom: int, turns: int) -> None:
        """End an exchange, and cancel a call, perhaps the same one, just after that."""

        def step() -> None:
            self.settle(which, answer)
            self.cancel_after(turns, whom)

        self.do(step)

    def settle(self, which: int, answer: str) -> None:
        """End an exchange as chosen."""
        exchange = self.transport.open[which % len(self.transport.open)]
        reply: Any = ANSWERS[answer](str(exchange.request.id))
        exchange.answer.set_result(reply)

    @rule()
    def count(self) -> None:
        """Check that there is one ticket for each request in flight, at any time."""
        known = self.do(lambda: self.client.rate_limit_status)
        assert known.in_flight == len(self.transport.open)

    def close(self) -> None:
        """Close the client, and check that every call ends at once."""
        began = self.loop.time()
        self.loop.run_until_complete(self.client.close())
        assert self.loop.time() == began
        self.do(lambda: None)
        assert self.transport.closed
        assert not self.waiting

    def finish(self) -> None:
        """Answer all calls, close the client, and check that errors are the documented ones."""
        while self.waiting and self.rounds_left:
            self.rounds_left -= 1
            for exchange in self.transport.open:
                exchange.answer.set_result(good(str(exchange.request.id)))
            self.wait(5.0)
            assert self.rounds_left or not self.waiting
        self.count()
        self.close()
        self.check_that_nothing_is_left()
        for task in self.tasks:
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, RaydocsError), repr(error)
            assert not task.cancelled() or task in self.cancelled


TestAnyCalls = AnyCalls.TestCase
TestAnyCalls.settings = STEPS
