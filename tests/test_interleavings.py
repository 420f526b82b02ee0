"""Calls, replies, cancellations and the end in any order, on a virtual clock and without sockets.

hypothesis chooses the steps of the callers and of the server. After any sequence of steps, every
call has ended, and no task and no timer is left. There are two machines: `AnyCalls` tests a whole
client, and `AnyQueue` tests the rate limiter alone, against the sandbox's throttle.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

import looptime
import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from raydocs_async import (
    Failed,
    Fetched,
    RateLimit,
    RateLimiter,
    RaydocsClient,
    RaydocsError,
    RetryPolicy,
)
from raydocs_async._classify import observe
from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._values import Lane, Ticket
from raydocs_async._limits._window import ASK_AGAIN_AFTER
from raydocs_async.sandbox import Throttle
from tests.support.clients import OTHER_ID, TOKEN
from tests.support.wire import session_json

pytestmark = pytest.mark.timeout(360)  # hypothesis needs minutes to minimise a failure

T = TypeVar("T")

any_of_them = st.integers(0, 99)
"""Chooses one of the calls, or of the exchanges, in progress; used modulo their number."""
MOMENT = 0.001
"""Seconds that a step takes, so that no reply comes at the very time of its request."""
pauses = st.sampled_from([0.1, 1.0, 3.0, 20.0])
STEPS = settings(max_examples=40, stateful_step_count=40, deadline=None)


class OnVirtualTime(RuleBasedStateMachine):
    """Steps with tasks on a virtual event loop, which only runs during a step."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop(start=0.0, noop_cycles=1, idle_timeout=0.1)
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.tasks: list[asyncio.Task[Any]] = []
        self.cancelled = set[asyncio.Task[Any]]()

    def do(self, step: Callable[[], T], seconds: float = MOMENT) -> T:
        """Call `step` inside of the loop, let `seconds` pass, and run all tasks until they wait."""

        async def steps() -> T:
            done = step()
            await asyncio.sleep(seconds)
            for _ in range(20):
                await asyncio.sleep(0)
            return done

        return self.loop.run_until_complete(steps())

    def start(self, call: Coroutine[Any, Any, Any]) -> None:
        """Start a call in a task."""
        self.tasks.append(self.do(lambda: self.loop.create_task(call)))

    @property
    def waiting(self) -> list[asyncio.Task[Any]]:
        """The calls in progress."""
        return [task for task in self.tasks if not task.done()]

    @precondition(lambda self: self.waiting)
    @rule(which=any_of_them)
    def cancel(self, which: int) -> None:
        """Cancel a call."""
        task = self.waiting[which % len(self.waiting)]
        self.cancelled.add(task)
        self.do(task.cancel)
        assert task.done()

    def cancel_after(self, turns: int, which: int) -> None:
        """Cancel a call after so many turns of the loop, in the middle of other work."""
        if turns:
            self.loop.call_soon(self.cancel_after, turns - 1, which)
            return
        number = which % max(1, len(self.waiting))
        for task in self.waiting[number : number + 1]:  # empty if all calls have ended meanwhile
            self.cancelled.add(task)
            task.cancel()

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.do(lambda: None, seconds)

    def check_that_nothing_is_left(self) -> None:
        """Check that no call, task or timer is left, and that the loop has reported no error."""
        assert not self.waiting
        assert not asyncio.all_tasks(self.loop)
        assert all(timer.cancelled() for timer in self.loop._scheduled)  # type: ignore[attr-defined]
        assert not self.complaints

    def finish(self) -> None:
        """End all calls, and check that nothing is left; each machine has its own way."""

    def teardown(self) -> None:
        """Finish, and close the loop in every case."""
        try:
            self.finish()
        finally:
            self.loop.close()


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


TestAnyCalls = AnyCalls.TestCase
TestAnyCalls.settings = STEPS
TestAnyQueue = AnyQueue.TestCase
TestAnyQueue.settings = STEPS
