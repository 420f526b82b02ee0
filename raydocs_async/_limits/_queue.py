"""The rate limit of one process: a queue on asyncio, in two lanes, with one timer.

`WindowTracker` decides; this module keeps the waiters. They are served first come, first served,
in each lane, and single calls go before bulk work. A ticket is in flight around one request and
never while its caller sleeps.

A `KeyboardInterrupt` may be raised between any two lines, and the event loop may run again
afterwards; a waiter may be cancelled between any two lines, too. So the caller makes its ticket
before the tracker counts it, settling a ticket twice has no effect, and an interrupted turn of the
queue is repeated.
"""

import asyncio
import logging
import math
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from attrs import frozen

from raydocs_async import _settings
from raydocs_async._affinity import running_loop
from raydocs_async._headers import NotCounted, Observation
from raydocs_async._limits import Limiter
from raydocs_async._limits._claim import Configuration
from raydocs_async._limits._member import BEAT, SharedTracker
from raydocs_async._limits._period import Period
from raydocs_async._limits._store import Store
from raydocs_async._limits._stores import open_store
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import (
    Lane,
    RateLimit,
    RateLimitStatus,
    Ticket,
    Wait,
)
from raydocs_async.errors import ConfigurationError
from raydocs_async.events import RateLimitEvent

MAX_IN_FLIGHT = 32
"""Requests in flight at the same time, by default."""

_UNKNOWN = (math.nan, math.nan)

_log = logging.getLogger("raydocs_async")


def _answer(waiting: "asyncio.Future[Ticket | Wait]", answer: Ticket | Wait) -> None:
    # At Ctrl-C, `asyncio.run` cancels the main task in the signal's handler. That can also happen
    # between a check of the future and the next line, so a check would not prevent the error.
    with suppress(asyncio.InvalidStateError):
        waiting.set_result(answer)


@frozen
class _Waiter:
    """A caller in the queue."""

    ticket: Ticket
    deadline: float


class RateLimiter(Limiter):
    """Admits requests as the server's window allows; several clients can share it.

    Args:
        rate_limit: The rate limit as far as it is known; ``None`` if nothing is known. Then the
            server's headers decide, and without headers there is no limit.
        max_in_flight: Requests in flight at the same time, at most.

    Raises:
        ConfigurationError: `max_in_flight` is below 1.
    """

    def __init__(
        self,
        rate_limit: RateLimit | None = RateLimit(),
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        _settings.count("max_in_flight", max_in_flight)
        self._configured = configured = rate_limit or RateLimit()
        self.max_wait, self.max_in_flight = configured.max_wait, max_in_flight
        self._reserve = {Lane.SINGLE: 0, Lane.BULK: configured.reserve}
        tracker = WindowTracker(
            limit=configured.requests if rate_limit else None,
            period=Period(configured.per if rate_limit else None),
        )
        store = open_store(configured, self._answered)
        self._tracker = self._share(tracker, store) if store else tracker
        # Not a dict, which finds its first key in time linear in the keys deleted before it.
        self._waiters = {
            lane: OrderedDict[asyncio.Future[Ticket | Wait], _Waiter]() for lane in Lane
        }
        self._ahead = {
            lane: tuple(self._waiters[each] for each in Lane if each <= lane) for lane in Lane
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = -math.inf  # uvloop's handle of a time that has passed does not know it
        self._beat_timer: asyncio.TimerHandle | None = None
        self._expected = _UNKNOWN

    def __repr__(self) -> str:
        return f"<RateLimiter {self.status(math.nan)}>"

    def __reduce__(self) -> NoReturn:
        # An unused one could be pickled, but then each process would count for itself alone.
        raise TypeError(
            "a RateLimiter cannot be pickled or copied, because the copies would count apart; "
            "build one in each process"
        )

    def status(self, now: float) -> RateLimitStatus:
        """Return a snapshot of the rate limit at `now`, in the event loop's seconds."""
        tracker, window = self._tracker, self._tracker.window
        finite = math.isfinite(tracker.free) and window.left is not None
        resets_in = max(window.ends.high, tracker.shut_until) - now
        return RateLimitStatus(
            limit=tracker.limit,
            per=tracker.period.seconds,
            remaining=max(0, int(tracker.free)) if finite else None,
            resets_in=max(0.0, resets_in) if math.isfinite(resets_in) else None,
            in_flight=len(tracker.in_flight),
            waiting=sum(map(len, self._waiters.values())),
            foreign=window.foreign,
            processes=tracker.processes,
        )

    async def acquire(self, lane: Lane, deadline: float) -> Ticket | Wait:
        """Wait until one request may be sent; see `Limiter.acquire`."""
        now = self._bind_to_running_loop().time()
        ticket = Ticket()
        try:
            if not any(self._ahead[lane]) and self._admit(ticket, lane, now) is None:
                return ticket
            opens_at = self._tracker.opens_at(now, sum(map(len, self._ahead[lane])))
            if self._is_too_late(opens_at, deadline, now):
                return Wait(opens_at)
            return await self._queue(lane, _Waiter(ticket, deadline))
        except BaseException:
            self.settle(ticket, NotCounted())
            raise

    def settle(
        self,
        ticket: Ticket,
        observation: Observation,
        pause: Callable[[int], float] = float,
    ) -> Sequence[RateLimitEvent]:
        """Give `ticket` back, and learn from the reply to its request; see `Limiter.settle`."""
        loop, tracker = self._loop, self._tracker
        if loop is None or loop.is_closed():  # the garbage collector ends a call of a closed loop
            return ()
        try:
            now, before = loop.time(), tracker.snapshot
            tracker.settle(ticket, observation, now, pause)
            events = tracker.events_since(before, now)
            self._serve(now)
        except BaseException:
            loop.call_soon(self._wake)
            raise
        return events

    def _bind_to_running_loop(self) -> asyncio.AbstractEventLoop:
        """Bind to the running loop.

        If the previous loop was closed, discard its waiters and its tickets in flight.
        """
        loop = running_loop()
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError("this RateLimiter is in use in another event loop")
            self._tracker.forget()
            for waiters in self._waiters.values():
                waiters.clear()
            self._loop, self._timer, self._beat_timer = loop, None, None
        return loop

    async def _queue(self, lane: Lane, waiter: _Waiter) -> Ticket | Wait:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ticket | Wait] = loop.create_future()
        try:
            self._waiters[lane][answer] = waiter
            self._serve(loop.time())
            return await answer
        except BaseException:
            self._waiters[lane].pop(answer, None)
            raise

    def _admit(self, ticket: Ticket, lane: Lane, now: float) -> Wait | None:
        tracker = self._tracker
        if ticket in tracker.in_flight:  # admitted by a turn of the queue that was interrupted
            return None
        if len(tracker.in_flight) >= self.max_in_flight:
            return Wait(math.inf)
        # If the server's limit differs from the configured one, scale the reserve in proportion.
        requests = self._configured.requests
        reserve = self._reserve[lane] * (tracker.limit or requests) // requests
        return tracker.admit(ticket, now, reserve, lane)

    def _serve(self, now: float) -> None:
        """Admit the waiters that may go, and set the timer for the first one that may not."""
        for lane, waiters in self._waiters.items():
            while waiters:
                answer, waiter = next(iter(waiters.items()))
                if not answer.done():  # done means cancelled: the task has not run yet
                    wait = self._admit(waiter.ticket, lane, now)
                    if wait is not None:
                        self._wake_at(wait.until, now)
                        return
                    _answer(answer, waiter.ticket)
                del waiters[answer]
        self._drop_idle_timer()

    def _drop_idle_timer(self) -> None:
        if self._timer is not None and not any(self._waiters.values()):
            self._timer.cancel()
            self._timer = None

    def _wake_at(self, until: float, now: float) -> None:
        if math.isinf(until):
            return  # the next reply wakes the queue
        opens_at = self._tracker.opens_at(now)
        expected = until, opens_at if opens_at > now else -math.inf
        if expected != self._expected:
            self._expected = expected
            self._release_late_waiters(now)
        # A timer that is due has fired, but an interrupt can have stopped it from serving.
        if self._timer is not None and not now < self._wakes_at <= until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(until, self._wake)
            self._wakes_at = until
        self._drop_idle_timer()  # if no waiters are left

    def _wake(self) -> None:
        """Serve the queue when the timer fires, or once more after an interrupt."""
        try:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._serve(asyncio.get_running_loop().time())
        except (KeyboardInterrupt, SystemExit):
            asyncio.get_running_loop().call_soon(self._wake)
            raise

    def _release_late_waiters(self, now: float) -> None:
        """Answer the waiters for which the window opens too late, instead of letting them wait."""
        ahead = 0
        for waiters in self._waiters.values():
            for answer, waiter in list(waiters.items()):
                opens_at = self._tracker.opens_at(now, ahead)
                if not self._is_too_late(opens_at, waiter.deadline, now):
                    ahead += 1
                elif not answer.done():
                    _answer(answer, Wait(opens_at))
                    del waiters[answer]

    def _is_too_late(self, opens_at: float, deadline: float, now: float) -> bool:
        too_long = self._tracker.opens_at(now) - now > self.max_wait
        return opens_at > now and (opens_at > deadline or too_long)

    # -- a limit that processes share -------------------------------------------------------

    def _share(self, tracker: WindowTracker, store: Store) -> SharedTracker:
        token = secrets.token_hex(4)
        return SharedTracker(
            store=store,
            owner=lambda: f"{os.getpid()}-{token}",  # another one in a child process
            configured=Configuration(tracker.limit, tracker.period.seconds),
            reserve=self._configured.reserve,
            waiting=self._count_waiting,
            max_in_flight=self.max_in_flight,
            arm=self._arm_beat,
            warn=_warn,
            tracker=tracker,
        )

    async def close(self) -> None:
        """Give the hits of a shared limit back, and close the connection to its store.

        This has no effect while a call is in flight or waits, such as another client's. The next
        call opens the connection again.
        """
        tracker, loop = self._tracker, running_loop()
        if not isinstance(tracker, SharedTracker) or self._loop is not loop:
            return
        await tracker.store.wait()
        if not tracker.in_flight and not any(self._waiters.values()):
            tracker.leave(loop.time())
            await tracker.store.close()

    def _answered(self) -> None:
        """Serve the queue by an answer of the store that came later."""
        self._expected = _UNKNOWN  # so that waiters that are too late are released in any case
        self._wake()

    def _count_waiting(self) -> tuple[int, int]:
        return len(self._waiters[Lane.SINGLE]), len(self._waiters[Lane.BULK])

    def _arm_beat(self) -> None:
        if self._beat_timer is None and self._loop is not None:
            self._beat_timer = self._loop.call_later(BEAT, self._beat)

    def _beat(self) -> None:
        """Report to the shared limit, and go on so while the process holds a part of it."""
        self._beat_timer = None
        now = asyncio.get_running_loop().time()
        try:
            if isinstance(self._tracker, SharedTracker) and self._tracker.beat(now):
                self._arm_beat()
            self._serve(now)
        except (KeyboardInterrupt, SystemExit):
            self._arm_beat()
            raise


def _warn(reason: str) -> None:
    _log.warning(
        "the shared rate limit cannot be used, so this process goes on by the server's headers "
        "alone: %s",
        reason,
    )
