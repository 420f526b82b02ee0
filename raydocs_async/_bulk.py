"""Bulk work: ids in, outcomes out, and never more ids in flight than the caller allows.

A worker takes the next id, fetches its resource, and hands over the outcome. An id occupies a place
from then on until the consumer has taken its outcome. Workers start when there are free places and
end when there are none, so that a slow consumer stops them, and the input is read no faster than
the consumer takes outcomes.

Four things can go wrong, and each has its own end:

- *One id fails* (a 404, an invalid id, a reply that does not fit, or all its attempts while other
  ids get through): the id's outcome is `Failed`.
- *Every id would fail* (401, 403, a closed client, a rate limit shut for longer than `max_wait`):
  the stream hands over the outcomes that it has, and raises that error once.
- *The ids' source raises*: the ids that it has given are still fetched, and the stream ends with
  that exception.
- *The service is down*: no further id is taken, and the ids in flight wait for its return
  (`_patience`). If the outage takes longer than `max_wait`, the stream raises the last error once,
  and the ids in flight have no outcome.
"""

import asyncio
import logging
from collections.abc import Callable, Sized
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from attrs import frozen

from raydocs_async._affinity import Home, running_loop
from raydocs_async._endpoints import Endpoint
from raydocs_async._exchange import Request
from raydocs_async._ids import Ids, IdSource
from raydocs_async._limits._values import RateLimitStatus
from raydocs_async._outage import IDS_IN_DOUBT, Health
from raydocs_async._outcome import CallResult, Failed, Fetched, Outcome
from raydocs_async._progress import Progress, estimate
from raydocs_async.errors import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidIdError,
    PermissionDeniedError,
    RateLimitError,
)

M = TypeVar("M")

_log = logging.getLogger("raydocs_async")

_MOST_STARTS = 32
"""Workers that start in one turn of the event loop, at most. Only a worker can find the end of the
ids, so a `concurrency` of a million would otherwise start a million tasks for ten ids."""

# Errors that would hit every id.
_FATAL = (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ClientClosedError,
    ConfigurationError,
)


class Fetcher(Protocol[M]):
    """Fetches resources, and knows the service's health by their replies."""

    health: Health[Request]
    gave_up: bool
    """True if an outage has taken too long, so that a temporary failure ends the whole stream."""

    async def fetch(self, request: Request) -> CallResult[M]:
        """Fetch a resource; errors are returned."""
        ...


@frozen
class StreamSpec(Generic[M]):
    """Everything that a stream needs from a client to fetch one kind of resource."""

    endpoint: Endpoint[M]
    request: Callable[[object], Request]
    """Makes the request for an id, or raises `InvalidIdError`."""
    make_fetcher: Callable[[Callable[[], None]], Fetcher[M]]
    """Makes the fetcher, which calls the argument whenever its health may have changed."""
    status: Callable[[], RateLimitStatus]
    estimate: Callable[[int, RateLimitStatus], float | None] = estimate
    """Estimates the seconds until so many ids are done."""


class Workers(Generic[M]):
    """The workers of one stream, and the state that they share."""

    def __init__(self, ids: Ids, spec: StreamSpec[M], concurrency: int, *, ordered: bool) -> None:
        self._ids = IdSource(ids)
        self._request = spec.request
        self._fetcher = spec.make_fetcher(self._start_workers_soon)
        self._estimate = spec.estimate
        self._status = spec.status
        self._ordered = ordered
        self._concurrency = concurrency
        self._reading = asyncio.Lock()
        self._in_flight: dict[str, list[asyncio.Future[CallResult[M]]]] = {}
        """The workers that wait for a resource that is being fetched, by its path."""
        self._finished: dict[int, Outcome[M]] = {}
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        """Workers that have no id yet."""
        self._start_handle: asyncio.Handle | None = None
        self._fatal: BaseException | None = None
        self._home = Home()
        self._started = self._cancelled = self._ids_ended = False
        self._taken = self._handed_over = self.failed = 0
        self._total = len(ids) if isinstance(ids, Sized) else None

    @property
    def done(self) -> int:
        """Outcomes so far, failed ones included."""
        return self._handed_over + len(self._finished)

    def progress(self) -> Progress:
        """Return the progress at this moment."""
        status, done, now = self._status(), self.done, running_loop().time()
        return Progress(
            total=self._total,
            done=done,
            failed=self.failed,
            in_flight=self._taken - done,
            outage=self._fetcher.health.down_for(now),
            next_attempt=self._fetcher.health.next_attempt_in(now),
            eta=None if self._total is None else self._estimate(self._total - done, status),
            rate_limit=status,
        )

    async def next(self) -> Outcome[M]:
        """Return the next outcome, in the requested order.

        Raises:
            StopAsyncIteration: there are no more.
            ConfigurationError: the stream was begun in another event loop or process.
        """
        self._home.check()
        if not self._started:
            self._started = True
            self._start_workers()
        while True:
            if (outcome := self._pop()) is not None:
                self._handed_over += 1
                self._start_workers_soon()
                return outcome
            if self._has_ended:
                break
            self._changed.clear()
            await self._changed.wait()
        await self._close_ids(quietly=self._fatal is not None)
        if self._fatal is not None:
            fatal, self._fatal = self._fatal, None
            raise fatal
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Cancel all workers; they end in the event loop's next turns."""
        self._cancelled = True
        for task in self._tasks:
            task.cancel()

    def abandon(self) -> None:
        """Cancel all workers from any thread: garbage is collected in the thread that allocates."""
        self._cancelled = True
        for task in self._tasks:
            with suppress(RuntimeError):  # the loop is closed
                task.get_loop().call_soon_threadsafe(self.cancel)
            return

    async def stop(self, *, quietly: bool = False) -> None:
        """Cancel all workers, wait until they have ended, drop their outcomes, and close the ids.

        Args:
            quietly: Log an exception from closing the ids, since another one is under way.

        Raises:
            ConfigurationError: the stream was begun in another event loop or process.
        """
        self._home.check()
        self._started = True
        self.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        # The dropped outcomes count as handed over, or the progress would show ids in flight.
        self._handed_over += len(self._finished)
        self._taken = self._handed_over
        self._finished.clear()
        self._fatal = None
        await self._close_ids(quietly=quietly)

    async def _close_ids(self, *, quietly: bool) -> None:
        async with self._reading:
            try:
                await self._ids.close()
            except Exception:
                if not quietly:
                    raise
                _log.warning("the ids' source raised when it was closed", exc_info=True)

    @property
    def _has_ended(self) -> bool:
        """True if no worker is left, and none will be started."""
        return not self._tasks and (self._ids_ended or self._cancelled)

    @property
    def _free_places(self) -> int:
        """The number of workers that may start, each for one id."""
        health = self._fetcher.health
        if self._ids_ended or self._cancelled:
            return 0
        # With fewer different ids, `Health` cannot distinguish an outage from bad ids.
        places = max(self._concurrency, IDS_IN_DOUBT) if health.in_doubt else self._concurrency
        free = places - (self._taken - self._handed_over) - self._starting
        if health.down:
            # The ids in flight notice the service's return. If there are none, one more has to.
            return 0 if self._tasks else min(free, 1)
        return free

    def _start_workers_soon(self) -> None:
        """Start workers for the free places, in the event loop's next turn.

        So one turn starts all workers for which the consumer makes room now. If workers started
        each other directly, an eager task factory would run each of them inside of the previous
        one, up to the limit of recursion.
        """
        # A worker that waits for its id starts the next ones when it has it. Otherwise a slow
        # source would get more workers with each outcome, up to `concurrency`.
        if self._starting or self._start_handle is not None or not self._started:
            return
        if self._free_places > 0:
            self._start_handle = running_loop().call_soon(self._start_workers)

    def _start_workers(self) -> None:
        self._start_handle = None
        # The bound is read once, because each start takes one of the free places.
        for _ in range(min(self._free_places, _MOST_STARTS)):
            self._starting += 1
            task = running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._on_worker_done)

    def _on_worker_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        self._start_workers_soon()
        # A cancellation that is not the stream's own would look like the end of the ids.
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None and not self._cancelled:
            self._fatal = error if self._fatal is None else self._fatal
            self.cancel()

    def _pop(self) -> Outcome[M] | None:
        """Return the next outcome to hand over, if there is one."""
        if not self._finished:
            return None
        if not self._ordered:
            return self._finished.pop(next(iter(self._finished)))
        # After a fatal error the order has gaps, which nothing will fill.
        if self._handed_over in self._finished or self._has_ended:
            return self._finished.pop(min(self._finished))
        return None

    async def _work(self) -> None:
        """Take an id and fetch its resource, as long as there are ids and places for them."""
        while taken := await self._take():
            number, given = taken
            outcome = await self._outcome(given)
            if isinstance(outcome.error, _FATAL):
                raise outcome.error
            self.failed += outcome.error is not None
            self._finished[number] = outcome
            self._changed.set()
            if self._free_places <= 0:
                return  # another worker starts when the consumer has made room
            self._starting += 1

    async def _take(self) -> tuple[int, Any] | None:
        """Return the next id with its number; ``None`` if there are no more."""
        try:
            async with self._reading:
                given = await self._ids.next()
        except StopAsyncIteration:
            self._ids_ended = True
            return None
        except (Exception, asyncio.CancelledError) as exc:
            if self._cancelled:
                raise
            self._ids_ended = True
            self._fatal = exc  # raised by the source; the ids in flight are still fetched
            return None
        finally:
            self._starting -= 1
        number, self._taken = self._taken, self._taken + 1
        self._start_workers_soon()
        # A generator of ids may swallow the cancellation, and go on.
        return None if self._cancelled else (number, given)

    async def _outcome(self, given: Any) -> Outcome[M]:
        try:
            request = self._request(given)
        except InvalidIdError as exc:
            return Failed(given, exc.with_traceback(None))
        completed = await self._coalesced(request)
        if completed.error is not None:
            return Failed(given, completed.error, completed.attempts)
        assert completed.model is not None
        return Fetched(given, completed.model, completed.attempts)

    async def _coalesced(self, request: Request) -> CallResult[M]:
        """Fetch a resource, or wait for the worker that is fetching it already."""
        # By path, because a UUID's hash is computed anew each time.
        if (waiting := self._in_flight.get(request.path)) is not None:
            waiting.append(running_loop().create_future())
            return await waiting[-1]
        self._in_flight[request.path] = waiting = []
        try:
            completed = await self._fetcher.fetch(request)
            if completed.transient and self._fetcher.gave_up:
                assert completed.error is not None
                raise completed.error
            for each in [future for future in waiting if not future.done()]:
                each.set_result(completed)
            return completed
        finally:
            del self._in_flight[request.path]
            for each in waiting:
                each.cancel()
