"""What the hook is told, in which order, and what becomes of its errors."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async import ConfigurationError, NotFoundError, RaydocsClient, RetryPolicy
from raydocs_async.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    Event,
    ForeignUse,
    Paused,
    RetryScheduled,
    WindowOpened,
)
from raydocs_async.sandbox import Chaos, Fault
from raydocs_async.testing import FakeTransport
from tests.support.clients import SESSION_ID
from tests.support.loops import VirtualUvloop

virtual = pytest.mark.looptime
pytestmark = pytest.mark.usefixtures("no_task_left")

UNKNOWN = UUID(SESSION_ID)


@asynccontextmanager
async def listening(
    fake: FakeTransport, **options: Any
) -> AsyncIterator[tuple[RaydocsClient, list[Event]]]:
    """A client on `fake`, and the events that it tells."""
    events: list[Event] = []
    async with RaydocsClient(
        fake.token, transport=fake, on_event=events.append, **options
    ) as client:
        yield client, events


@virtual
async def test_a_call_that_succeeds() -> None:
    """The call starts, makes one attempt that opens a window, and ends."""
    fake = FakeTransport(latency=2)
    (asked,) = fake.ids(1)
    async with listening(fake) as (client, events):
        await client.get_session(asked)
    call: dict[str, Any] = {"call": 1, "resource": "session", "resource_id": UUID(asked)}
    assert events == [
        CallStarted(**call, bulk=False),
        AttemptStarted(**call, number=1, waited=0.0),
        WindowOpened(limit=100, remaining=99),
        AttemptEnded(**call, number=1, seconds=2.0, status=200, error=None),
        CallEnded(**call, seconds=2.0, attempts=1, error=None),
    ]


@virtual
@pytest.mark.usefixtures("half_jitter")
async def test_a_retry() -> None:
    """The back-off is told when it begins, and the next attempt says what was waited."""
    fake = FakeTransport()
    fake.script(Fault.reset())
    async with listening(fake) as (client, events):
        await client.get_session(fake.ids(1)[0])
    assert [type(each) for each in events] == [
        CallStarted,
        AttemptStarted,
        AttemptEnded,
        RetryScheduled,
        AttemptStarted,
        WindowOpened,
        AttemptEnded,
        CallEnded,
    ]
    told = {type(each): each for each in events}
    scheduled, second = told[RetryScheduled], told[AttemptStarted]
    assert isinstance(scheduled, RetryScheduled)
    assert isinstance(second, AttemptStarted)
    assert (second.number, second.waited) == (2, scheduled.delay)
    assert scheduled.delay > 0


async def test_a_call_that_fails() -> None:
    """The end of the call names the error, and its attempt the status."""
    async with listening(FakeTransport()) as (client, events):
        with pytest.raises(NotFoundError):
            await client.get_session(UNKNOWN)
    *_, attempt, end = events
    assert isinstance(attempt, AttemptEnded)
    assert attempt.status == 404
    assert isinstance(end, CallEnded)
    assert (end.error, end.attempts) == ("NotFoundError", 1)


@virtual
async def test_a_pause() -> None:
    """A refusal tells for how long nothing is sent; it is an attempt, and no retry."""
    fake = FakeTransport(limit=None)
    fake.script(Fault.status(429, retry_after=7))
    async with listening(fake) as (client, events):
        await client.get_session(fake.ids(1)[0])
    assert Paused(seconds=8.0) in events
    kinds = Counter(map(type, events))
    assert (kinds[AttemptStarted], kinds[RetryScheduled]) == (2, 0)


@virtual
async def test_a_pause_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Without a hook, too, the log says why nothing happens."""
    caplog.set_level("INFO", "raydocs_async")
    fake = FakeTransport(limit=None)
    fake.script(Fault.status(429, retry_after=7))
    async with RaydocsClient(fake.token, transport=fake) as client:
        await client.get_session(fake.ids(1)[0])
    assert [record.getMessage() for record in caplog.records] == [
        "the rate limit is used up: nothing is sent for 8.0 s"
    ]


async def test_foreign_use() -> None:
    """Hits of the window that were not ours are told as soon as a reply shows them."""
    fake = FakeTransport()
    ids = fake.ids(5)
    async with listening(fake) as (client, events):
        await client.get_session(ids[0])
        async with RaydocsClient(fake.token, transport=fake) as other:
            await other.get_sessions(ids[:3])
        await client.get_session(ids[4])
    assert [each for each in events if isinstance(each, ForeignUse)] == [ForeignUse(hits=3)]


async def test_bulk_work_says_so() -> None:
    """Each id of a stream is a call of its own, marked as bulk."""
    fake = FakeTransport()
    async with listening(fake) as (client, events):
        await client.get_sessions(fake.ids(3))
    starts = [each for each in events if isinstance(each, CallStarted)]
    assert [(each.call, each.bulk) for each in starts] == [(1, True), (2, True), (3, True)]


@virtual
async def test_a_cancelled_call() -> None:
    """A cancelled call has the ends of its attempt and of itself."""
    async with listening(FakeTransport(latency=5)) as (client, events):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get_session(UNKNOWN), 1)
    attempt, end = events[-2:]
    assert isinstance(attempt, AttemptEnded)
    assert (attempt.error, attempt.seconds) == ("interrupted", 1.0)
    assert isinstance(end, CallEnded)
    assert end.error == "CancelledError"


async def test_what_the_hook_raises(caplog: pytest.LogCaptureFixture) -> None:
    """C15: an error of the hook is logged once, with its traceback, and calls go on."""

    def hook(event: Event) -> None:
        seen.append(event)
        raise ZeroDivisionError("a broken dashboard")

    fake = FakeTransport()
    ids = fake.ids(3)
    seen: list[Event] = []
    async with RaydocsClient(fake.token, transport=fake, on_event=hook) as client:
        found = await client.get_sessions(ids)
    assert [str(each.id) for each in found] == ids
    check_pairs(seen, 3)
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("ERROR", "raydocs_async")
    assert "on_event raised at CallStarted" in record.getMessage()
    assert "a broken dashboard" in caplog.text


INTERRUPTS = [KeyboardInterrupt, SystemExit, asyncio.CancelledError]


@pytest.mark.parametrize("interrupt", INTERRUPTS)
@pytest.mark.parametrize("kind", [CallStarted, AttemptStarted, WindowOpened, AttemptEnded])
def test_an_interrupt_passes_through_the_hook(
    kind: type[Event], interrupt: type[BaseException]
) -> None:
    """C15: an interrupt that comes in the hook ends the call, and leaves the client fit."""

    def hook(event: Event) -> None:
        if isinstance(event, kind) and not raised:
            raised.append(event)
            raise interrupt

    fake = FakeTransport()
    (asked,) = fake.ids(1)
    raised: list[Event] = []
    client = RaydocsClient(fake.token, transport=fake, on_event=hook)

    async def again() -> None:
        assert client.rate_limit_status.in_flight == 0
        assert str((await client.get_session(asked)).id) == asked
        await client.close()

    with asyncio.Runner() as runner:
        with pytest.raises(interrupt):
            runner.run(client.get_session(asked))
        runner.run(again())


async def test_a_hook_that_returns_a_coroutine(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody would await is an error of the hook, and Python does not warn of it."""

    def hook(event: Event) -> object:
        return _coroutine_hook(event)

    fake = FakeTransport()
    async with RaydocsClient(fake.token, transport=fake, on_event=hook) as client:
        await client.get_session(fake.ids(1)[0])
    assert "which is never awaited" in caplog.text


async def test_the_hook_runs_where_the_call_does() -> None:
    """A context variable that it sets is seen by the later events of the same call alone."""
    number: ContextVar[int] = ContextVar("number")
    seen: list[tuple[int, int]] = []

    def hook(event: Event) -> None:
        if isinstance(event, CallStarted):
            number.set(event.call)
        elif isinstance(event, AttemptEnded):
            seen.append((event.call, number.get()))

    fake = FakeTransport()
    async with RaydocsClient(fake.token, transport=fake, on_event=hook) as client:
        await asyncio.gather(*map(client.get_session, fake.ids(5)))
    assert sorted(seen) == [(call, call) for call in range(1, 6)]


async def _coroutine_hook(_: Event) -> None:
    """Nobody would await it."""


class _CoroutineHook:
    async def __call__(self, _: Event) -> None:
        """Nobody would await it either."""


@pytest.mark.parametrize("hook", [_coroutine_hook, _CoroutineHook(), "print", 7])
def test_a_hook_that_cannot_be_called(hook: Any) -> None:
    """A coroutine function, or what is no function, is refused at once."""
    with pytest.raises(ConfigurationError, match="on_event"):
        RaydocsClient("token", on_event=hook)


FAULTS = (
    Fault.status(500),
    Fault.status(404),
    Fault.status(429),
    Fault.cut(),
    Fault.stall(),
    Fault.latency(1),
)


@given(seed=st.integers(0, 1000), give_up=st.lists(st.floats(0.01, 90), min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_what_starts_also_ends(seed: int, give_up: list[float]) -> None:
    """Each start has its end, whoever gives up, and the numbers have no gap."""
    events: list[Event] = []

    async def run() -> None:
        fake = FakeTransport(limit=5, chaos=Chaos(0.7, FAULTS, seed), latency=0.5)
        policy = RetryPolicy(attempts=3)
        async with RaydocsClient(
            fake.token, transport=fake, on_event=events.append, retry=policy
        ) as client:
            calls = [client.get_session(each, timeout=50) for each in fake.ids(len(give_up))]
            timed = (asyncio.wait_for(*each) for each in zip(calls, give_up, strict=True))
            await asyncio.gather(*timed, return_exceptions=True)

    with asyncio.Runner(loop_factory=VirtualUvloop) as runner:
        runner.run(run())
    check_pairs(events, len(give_up))


def check_pairs(events: list[Event], calls: int) -> None:
    """Each start has one end after it."""
    kinds = Counter(map(type, events))
    assert kinds[CallStarted] == kinds[CallEnded] == calls
    assert kinds[AttemptStarted] == kinds[AttemptEnded]
    for call in range(1, calls + 1):
        own = [each for each in events if getattr(each, "call", None) == call]
        numbers = [each.number for each in own if isinstance(each, AttemptStarted)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert isinstance(own[0], CallStarted)
        assert isinstance(own[-1], CallEnded)
        assert own[-1].attempts == len(numbers)
