"""The source of the ids: closed however the stream ends, with its errors heard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.jobs import FATAL, Stub, collect, collect_until_error, failed, number, numbers

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


class Rows:
    """Ids from a generator, async or not, that records that its ``finally`` ran."""

    def __init__(self, count: int = 1000) -> None:
        self.count = count
        self.closed = False
        self.error: Exception | None = None

    async def async_ids(self) -> AsyncIterator[str]:
        """Yield ids as from a database cursor."""
        try:
            for index in range(self.count):
                await asyncio.sleep(0.1)
                yield number(index)
        finally:
            await asyncio.sleep(1)
            self._close()

    def ids(self) -> Iterator[str]:
        """Yield ids as from a file."""
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
    """C14: after an early end of the block, the generator's ``finally`` has run."""
    rows = Rows()
    async with Stub().stream(ids(rows)) as stream:
        await anext(stream)
    assert rows.closed


@KINDS
async def test_a_consumers_exception_closes_the_source(ids: Any) -> None:
    """C15: an exception in the block closes the source, too."""
    rows = Rows()
    stream = Stub().stream(ids(rows))
    with contextlib.suppress(ZeroDivisionError):
        async with stream:
            raise ZeroDivisionError(await anext(stream))
    assert rows.closed


@KINDS
async def test_an_error_for_every_id_closes_the_source(ids: Any) -> None:
    """C14: a 401 ends the stream and closes the source, without a block."""
    rows = Rows()
    _, error = await collect_until_error(Stub(answer=lambda _: failed(FATAL[0])).stream(ids(rows)))
    assert (error, rows.closed) == (FATAL[0], True)


@KINDS
async def test_the_end_closes_the_source(ids: Any) -> None:
    """C14: a source that is read to its end is closed."""
    rows = Rows(10)
    assert len(await collect(Stub().stream(ids(rows)))) == 10
    assert rows.closed


async def test_a_source_that_is_being_read_is_closed() -> None:
    """C14: the reader is stopped before the source is closed, as a running generator cannot be."""
    rows = Rows()
    stream = Stub().stream(rows.async_ids(), concurrency=100)
    await anext(stream)
    await stream.aclose()
    assert rows.closed


async def test_a_source_that_raises_when_closed_hides_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """C15: the stream's error is raised, and the source's own is logged."""
    rows = Rows()
    rows.error = ZeroDivisionError("no cursor")
    stub = Stub(answer=lambda _: failed(FATAL[0]))
    _, error = await collect_until_error(stub.stream(rows.ids(), concurrency=1))
    assert error is FATAL[0]
    assert "ZeroDivisionError: no cursor" in caplog.text


async def test_a_source_that_raises_when_closed_is_heard() -> None:
    """C15: without another error, the source's own is raised."""
    rows = Rows()
    rows.error = ZeroDivisionError("no cursor")
    stream = Stub().stream(rows.ids())
    await anext(stream)
    with pytest.raises(ZeroDivisionError):
        await stream.aclose()


async def test_a_source_that_swallows_the_cancellation() -> None:
    """C14: ids that come after the end of the block are not fetched, and the block ends at once."""

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
    """C9: a cancellation within the source is raised, and not taken for the source's end."""

    async def ids() -> AsyncIterator[str]:
        yield number(1)
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        yield await waiting

    with pytest.raises(asyncio.CancelledError):
        await collect(Stub().stream(ids()))
