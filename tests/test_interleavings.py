"""Starts, answers, cancellations and the end in any order, on a virtual clock and without sockets.

hypothesis plays the caller and the server; whatever they do, every call ends, and nothing is left.
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

pytestmark = pytest.mark.timeout(360)  # a failure takes its time to be made small

T = TypeVar("T")

any_of_them = st.integers(0, 99)
"""Chooses one of those that there are."""
MOMENT = 0.001
"""Seconds that a step takes at least: no reply comes in the instant in which its request went."""
pauses = st.sampled_from([0.1, 1.0, 3.0, 20.0])
STEPS = settings(max_examples=40, stateful_step_count=40, deadline=None)


class OnVirtualTime(RuleBasedStateMachine):
    """Tasks on an event loop of their own, which stands still between the steps."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop(start=0.0, noop_cycles=1, idle_timeout=0.1)
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.tasks: list[asyncio.Task[Any]] = []
        self.cancelled = set[asyncio.Task[Any]]()

    def do(self, step: Callable[[], T], seconds: float = MOMENT) -> T:
        """Do something inside of the loop, let so many seconds pass, and let it come to rest."""

        async def steps() -> T:
            done = step()
            await asyncio.sleep(seconds)
            for _ in range(20):
                await asyncio.sleep(0)
            return done

        return self.loop.run_until_complete(steps())

    def start(self, call: Coroutine[Any, Any, Any]) -> None:
        """Begin a call."""
        self.tasks.append(self.do(lambda: self.loop.create_task(call)))

    @property
    def waiting(self) -> list[asyncio.Task[Any]]:
        """The calls that have not ended."""
        return [task for task in self.tasks if not task.done()]

    @precondition(lambda self: self.waiting)
    @rule(which=any_of_them)
    def cancel(self, which: int) -> None:
        """The caller gives up."""
        task = self.waiting[which % len(self.waiting)]
        self.cancelled.add(task)
        self.do(task.cancel)
        assert task.done()

    def cancel_after(self, turns: int, which: int) -> None:
        """The caller gives up while the loop is at something."""
        if turns:
            self.loop.call_soon(self.cancel_after, turns - 1, which)
            return
        number = which % max(1, len(self.waiting))
        for task in self.waiting[number : number + 1]:  # there may be none any more
            self.cancelled.add(task)
            task.cancel()

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.do(lambda: None, seconds)

    def check_that_nothing_is_left(self) -> None:
        """No call, no task of another kind, no timer, no complaint."""
        assert not self.waiting
        assert not asyncio.all_tasks(self.loop)
        assert all(timer.cancelled() for timer in self.loop._scheduled)  # type: ignore[attr-defined]
        assert not self.complaints

    def finish(self) -> None:
        """Let all calls end, and look at what is left."""

    def teardown(self) -> None:
        """The end, whatever it comes to."""
        try:
            self.finish()
        finally:
            self.loop.close()


@define(eq=False)
class Exchange:
    """A request that waits for its answer."""

    request: Request
    answer: asyncio.Future[Response | Failure] = field(repr=False)


class Transport:
    """In the place of the real one: each exchange ends when, and as, the test wants it."""

    def __init__(self) -> None:
        self.open: list[Exchange] = []
        self.closed = False

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Wait for the test."""
        assert not self.closed
        exchange = Exchange(request, asyncio.get_running_loop().create_future())
        self.open.append(exchange)
        try:
            return await exchange.answer
        finally:
            self.open.remove(exchange)

    async def close(self) -> None:
        """To be called when no exchange is under way."""
        assert not self.open
        self.closed = True


def status(code: int, **headers: str) -> Callable[[str], Response]:
    """An answer that is none of a session."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: Response(code, named, b"{}")


def tells(remaining: int) -> Callable[[str], Response]:
    """An answer with the session, and with what the server says of the limit."""
    headers = {"X-RateLimit-Limit": "3", "X-RateLimit-Remaining": str(remaining)}
    return lambda asked: Response(200, headers, session_json(asked))


def fails(kind: FailureKind, *, sent: bool = True) -> Callable[[str], Failure]:
    """No answer."""
    return lambda asked: Failure(kind, "so it is", sent)


def good(asked: str) -> Response:
    """The session, and not a word on a limit."""
    return Response(200, {}, session_json(asked))


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
    """A client, whoever calls it, and whatever the server answers."""

    @initialize(
        told=st.sampled_from([None, RateLimit(requests=3, per=10)]), breaks_off=st.booleans()
    )
    def open(self, told: RateLimit | None, breaks_off: bool) -> None:
        """Build the client; in the end it is closed with calls under way, or without."""
        self.patience = 0 if breaks_off else 200
        self.transport = Transport()
        self.client = RaydocsClient(
            TOKEN,
            transport=self.transport,
            rate_limit=told,
            retry=RetryPolicy(attempts=3),
            timeout=None,
            max_connections=2,
        )
        self.numbers = 0

    def next_id(self) -> UUID:
        """One that was not asked for before."""
        self.numbers += 1
        return UUID(int=self.numbers)

    @rule(timeout=st.sampled_from([None, 2.0]))
    def get(self, timeout: float | None) -> None:
        """A single call."""
        self.start(self._get(self.next_id(), timeout))

    async def _get(self, asked: UUID, timeout: float | None) -> None:
        assert (await self.client.get_session(asked, timeout=timeout)).id == asked

    @rule(count=st.integers(1, 4), ordered=st.booleans(), left_after=st.integers(1, 4))
    def stream(self, count: int, ordered: bool, left_after: int) -> None:
        """A job in bulk, which may be left early."""
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
        # When the client closes, what is finished is handed over, and the rest is a gap.
        assert not ordered or seen == [each for each in ids if each in seen]

    @precondition(lambda self: self.transport.open)
    @rule(which=any_of_them, answer=st.sampled_from(sorted(ANSWERS)))
    def answer(self, which: int, answer: str) -> None:
        """The server answers, or does not."""
        self.do(lambda: self.settle(which, answer))

    @precondition(lambda self: self.transport.open)
    @rule(
        which=any_of_them,
        answer=st.sampled_from(sorted(ANSWERS)),
        whom=any_of_them,
        turns=st.integers(0, 5),
    )
    def answer_and_cancel(self, which: int, answer: str, whom: int, turns: int) -> None:
        """The server answers one, and the same caller or another one gives up just then."""

        def step() -> None:
            self.settle(which, answer)
            self.cancel_after(turns, whom)

        self.do(step)

    def settle(self, which: int, answer: str) -> None:
        """End an exchange."""
        exchange = self.transport.open[which % len(self.transport.open)]
        what: Any = ANSWERS[answer](str(exchange.request.id))
        exchange.answer.set_result(what)

    @rule()
    def count(self) -> None:
        """As many permits are out as there are requests on the wire, at any time."""
        known = self.do(lambda: self.client.rate_limit_status)
        assert known.in_flight == len(self.transport.open)

    def close(self) -> None:
        """The end of the client, at which every call ends, at once."""
        began = self.loop.time()
        self.loop.run_until_complete(self.client.close())
        assert self.loop.time() == began
        self.do(lambda: None)
        assert self.transport.closed
        assert not self.waiting

    def finish(self) -> None:
        """Calls that are answered end; so does the client, and with what the API documents."""
        while self.waiting and self.patience:
            self.patience -= 1
            for exchange in self.transport.open:
                exchange.answer.set_result(good(str(exchange.request.id)))
            self.wait(5.0)
            assert self.patience or not self.waiting
        self.count()
        self.close()
        self.check_that_nothing_is_left()
        for task in self.tasks:
            error = None if task.cancelled() else task.exception()
            assert error is None or isinstance(error, RaydocsError), repr(error)
            assert not task.cancelled() or task in self.cancelled


class AnyQueue(OnVirtualTime):
    """The limiter, alone on its server, with replies that come within its patience, or get lost."""

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
        """Somebody has a request to send, and its reply may get lost."""
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
        """A reply arrives, in whatever order."""
        self.do(self.replies[which % len(self.replies)].set)

    @precondition(lambda self: self.replies)
    @rule(which=any_of_them, whom=any_of_them, turns=st.integers(0, 5))
    def reply_and_cancel(self, which: int, whom: int, turns: int) -> None:
        """A reply arrives, and somebody gives up just then, perhaps he whose turn it is."""

        def step() -> None:
            self.replies[which % len(self.replies)].set()
            self.cancel_after(turns, whom)

        self.do(step)

    @rule()
    def count(self) -> None:
        """What is not on the wire is in the queue, and what was not lost was not refused."""
        known = self.do(lambda: self.limiter.status(self.loop.time()))
        assert known.in_flight == len(self.replies)
        assert known.in_flight + known.waiting == len(self.waiting)
        assert self.refused <= self.lost

    def finish(self) -> None:
        """In as many windows as they need, all are served; then there is nothing left."""
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
