"""Many sessions: ids in, outcomes out, with no more under way than was asked for.

A `SessionStream` runs a fixed number of workers. Each takes the next id, fetches its session, and
hands over the outcome. An id that has been taken holds a place until its outcome is taken by the
consumer, so that a slow consumer stops the workers, and the input is read no faster than needed.

Three things can go wrong, and each has its own end:

- *One id fails* (a 404, an invalid id, a reply that does not fit, or all its attempts while other
  ids get through): that is its outcome.
- *Every id would fail* (401, 403, a closed client, a rate limit shut for longer than `max_wait`):
  the stream ends with that error, once, after everything that is finished has been handed over.
- *The service is down*: no id is taken, and those under way wait for its return (`_patience`). If
  that takes longer than `max_wait`, the stream ends with the last error, once, and the ids under
  way count as not fetched.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sized
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from attrs import field, frozen

from raydocs_async._affinity import running_loop
from raydocs_async._endpoints import parse_id
from raydocs_async._engine import Completed
from raydocs_async._limits._values import RateLimitStatus
from raydocs_async._outage import IDS_IN_DOUBT
from raydocs_async._patience import Fetch, Terms, Watch
from raydocs_async._source import Ids, Source
from raydocs_async.errors import (
    Attempt,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidIdError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
)
from raydocs_async.models import Session

_log = logging.getLogger("raydocs_async")

# Errors that would hit every id.
_FATAL = (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ClientClosedError,
    ConfigurationError,
)


def _name_of_type(value: object) -> str:
    return "None" if value is None else f"<{type(value).__name__}>"


@frozen
class Outcome:
    """The result of one id."""

    session_id: str | UUID
    """The id as it was given."""
    session: Session | None = field(default=None, repr=_name_of_type)
    """The session, if it could be had."""
    error: RaydocsError | None = None
    """Why not, if it could not."""
    attempts: tuple[Attempt, ...] = ()
    """Every try for it, in order."""


@frozen(kw_only=True)
class Progress:
    """How far a stream is."""

    total: int | None
    """Ids in all, where the input can tell."""
    done: int
    """Outcomes so far, failed ones included."""
    failed: int
    """Outcomes with an error."""
    in_flight: int
    """Ids taken whose outcome is not there yet."""
    eta: float | None
    """Seconds to go by the rate limit's arithmetic; ``None`` where it cannot be told."""
    rate_limit: RateLimitStatus
    """The rate limit, as it is known now."""


def estimate(left: int, status: RateLimitStatus) -> float | None:
    """Seconds until `left` more requests are through, if the rate limit is all there is."""
    if status.limit is None or status.remaining is None or status.per is None:
        return None
    later = left - status.remaining
    if later <= 0:
        return 0.0
    windows = math.ceil(later / status.limit)
    return (status.resets_in or 0.0) + (windows - 1) * status.per


@frozen
class Service:
    """Access of a job to its client."""

    fetch: Fetch
    """Fetches one session in the bulk lane; returns errors instead of raising them."""
    terms: Terms
    status: Callable[[], RateLimitStatus]


class Job:
    """The workers of one stream and their shared state."""

    def __init__(self, ids: Ids, service: Service, concurrency: int, *, ordered: bool) -> None:
        self._source = Source(ids)
        self._watch = Watch(service.fetch, service.terms, self._on_change)
        self._status = service.status
        self._ordered = ordered
        self._concurrency = concurrency
        self._pulling = asyncio.Lock()
        self._may_pull = asyncio.Event()
        self._under_way: dict[UUID, asyncio.Future[Completed[Session]]] = {}
        self._finished: dict[int, Outcome] = {}
        self._news = asyncio.Event()
        self._workers: set[asyncio.Task[None]] = set()
        self._fatal: BaseException | None = None
        self._started = False
        self._taken = self._handed_over = self._failed = 0
        self._total = len(ids) if isinstance(ids, Sized) else None

    def progress(self) -> Progress:
        """How far it is."""
        status = self._status()
        done = self._handed_over + len(self._finished)
        return Progress(
            total=self._total,
            done=done,
            failed=self._failed,
            in_flight=self._taken - done,
            eta=None if self._total is None else estimate(self._total - done, status),
            rate_limit=status,
        )

    async def next(self) -> Outcome:
        """The next outcome, in the order asked for.

        Raises:
            StopAsyncIteration: there is no more.
        """
        if not self._started:
            self._start()
        while True:
            if (outcome := self._pop()) is not None:
                self._handed_over += 1
                self._on_change()
                return outcome
            if not self._workers:
                break
            self._news.clear()
            await self._news.wait()
        await self._close_source(quietly=self._fatal is not None)
        if self._fatal is not None:
            fatal, self._fatal = self._fatal, None
            raise fatal
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stop all workers, as soon as the event loop comes to it."""
        for worker in self._workers:
            worker.cancel()

    async def stop(self, *, quietly: bool = False) -> None:
        """Stop all workers, wait until they are gone, and close the source.

        Args:
            quietly: Log what the source raises when it is closed, since there is an error already.
        """
        self._started = True
        self.cancel()
        while self._workers:
            await asyncio.wait(self._workers)
        await self._close_source(quietly=quietly)

    async def _close_source(self, *, quietly: bool) -> None:
        async with self._pulling:
            try:
                await self._source.close()
            except Exception:
                if not quietly:
                    raise
                _log.warning("the ids' source raised when it was closed", exc_info=True)

    def _start(self) -> None:
        loop = running_loop()
        self._started = True
        self._on_change()
        for _ in range(max(self._concurrency, IDS_IN_DOUBT)):
            worker = loop.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._on_worker_done)

    def _on_change(self) -> None:
        """Let the next id be taken, or stop that."""
        health = self._watch.health
        # With fewer ids than that in view, a service that is down looks like bad ids.
        places = max(self._concurrency, IDS_IN_DOUBT) if health.in_doubt else self._concurrency
        if not health.down and self._taken - self._handed_over < places:
            self._may_pull.set()
        else:
            self._may_pull.clear()

    def _on_worker_done(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._news.set()
        if not worker.cancelled() and (error := worker.exception()) is not None:
            if self._fatal is None:
                self._fatal = error
            self.cancel()

    def _pop(self) -> Outcome | None:
        """Return the next outcome to hand over, if there is one; order needs the workers."""
        if not self._finished:
            return None
        if not self._ordered:
            return self._finished.pop(next(iter(self._finished)))
        if self._handed_over in self._finished or not self._workers:
            return self._finished.pop(min(self._finished))
        return None

    async def _work(self) -> None:
        """Take ids and fetch them, until there are no more."""
        while True:
            try:
                number, given = await self._pull()
            except StopAsyncIteration:
                return
            outcome = await self._outcome_of(given)
            if isinstance(outcome.error, _FATAL):
                raise outcome.error
            self._failed += outcome.error is not None
            self._finished[number] = outcome
            self._news.set()

    async def _pull(self) -> tuple[int, Any]:
        """Return the number of the next id and the id, when there is a place for it."""
        async with self._pulling:
            while not self._may_pull.is_set():
                await self._may_pull.wait()
            given = await self._source.next()
            number, self._taken = self._taken, self._taken + 1
            self._on_change()
            return number, given

    async def _outcome_of(self, given: Any) -> Outcome:
        try:
            session_id = parse_id(given, "session")
        except InvalidIdError as exc:
            return Outcome(given, error=exc.with_traceback(None))
        completed = await self._shared(session_id)
        return Outcome(given, completed.model, completed.error, completed.attempts)

    async def _shared(self, session_id: UUID) -> Completed[Session]:
        """Fetch a session, or wait for the one who is at it already."""
        if (other := self._under_way.get(session_id)) is not None:
            return await asyncio.shield(other)
        mine = asyncio.get_running_loop().create_future()
        self._under_way[session_id] = mine
        try:
            completed = await self._fetch(session_id)
            mine.set_result(completed)
            return completed
        finally:
            del self._under_way[session_id]
            mine.cancel()

    async def _fetch(self, session_id: UUID) -> Completed[Session]:
        completed = await self._watch.fetch(session_id)
        if completed.transient and self._watch.gave_up:
            assert completed.error is not None
            raise completed.error
        return completed


class SessionStream:
    """Outcomes, as they come: an async iterator, and an async context manager to end it early.

    Leaving the loop early, or dropping the stream, cancels what is under way and leaves no task
    behind; leaving an ``async with`` block also waits for that.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def __repr__(self) -> str:
        return f"<SessionStream {self.progress.done} done, {self.progress.failed} failed>"

    @property
    def progress(self) -> Progress:
        """How far it is; can be read at any time, inside the event loop."""
        return self._job.progress()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        return await self._job.next()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._job.stop(quietly=exc is not None)

    async def aclose(self) -> None:
        """Cancel what is under way, wait until it is gone, and close the generator of the ids.

        Outcomes that have not been taken are dropped.
        """
        await self._job.stop()

    def __del__(self) -> None:
        self._job.cancel()


def open_stream(ids: Ids, service: Service, *, concurrency: int, ordered: bool) -> SessionStream:
    """A stream that starts with its first outcome being asked for.

    Raises:
        ConfigurationError: `concurrency` is below 1, or `ids` is one string.
    """
    if concurrency < 1:
        raise ConfigurationError("concurrency must be 1 or more")
    if isinstance(ids, str | bytes | UUID):
        raise ConfigurationError("ids must be several ids; for a single one, use get_session")
    return SessionStream(Job(ids, service, concurrency, ordered=ordered))
