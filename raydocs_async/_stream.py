"""The consumer's side of bulk work: the stream, and the checks of its arguments."""

from collections.abc import AsyncIterable, Iterable
from types import TracebackType
from typing import Generic, NoReturn, Self, TypeVar
from uuid import UUID

from raydocs_async import _settings
from raydocs_async._bulk import StreamSpec, Workers
from raydocs_async._ids import Ids
from raydocs_async._outcome import Failed, Fetched
from raydocs_async._progress import Progress
from raydocs_async.errors import ConfigurationError

M = TypeVar("M")


class Stream(Generic[M]):
    """Outcomes as they come: an async iterator, and an async context manager to end it early.

    Leaving the loop early, or dropping the stream, cancels the requests in flight and leaves no
    task behind; leaving an ``async with`` block also waits for that.
    """

    def __init__(self, workers: Workers[M]) -> None:
        self._workers = workers

    def __repr__(self) -> str:
        return f"<Stream {self._workers.done} done, {self._workers.failed} failed>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Stream cannot be pickled or copied; pickle the ids or the outcomes")

    @property
    def progress(self) -> Progress:
        """The progress at this moment; read it inside the event loop."""
        return self._workers.progress()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Fetched[M] | Failed:
        return await self._workers.next()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._workers.stop(quietly=exc is not None)

    async def aclose(self) -> None:
        """Cancel the requests in flight, wait until they have ended, and close the ids' generator.

        Outcomes that the consumer has not taken are dropped.
        """
        await self._workers.stop()

    def __del__(self) -> None:
        self._workers.abandon()


def open_stream(ids: Ids, spec: StreamSpec[M], *, concurrency: int, ordered: bool) -> Stream[M]:
    """Return a stream; it starts at the first `anext`.

    Raises:
        ConfigurationError: `concurrency` is below 1, or `ids` is a single id or not iterable.
    """
    _settings.count("concurrency", concurrency)
    if isinstance(ids, str | bytes | UUID):
        noun = spec.endpoint.noun
        raise ConfigurationError(f"ids must be several ids; for a single one, use get_{noun}")
    if not isinstance(ids, Iterable | AsyncIterable):
        raise ConfigurationError(
            f"ids must be an iterable or async iterable of ids, not of type {type(ids).__name__}"
        )
    return Stream(Workers(ids, spec, concurrency, ordered=ordered))
