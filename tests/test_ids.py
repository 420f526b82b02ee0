"""The source of a job's ids: any iterable, read lazily; a generator is closed by its reader."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from raydocs_async._ids import IdSource


async def read(source: IdSource) -> list[Any]:
    """All ids that are left."""
    ids = []
    while True:
        try:
            ids.append(await source.next())
        except StopAsyncIteration:
            return ids


class Rows:
    """An iterable whose iterators are generators, and that has a ``close`` of its own."""

    def __init__(self) -> None:
        self.ended = 0
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        try:
            yield from "ab"
        finally:
            self.ended += 1

    def close(self) -> None:
        """Belongs to the code that opened it."""
        self.closed = True  # pragma: no cover  (that it stays open is the claim)


class AsyncRows(Rows):
    """The same, asynchronous."""

    def __aiter__(self) -> AsyncIterator[str]:
        return self.generate()

    async def generate(self) -> AsyncIterator[str]:
        """Ids one by one."""
        try:
            for each in "ab":
                yield each
        finally:
            self.ended += 1


@pytest.mark.parametrize(
    "ids",
    ["ab", iter("ab"), Rows(), AsyncRows(), AsyncRows().generate()],
    ids=lambda ids: type(ids).__name__,
)
async def test_any_iterable_is_read(ids: Any) -> None:
    """Ids come from iterables and iterators of both kinds, and the end stays the end."""
    source = IdSource(ids)
    assert (await read(source), await read(source)) == (["a", "b"], [])


@pytest.mark.parametrize("kind", [Rows, AsyncRows])
async def test_a_generator_is_closed(kind: type[Rows]) -> None:
    """A generator that an iterable makes for its reader is closed with the source, once."""
    rows = kind()
    source = IdSource(rows)
    await source.next()
    await source.close()
    await source.close()
    assert (rows.ended, await read(source)) == (1, [])


async def test_what_others_opened_stays_open() -> None:
    """An iterable that only has a ``close``, as a file or a cursor, belongs to its opener."""
    rows = Rows()
    source = IdSource(rows)
    await source.next()
    await source.close()
    assert not rows.closed


async def test_a_generator_is_closed_before_it_was_read() -> None:
    """A generator that was never read is closed, too: nothing can be read from it later."""
    generator = AsyncRows().generate()
    await IdSource(generator).close()
    assert [each async for each in generator] == []


class Queued:
    """Ids from a queue that ends with ``None``: asked after that, it waits for ever."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        for each in ("a", "b", None):
            self.queue.put_nowait(each)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if (found := await self.queue.get()) is None:
            raise StopAsyncIteration
        return found


@pytest.mark.looptime
async def test_nothing_is_asked_after_its_end() -> None:
    """The end is asked for once, as ``async for`` does; each worker of a job learns of it."""
    source = IdSource(Queued())
    async with asyncio.timeout(1):
        assert (await read(source), await read(source)) == (["a", "b"], [])


async def test_nothing_is_asked_after_its_error() -> None:
    """An iterator that raises in the middle loses none of the ids behind that."""
    ids = map(int, ["1", "x", "3"])
    source = IdSource(ids)  # type: ignore[arg-type]
    assert await source.next() == 1
    with pytest.raises(ValueError, match="x"):
        await source.next()
    assert (await read(source), list(ids)) == ([], [3])
