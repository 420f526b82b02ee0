"""The end of a stream: by an error for every id, by its input, by its consumer."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Coroutine, Iterator

import pytest

from raydocs_async import ConfigurationError, Failed, Fetched, RaydocsError, Session
from tests.support.jobs import (
    FATAL,
    Stub,
    collect,
    collect_until_error,
    failed,
    found,
    number,
    numbers,
)

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])
@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
async def test_what_fails_every_id_ends_the_stream_once(error: RaydocsError, ordered: bool) -> None:
    """The finished outcomes come first, then the error, once, then the end."""
    stub = Stub(answer=lambda sid: failed(error) if sid.int == 10 else found(sid))
    stream = stub.stream(numbers(1000), ordered=ordered)
    outcomes, ended_with = await collect_until_error(stream)
    assert ended_with is error
    assert len(outcomes) >= 8
    assert len(stub.asked) < 20
    assert await collect(stream) == []


async def test_an_error_leaves_no_finished_outcome_behind_a_gap() -> None:
    """With `ordered`, the outcomes behind a missing one are handed over before the error."""
    stub = Stub(
        answer=lambda sid: failed(FATAL[0]) if sid.int == 0 else found(sid),
        seconds=lambda sid: 5 if sid.int == 0 else 1 + sid.int / 10,
    )
    outcomes, _ = await collect_until_error(stub.stream(numbers(4), ordered=True))
    assert [outcome.id for outcome in outcomes] == [number(1), number(2), number(3)]


async def test_an_input_that_raises_ends_the_stream_with_that() -> None:
    """C15: the input's exception is raised, and no task is left."""

    def ids() -> Iterator[str]:
        yield number(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect(Stub().stream(ids()))


@pytest.mark.parametrize("kind", [ZeroDivisionError, asyncio.CancelledError])
@pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])
async def test_an_input_that_raises_loses_no_id(kind: type[BaseException], ordered: bool) -> None:
    """C15: the ids before the input's exception have their outcomes first."""

    def ids() -> Iterator[str]:
        yield from numbers(3)
        raise kind

    stub, outcomes = Stub(), list[Fetched[Session] | Failed]()
    with pytest.raises(kind):  # noqa: PT012  (the outcomes are kept when it raises)
        async for outcome in stub.stream(ids(), ordered=ordered):
            outcomes.append(outcome)
    assert sorted(str(each.id) for each in outcomes) == numbers(3)


async def test_leaving_the_block_cancels_what_is_under_way() -> None:
    """C14: after ``async with`` no request is in flight."""
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
    """A stream that is closed before its first outcome starts no request."""
    stub = Stub()
    stream = stub.stream(numbers(10))
    await stream.aclose()
    assert (await collect(stream), stub.asked) == ([], [])


async def test_a_closed_stream_drops_what_is_finished() -> None:
    """C14: finished outcomes are not handed over after the close."""
    stream = Stub().stream(numbers(100), concurrency=5)
    await anext(stream)
    await asyncio.sleep(5)
    await stream.aclose()
    assert (await collect(stream), stream.progress.in_flight) == ([], 0)


async def test_a_closed_stream_keeps_no_error() -> None:
    """C14: an error that was not raised yet is dropped by the close."""
    stream = Stub(answer=lambda sid: failed(FATAL[0]) if sid.int else found(sid)).stream(numbers(9))
    await anext(stream)
    await asyncio.sleep(5)
    await stream.aclose()
    assert await collect(stream) == []


def test_a_stream_belongs_to_its_event_loop() -> None:
    """C11: a stream refuses to be used in another event loop."""
    stream = Stub().stream(numbers(10), concurrency=2)

    async def take_one() -> object:
        return await anext(stream)

    asyncio.run(take_one())
    for use in (take_one, stream.aclose):
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(use())


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_stream_can_be_dropped_after_its_event_loop() -> None:
    """C14: a stream can be dropped after its event loop, without a warning."""
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
    """C12, C14: a stream that is collected in another thread cancels its requests at once."""
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
    """C16: waiting duplicates are cancelled with the stream, too."""
    stub = Stub()
    stream = stub.stream([number(1)] * 4)
    waiting = asyncio.create_task(collect(stream))
    await asyncio.sleep(0.5)
    await stream.aclose()
    assert await waiting == []


async def test_a_cancelled_consumer_may_come_back() -> None:
    """C10: a time-out around one outcome does not end the stream."""
    stream = Stub(seconds=lambda _: 10).stream(numbers(3))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(anext(stream), timeout=1)
    assert len(await collect(stream)) == 3
