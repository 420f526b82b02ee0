"""Many sessions: ids in, outcomes out, with no more under way than was asked for.

A `SessionStream` runs a fixed number of workers. Each takes the next id, fetches its session, and
hands over the outcome. An id that has been taken holds a place until its outcome is taken by the
consumer, so that a slow consumer stops the workers, and the input is read no faster than needed.

Three things can go wrong, and each has its own end:

- *One id fails* (a 404, an invalid id, a reply that does not fit): that is its outcome.
- *Every id would fail* (401, 403, a closed client, a rate limit shut for longer than `max_wait`):
  the stream ends with that error, once, after everything that is finished has been handed over.
- *The service is down*: the retries of all workers have used up half of the quota, and nothing has
  got through since an id's last request was sent. Then its failure is no outcome. The workers
  wait, one of them tries its id again with growing pauses, and all go on when it gets through. If
  that takes longer than `max_wait`, the stream ends with its error, and what was under way counts
  as not fetched.
"""

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sized
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import UUID

from attrs import define, field, frozen

from raydocs_async._endpoints import parse_session_id
from raydocs_async._engine import Completed
from raydocs_async._limits._values import RateLimitStatus
from raydocs_async.errors import (
    Attempt,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidSessionIdError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
)
from raydocs_async.models import Session

Ids: TypeAlias = Iterable[str | UUID] | AsyncIterable[str | UUID]

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds between two tries while the service is down; they double from one to the other."""

# What goes wrong for one id in these ways goes wrong for all of them.
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
    """What became of one id."""

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
    """What a job asks of the client."""

    fetch: Callable[[UUID], Awaitable[Completed[Session]]]
    """Fetch one session in the bulk lane; returns also what went wrong."""
    retries_are_scarce: Callable[[], bool]
    """Whether half of the retry quota is used up."""
    status: Callable[[], RateLimitStatus]
    sleep: Callable[[float], Awaitable[None]]
    max_wait: float
    """Seconds that an outage may take."""


@define(eq=False)
class Outage:
    """A time in which nothing gets through; workers try one at a time."""

    since: float | None = None
    """When it began, in the event loop's seconds, if there is one."""
    pause: float = SHORTEST_PAUSE
    turn: asyncio.Lock = field(factory=asyncio.Lock, repr=False)
    """Held by the worker that tries."""
    over: asyncio.Event = field(factory=asyncio.Event, repr=False)
    """Set while there is none."""

    def __attrs_post_init__(self) -> None:
        self.end()

    def begin(self, now: float) -> None:
        """Nothing gets through, from now on or still."""
        self.since = now if self.since is None else self.since
        self.over.clear()

    def end(self) -> None:
        """Something got through."""
        self.since, self.pause = None, SHORTEST_PAUSE
        self.over.set()

    def next_pause(self, now: float, max_wait: float) -> float | None:
        """Seconds to wait before the next try; ``None`` when it has taken too long."""
        pause, self.pause = self.pause, min(LONGEST_PAUSE, 2 * self.pause)
        too_long = self.since is not None and now + pause - self.since > max_wait
        return None if too_long else pause


class _OutageTooLong(Exception):  # noqa: N818  (never seen outside)
    """Ends the worker that found out; holds the service's last word."""

    def __init__(self, error: RaydocsError) -> None:
        super().__init__()
        self.error = error


class Job:
    """The workers of one stream and what they share; knows nothing of the stream itself."""

    def __init__(self, ids: Ids, service: Service, concurrency: int, *, ordered: bool) -> None:
        self._source = _aiter(ids)
        self._service = service
        self._ordered = ordered
        self._concurrency = concurrency
        self._places = asyncio.Semaphore(concurrency)
        self._pulling = asyncio.Lock()
        self._outage = Outage()
        self._under_way: dict[UUID, asyncio.Future[Completed[Session]]] = {}
        self._finished: dict[int, Outcome] = {}
        self._news = asyncio.Event()
        self._workers: set[asyncio.Task[None]] = set()
        self._fatal: BaseException | None = None
        self._started = False
        self._taken = self._handed_over = self._failed = 0
        self._answered_at = -math.inf
        self._total = len(ids) if isinstance(ids, Sized) else None

    def progress(self) -> Progress:
        """How far it is."""
        status = self._service.status()
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
                self._places.release()
                self._handed_over += 1
                return outcome
            if not self._workers:
                break
            self._news.clear()
            await self._news.wait()
        if self._fatal is not None:
            fatal, self._fatal = self._fatal, None
            raise fatal
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stop all workers, as soon as the event loop comes to it."""
        for worker in self._workers:
            worker.cancel()

    async def stop(self) -> None:
        """Stop all workers, and wait until they are gone."""
        self._started = True
        self.cancel()
        while self._workers:
            await asyncio.wait(self._workers)

    def _start(self) -> None:
        self._started = True
        for _ in range(self._concurrency):
            worker = asyncio.get_running_loop().create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._on_worker_done)

    def _on_worker_done(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._news.set()
        if not worker.cancelled() and (error := worker.exception()) is not None:
            if self._fatal is None:
                self._fatal = error.error if isinstance(error, _OutageTooLong) else error
            self.cancel()

    def _pop(self) -> Outcome | None:
        """The outcome to hand over now; after the workers' end, in order or not, what is left."""
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
            await self._places.acquire()
            try:
                number, given = await self._pull()
            except StopAsyncIteration:
                self._places.release()
                return
            outcome = await self._outcome_of(given)
            if isinstance(outcome.error, _FATAL):
                raise outcome.error
            self._failed += outcome.error is not None
            self._finished[number] = outcome
            self._news.set()

    async def _pull(self) -> tuple[int, Any]:
        """The next id and its number; none while the service is down."""
        async with self._pulling:
            await self._outage.over.wait()
            given = await anext(self._source)
            number, self._taken = self._taken, self._taken + 1
            return number, given

    async def _outcome_of(self, given: Any) -> Outcome:
        try:
            session_id = parse_session_id(given)
        except InvalidSessionIdError as exc:
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
            completed = await self._through_outages(session_id)
            mine.set_result(completed)
            return completed
        finally:
            del self._under_way[session_id]
            mine.cancel()

    async def _through_outages(self, session_id: UUID) -> Completed[Session]:
        """Fetch a session; a failure that is everybody's is waited out."""
        completed, sent_at = await self._try(session_id)
        while self._is_everybodys(completed, sent_at):
            async with self._outage.turn:
                await self._wait_for_service(completed)
                completed, sent_at = await self._try(session_id)
        self._outage.end()  # whatever is wrong, it is not everybody's
        return completed

    async def _try(self, session_id: UUID) -> tuple[Completed[Session], float]:
        """Fetch a session; tells also when its last request was sent."""
        clock = asyncio.get_running_loop().time
        started = clock()
        completed = await self._service.fetch(session_id)
        if not completed.transient:
            self._answered_at = clock()  # the service is there, whatever it says
            self._outage.end()
        return completed, started + (completed.attempts[-1].at if completed.attempts else 0.0)

    def _is_everybodys(self, completed: Completed[Session], sent_at: float) -> bool:
        """Whether a failure is the service's, and not this session's alone."""
        nothing_else = completed.transient and self._answered_at <= sent_at
        everybodys = nothing_else and self._service.retries_are_scarce()
        if everybodys:
            self._outage.begin(asyncio.get_running_loop().time())
        return everybodys

    async def _wait_for_service(self, completed: Completed[Session]) -> None:
        if self._outage.since is None:
            return
        now = asyncio.get_running_loop().time()
        pause = self._outage.next_pause(now, self._service.max_wait)
        if pause is None:
            assert completed.error is not None
            raise _OutageTooLong(completed.error)
        await self._service.sleep(pause)


async def _aiter(ids: Ids) -> AsyncIterator[Any]:
    if isinstance(ids, AsyncIterable):
        async for each in ids:
            yield each
    else:
        for each in ids:
            yield each


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
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it is gone. Outcomes not taken are dropped."""
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
