"""The ids of bulk work, read one at a time from any iterable, and closed by their reader."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, TypeAlias
from uuid import UUID

Ids: TypeAlias = Iterable[str | UUID] | AsyncIterable[str | UUID]

_END = object()


class IdReader:
    """Reads `ids` lazily.

    A generator has no owner but its reader, so `close` closes it, and its ``finally`` runs then and
    not when it is collected. A file or a cursor belongs to the code that opened it.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids: Ids | None = ids
        self._iterator: AsyncIterator[Any] | Iterator[Any] | None = None
        self._is_over = False

    async def next(self) -> Any:
        """Return the next id, as the caller gave it.

        Raises:
            StopAsyncIteration: there are no more, the reader was closed, or the ids have raised.
        """
        if self._is_over:
            raise StopAsyncIteration
        try:
            return await self._next()
        except BaseException:
            # Each worker asks until it learns of the end. Asked once more, an iterator may wait
            # for ever (one that reads a queue up to a sentinel), or lose an id to an ended stream.
            self._is_over = True
            raise

    async def _next(self) -> Any:
        iterator = self._iterate()
        if isinstance(iterator, AsyncIterator):
            return await anext(iterator)
        given = next(iterator, _END)
        if given is _END:
            raise StopAsyncIteration
        return given

    async def close(self) -> None:
        """Close the generator that the ids come from, if it is one; closing twice is fine."""
        generator = self._ids if self._iterator is None else self._iterator
        self._ids, self._iterator = None, iter(())
        if isinstance(generator, AsyncGenerator):
            await generator.aclose()
        elif isinstance(generator, Generator):
            generator.close()

    def _iterate(self) -> AsyncIterator[Any] | Iterator[Any]:
        if self._iterator is None:
            ids = self._ids
            assert ids is not None
            self._iterator = aiter(ids) if isinstance(ids, AsyncIterable) else iter(ids)
        return self._iterator
