"""The ids of bulk work, read one at a time from any iterable, and closed at the end."""

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


class IdSource:
    """Reads `ids` lazily.

    `close` closes a generator, so that its ``finally`` runs then, and not when the generator is
    collected. It leaves a file or a cursor open, which belongs to the code that opened it.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids: Ids | None = ids
        self._iterator: AsyncIterator[Any] | Iterator[Any] | None = None
        self._ended = False

    async def next(self) -> Any:
        """Return the next id, as the caller gave it.

        Raises:
            StopAsyncIteration: there are no more ids, the source was closed, or it raised before.
        """
        if self._ended:
            raise StopAsyncIteration
        try:
            iterator = self._iterate()
            if isinstance(iterator, AsyncIterator):
                return await anext(iterator)
            given = next(iterator, _END)
        except BaseException:
            # Each worker calls this once more after the end. Without the flag, an iterator over a
            # queue with a sentinel would wait for ever, and one that raised would lose an id.
            self._ended = True
            raise
        if given is _END:
            self._ended = True
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
