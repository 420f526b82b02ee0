"""The bulk engine: bounded, lazy, back-pressured; one outcome an id.

The service is a stand-in (`Stub`) in virtual time; the client's own methods, on real HTTP, are in
`test_client_bulk`, and failures in `test_patience`.
"""

import asyncio
import contextlib
import gc
import itertools
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any
from uuid import UUID

import pytest

from raydocs_async import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    Failed,
    Fetched,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    Progress,
    RateLimitError,
    RateLimitStatus,
    RaydocsClient,
    RaydocsError,
    Session,
)
from raydocs_async._progress import estimate
from tests.support.jobs import (
    OPEN,
    Stub,
    collect,
    collect_until_error,
    failed,
    found,
    number,
    numbers,
)

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]

# -- outcomes -----------------------------------------------------------------------------------


async def test_every_id_has_one_outcome() -> None:
    """Nothing is lost and nothing is doubled."""
    outcomes = await collect(Stub().stream(numbers(50)))
    assert Counter(outcome.id for outcome in outcomes) == Counter(numbers(50))


async def test_no_ids_no_outcomes() -> None:
    """An empty input is an empty stream, also when asked twice."""
    stream = Stub().stream([])
    assert [await collect(stream), await collect(stream)] == [[], []]


async def test_outcomes_come_as_they_are_done() -> None:
    """A slow session does not hold up the quick ones."""
    stub = Stub(seconds=lambda sid: 10 if sid.int == 0 else 1)
    outcomes = await collect(stub.stream(numbers(5)))
    assert [outcome.id for outcome in outcomes][-1] == number(0)


async def test_outcomes_come_in_order_if_asked_for() -> None:
    """With `ordered`, the input's order, whatever is done first."""
    stub = Stub(seconds=lambda sid: 20 - sid.int)
    outcomes = await collect(stub.stream(numbers(20), ordered=True))
    assert [outcome.id for outcome in outcomes] == numbers(20)


async def test_an_id_keeps_the_form_it_was_given_in() -> None:
    """An outcome is found again by what went in: a UUID, or a string in its own spelling."""
    given = [UUID(number(0)), number(0xAB).upper()]
    outcomes = await collect(Stub().stream(given))
    assert {outcome.id for outcome in outcomes} == set(given)


async def test_an_invalid_id_is_that_ids_outcome() -> None:
    """C1: nothing is sent for it, and the others go on."""
    stub = Stub()
    outcomes = await collect(stub.stream(["../x", number(1)], ordered=True))
    assert isinstance(outcomes[0].error, InvalidIdError)
    assert stub.asked == [UUID(number(1))]


async def test_a_missing_session_is_that_ids_outcome() -> None:
    """A 404 is an outcome."""
    stub = Stub(answer=lambda _: failed(NotFoundError("HTTP 404", status=404)))
    (outcome,) = await collect(stub.stream(numbers(1)))
    assert isinstance(outcome.error, NotFoundError)


async def test_the_same_id_at_the_same_time_is_one_request() -> None:
    """C16: duplicates share what is in flight, and each has its outcome."""
    stub = Stub()
    outcomes = await collect(stub.stream([number(7)] * 4))
    assert (len(stub.asked), len(outcomes)) == (1, 4)


async def test_the_same_id_later_is_another_request() -> None:
    """A duplicate is not served from what was fetched before."""
    stub = Stub()
    await collect(stub.stream([number(7)] * 4, concurrency=1))
    assert len(stub.asked) == 4


async def test_async_input() -> None:
    """Ids may come from an async iterable."""

    async def ids() -> AsyncIterator[str]:
        for each in numbers(5):
            await asyncio.sleep(1)
            yield each

    assert len(await collect(Stub().stream(ids()))) == 5


# -- bounds -------------------------------------------------------------------------------------


async def test_no_more_than_concurrency_at_a_time() -> None:
    """The number of requests under way is bounded."""
    stub = Stub()
    await collect(stub.stream(numbers(50), concurrency=7))
    assert stub.peak == 7


async def test_input_is_read_no_faster_than_outcomes_are_taken() -> None:
    """C17, E6: a consumer that stops stops everything, with `concurrency` ids under way."""
    ids = itertools.count()
    async with Stub().stream(map(number, ids), concurrency=5) as stream:
        await anext(stream)
        await asyncio.sleep(100)
    assert next(ids) == 6


async def test_a_slow_source_has_few_workers() -> None:
    """The workers that wait for an id do not grow in number with the ids."""

    async def ids() -> AsyncIterator[str]:
        for each in numbers(200):
            await asyncio.sleep(10)
            yield each

    async with Stub().stream(ids(), concurrency=10**6) as stream:
        tasks = [len(asyncio.all_tasks()) async for _ in stream]
    assert len(tasks) == 200
    assert max(tasks) < 50


async def test_ordered_outcomes_are_bounded_too() -> None:
    """Behind a slow head no more than `concurrency` outcomes pile up."""
    stub, ids = Stub(seconds=lambda sid: 1000 if sid.int == 0 else 1), itertools.count()
    async with stub.stream(map(number, ids), concurrency=5, ordered=True) as stream:
        await anext(stream)
    assert next(ids) <= 6


@pytest.mark.parametrize("concurrency", [0, -1, "5", 5.5, float("nan"), True, None])
def test_no_concurrency_is_refused(concurrency: Any) -> None:
    """C18: before anything is read."""
    with pytest.raises(ConfigurationError, match="concurrency must be a whole number from 1"):
        Stub().stream([], concurrency=concurrency)


async def test_a_concurrency_without_an_end() -> None:
    """C18: workers are made as ids come, so that any number may mean that there is no bound."""
    stub = Stub()
    before = len(asyncio.all_tasks())
    stream = stub.stream(iter(numbers(3)), concurrency=sys.maxsize)
    await anext(stream)
    assert (stub.peak, len(asyncio.all_tasks()) <= before + 4) == (3, True)
    assert len(await collect(stream)) == 2


@pytest.mark.parametrize("ids", [None, 5, collect], ids=["None", "a number", "a function"])
def test_what_is_not_iterable_is_refused(ids: Any) -> None:
    """C1: before the stream is begun, and by a message that says so."""
    with pytest.raises(ConfigurationError, match="ids must be an iterable or async iterable"):
        Stub().stream(ids)


@pytest.mark.parametrize("ids", [number(1), b"x", UUID(int=1)], ids=["str", "bytes", "UUID"])
def test_a_single_id_is_refused(ids: Any) -> None:
    """A string is an iterable of letters; nobody means that."""
    with pytest.raises(ConfigurationError, match="get_session"):
        Stub().stream(ids)


# -- what ends it -------------------------------------------------------------------------------

FATAL = [
    AuthenticationError("HTTP 401", status=401),
    PermissionDeniedError("HTTP 403", status=403),
    RateLimitError("shut", retry_after=86_400),
    ClientClosedError("closed"),
    ConfigurationError("elsewhere"),
]


@pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])
@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
async def test_what_fails_every_id_ends_the_stream_once(error: RaydocsError, ordered: bool) -> None:
    """What is finished is handed over first, then the error comes, then nothing."""
    stub = Stub(answer=lambda sid: failed(error) if sid.int == 10 else found(sid))
    stream = stub.stream(numbers(1000), ordered=ordered)
    outcomes, ended_with = await collect_until_error(stream)
    assert ended_with is error
    assert len(outcomes) >= 8
    assert len(stub.asked) < 20
    assert await collect(stream) == []


async def test_an_error_leaves_no_finished_outcome_behind_a_gap() -> None:
    """With `ordered`, what was done behind the one that never came is handed over as well."""
    stub = Stub(
        answer=lambda sid: failed(FATAL[0]) if sid.int == 0 else found(sid),
        seconds=lambda sid: 5 if sid.int == 0 else 1 + sid.int / 10,
    )
    outcomes, _ = await collect_until_error(stub.stream(numbers(4), ordered=True))
    assert [outcome.id for outcome in outcomes] == [number(1), number(2), number(3)]


async def test_an_input_that_raises_ends_the_stream_with_that() -> None:
    """C15: the caller's own exception comes out, and nothing is left under way."""

    def ids() -> Iterator[str]:
        yield number(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect(Stub().stream(ids()))


@pytest.mark.parametrize("kind", [ZeroDivisionError, asyncio.CancelledError])
@pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])
async def test_an_input_that_raises_loses_no_id(kind: type[BaseException], ordered: bool) -> None:
    """C15: the ids that it has given before have their outcomes, then comes its exception."""

    def ids() -> Iterator[str]:
        yield from numbers(3)
        raise kind

    stub, outcomes = Stub(), list[Fetched[Session] | Failed]()
    with pytest.raises(kind):  # noqa: PT012  (the outcomes are kept when it raises)
        async for outcome in stub.stream(ids(), ordered=ordered):
            outcomes.append(outcome)
    assert sorted(str(each.id) for each in outcomes) == numbers(3)


async def test_leaving_the_block_cancels_what_is_under_way() -> None:
    """C14: after ``async with`` nothing is in flight."""
    stub = Stub()
    async with stub.stream(numbers(100)) as stream:
        await anext(stream)
    assert stub.in_flight == 0


async def test_dropping_the_stream_cancels_what_is_under_way() -> None:
    """C14: leaving the loop early, without a block, leaves no task either."""
    stub = Stub()
    stream = stub.stream(numbers(100))
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.sleep(0.1)
    assert stub.in_flight == 0


async def test_a_closed_stream_is_empty() -> None:
    """Closing before the first outcome was asked for means that nothing starts."""
    stub = Stub()
    stream = stub.stream(numbers(10))
    await stream.aclose()
    assert (await collect(stream), stub.asked) == ([], [])


async def test_a_closed_stream_drops_what_is_finished() -> None:
    """C14: outcomes that have not been taken are not handed over after the close."""
    stream = Stub().stream(numbers(100), concurrency=5)
    await anext(stream)
    await asyncio.sleep(5)
    await stream.aclose()
    assert (await collect(stream), stream.progress.in_flight) == ([], 0)


async def test_a_closed_stream_keeps_no_error() -> None:
    """C14: an error that nobody has asked for goes with the outcomes."""
    stream = Stub(answer=lambda sid: failed(FATAL[0]) if sid.int else found(sid)).stream(numbers(9))
    await anext(stream)
    await asyncio.sleep(5)
    await stream.aclose()
    assert await collect(stream) == []


def test_a_stream_belongs_to_its_event_loop() -> None:
    """C11: in another loop it has no workers any more, which is not the end of its ids."""
    stream = Stub().stream(numbers(10), concurrency=2)

    async def take_one() -> object:
        return await anext(stream)

    asyncio.run(take_one())
    for use in (take_one, stream.aclose):
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(use())


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_stream_can_be_dropped_after_its_event_loop() -> None:
    """C14: there is nothing left to cancel then, and nothing to complain about."""
    stream = Stub().stream(numbers(10))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anext(stream))
    tasks = asyncio.all_tasks(loop)
    loop.close()
    del stream
    gc.collect()
    for task in tasks:  # which asyncio itself complains of, as their loop was closed under them
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        coroutine = task.get_coro()
        assert isinstance(coroutine, Coroutine)
        coroutine.close()


async def test_a_stream_can_be_dropped_in_another_thread() -> None:
    """C12, C14: the garbage collector runs in any thread, and the loop learns of it at once."""
    stub = Stub(seconds=lambda _: 1000)
    streams = [stub.stream(numbers(4))]
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(anext(streams[0]), timeout=1)
    thread = threading.Thread(target=streams.clear)
    thread.start()
    thread.join()
    await asyncio.sleep(0.1)
    assert stub.in_flight == 0


async def test_a_duplicate_goes_with_the_one_it_waits_for() -> None:
    """C16: duplicates that wait when the stream is left are cancelled, too."""
    stub = Stub()
    stream = stub.stream([number(1)] * 4)
    waiting = asyncio.create_task(collect(stream))
    await asyncio.sleep(0.5)
    await stream.aclose()
    assert await waiting == []


async def test_a_cancelled_consumer_may_come_back() -> None:
    """C10: a time-out around one outcome does not end the job."""
    stream = Stub(seconds=lambda _: 10).stream(numbers(3))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(anext(stream), timeout=1)
    assert len(await collect(stream)) == 3


# -- the source ---------------------------------------------------------------------------------


class Rows:
    """Ids from a generator with a ``finally``, async or not, and whether it was run."""

    def __init__(self, count: int = 1000) -> None:
        self.count = count
        self.closed = False
        self.error: Exception | None = None

    async def async_ids(self) -> AsyncIterator[str]:
        """From a cursor, for one."""
        try:
            for index in range(self.count):
                await asyncio.sleep(0.1)
                yield number(index)
        finally:
            await asyncio.sleep(1)
            self._close()

    def ids(self) -> Iterator[str]:
        """From a file, for one."""
        try:
            yield from numbers(self.count)
        finally:
            self._close()

    def _close(self) -> None:
        self.closed = True
        if self.error is not None:
            raise self.error


KINDS = pytest.mark.parametrize("ids", [Rows.async_ids, Rows.ids], ids=["async", "sync"])


@KINDS
async def test_leaving_the_block_closes_the_source(ids: Any) -> None:
    """C14: a generator's ``finally`` has run when the block is left early."""
    rows = Rows()
    async with Stub().stream(ids(rows)) as stream:
        await anext(stream)
    assert rows.closed


@KINDS
async def test_a_consumers_exception_closes_the_source(ids: Any) -> None:
    """C15: also when the block is left by an exception."""
    rows = Rows()
    stream = Stub().stream(ids(rows))
    with contextlib.suppress(ZeroDivisionError):
        async with stream:
            raise ZeroDivisionError(await anext(stream))
    assert rows.closed


@KINDS
async def test_an_error_for_every_id_closes_the_source(ids: Any) -> None:
    """C14: a 401 ends the stream, and the source is closed by then, without a block."""
    rows = Rows()
    _, error = await collect_until_error(Stub(answer=lambda _: failed(FATAL[0])).stream(ids(rows)))
    assert (error, rows.closed) == (FATAL[0], True)


@KINDS
async def test_the_end_closes_the_source(ids: Any) -> None:
    """C14: a source that is read to its end has closed itself."""
    rows = Rows(10)
    assert len(await collect(Stub().stream(ids(rows)))) == 10
    assert rows.closed


async def test_a_source_that_is_being_read_is_closed() -> None:
    """C14: the reader is stopped first, so that nothing says that the generator is running."""
    rows = Rows()
    stream = Stub().stream(rows.async_ids(), concurrency=100)
    await anext(stream)
    await stream.aclose()
    assert rows.closed


async def test_a_source_that_raises_when_closed_hides_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C15: the error that ended the stream comes out; the source's own is logged."""
    rows = Rows()
    rows.error = ZeroDivisionError("no cursor")
    stub = Stub(answer=lambda _: failed(FATAL[0]))
    _, error = await collect_until_error(stub.stream(rows.ids(), concurrency=1))
    assert error is FATAL[0]
    assert "ZeroDivisionError: no cursor" in caplog.text


async def test_a_source_that_raises_when_closed_is_heard() -> None:
    """C15: with no other error, the source's own comes out."""
    rows = Rows()
    rows.error = ZeroDivisionError("no cursor")
    stream = Stub().stream(rows.ids())
    await anext(stream)
    with pytest.raises(ZeroDivisionError):
        await stream.aclose()


async def test_a_source_that_swallows_the_cancellation() -> None:
    """C14: ids that come after the block was left are not fetched, and it is left at once."""

    async def ids() -> AsyncIterator[str]:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)
            yield number(len(stub.asked))

    stub = Stub()
    async with asyncio.timeout(10), stub.stream(ids()) as stream:
        await anext(stream)
        await asyncio.sleep(0.5)
        asked = len(stub.asked)
    assert len(stub.asked) == asked


async def test_a_cancellation_in_the_source_is_heard() -> None:
    """C9: a source that awaits what was cancelled has not come to its end."""

    async def ids() -> AsyncIterator[str]:
        yield number(1)
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        yield await waiting

    with pytest.raises(asyncio.CancelledError):
        await collect(Stub().stream(ids()))


# -- progress -----------------------------------------------------------------------------------


async def test_progress_tells_how_far_it_is() -> None:
    """Total, done, failed and in flight, at any time."""
    stub = Stub(
        answer=lambda sid: failed(NotFoundError("x", status=404)) if sid.int == 0 else found(sid)
    )
    async with stub.stream(numbers(10)) as stream:
        await anext(stream)
        await asyncio.sleep(0.5)
        assert stream.progress == Progress(
            total=10, done=4, failed=1, in_flight=1, eta=0.0, rate_limit=OPEN
        )


async def test_progress_of_a_generator_has_no_total() -> None:
    """What cannot be counted beforehand has no total and no end in sight."""
    progress = Stub().stream(iter(numbers(3))).progress
    assert (progress.total, progress.eta) == (None, None)


async def test_the_repr_tells_how_far_it_is() -> None:
    """Printing a stream is of use."""
    assert repr(Stub().stream([])) == "<Stream 0 done, 0 failed>"


def test_the_repr_needs_no_event_loop() -> None:
    """A debugger or a crash reporter prints a stream anywhere."""
    stream = RaydocsClient("a-token").stream_sessions(numbers(3))
    assert repr(stream) == "<Stream 0 done, 0 failed>"


@pytest.mark.parametrize(
    ("left", "expected"), [(10, 0.0), (11, 30.0), (110, 30.0), (111, 90.0), (1010, 570.0)]
)
def test_the_eta_is_arithmetic(left: int, expected: float) -> None:
    """What is left in this window, then one window for each `limit`."""
    assert estimate(left, OPEN) == expected


def test_no_eta_without_a_limit() -> None:
    """Nothing is estimated from what is not known."""
    unknown = RateLimitStatus(
        limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
    )
    assert estimate(5, unknown) is None
