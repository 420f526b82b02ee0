"""The asyncio side of the rate limit: who waits, in which order, and until when.

`Window` decides; this module keeps the queue. Waiters stand in two lanes, first come first served
in each: single calls go before bulk work. There is one timer for all of them. A slot is held
around one request on the wire and never while somebody sleeps; a waiter that is cancelled leaves
neither a slot nor a future behind.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from enum import IntEnum
from http import HTTPStatus
from typing import Any, NamedTuple

from attrs import frozen

from raydocs_async._exchange import Failure, Response
from raydocs_async._headers import RateLimitHeaders
from raydocs_async._window import Ticket, Wait, Window
from raydocs_async.errors import ConfigurationError
from raydocs_async.events import RateLimitEvent

MAX_IN_FLIGHT = 32


@frozen(kw_only=True)
class RateLimit:
    """What is known of the rate limit beforehand.

    The server's headers win over `requests`. They do not tell a window's length, so `per` is
    believed.

    Raises:
        ConfigurationError: a value that makes no sense.
    """

    requests: int = 100
    """Hits the service allows in a window."""
    per: float = 60.0
    """Seconds a window lasts."""
    max_wait: float = 300.0
    """The longest that a call waits for the window to open, in seconds; past that it fails."""
    reserve: int = 0
    """Hits of each window that bulk work leaves to single calls."""

    def __attrs_post_init__(self) -> None:
        counts = (self.requests, self.reserve)
        if not all(isinstance(count, int) for count in counts):
            raise ConfigurationError("requests and reserve must be whole numbers")
        if self.requests < 1 or not 0 <= self.reserve < self.requests:
            raise ConfigurationError("requests must be 1 or more, and reserve from 0 to below it")
        for name in ("per", "max_wait"):
            if not 0 < getattr(self, name) < 1e9:
                raise ConfigurationError(f"{name} must be a number of seconds above 0")


@frozen(kw_only=True)
class RateLimitStatus:
    """The rate limit as it is known at one moment."""

    limit: int | None
    """Hits a window; ``None`` while nothing is known."""
    per: float | None
    """Seconds a window lasts; ``None`` while nothing is known."""
    remaining: int | None
    """Hits that may still be sent in this window; ``None`` while that is unknown."""
    resets_in: float | None
    """Seconds until a new window opens, at most; ``None`` while that is unknown."""
    in_flight: int
    """Requests on the wire."""
    waiting: int
    """Calls in the queue."""
    foreign: int
    """Hits of this window that others on the same address made, at least."""


class Lane(IntEnum):
    """Who goes first."""

    SINGLE = 0
    BULK = 1


class _Waiter(NamedTuple):
    """A call in the queue."""

    deadline: float
    owner: asyncio.Task[Any] | None


class RateLimiter:
    """Lets requests through as the server's window allows; can be shared by several clients.

    Args:
        rate_limit: What is known beforehand; ``None`` for nothing, so that the server's headers
            alone rule, and without headers there is no limit.
        max_in_flight: Requests on the wire at the same time, at most.

    Raises:
        ConfigurationError: `max_in_flight` is below 1.
    """

    def __init__(
        self,
        rate_limit: RateLimit | None = RateLimit(),
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        if max_in_flight < 1:
            raise ConfigurationError("max_in_flight must be 1 or more")
        self._told = told = rate_limit or RateLimit()
        self.max_wait, self.max_in_flight = told.max_wait, max_in_flight
        self._reserve = {Lane.SINGLE: 0, Lane.BULK: told.reserve}
        self._window = Window(
            limit=told.requests if rate_limit else None, per=told.per if rate_limit else None
        )
        self._lanes = {lane: OrderedDict[asyncio.Future[Ticket | Wait], _Waiter]() for lane in Lane}
        self._permits = dict[int, tuple[Ticket, asyncio.Task[Any] | None]]()
        self._owners = set[asyncio.Task[Any]]()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told_until = -math.inf

    def __repr__(self) -> str:
        return f"<RateLimiter {self.status(math.nan)}>"

    def status(self, now: float) -> RateLimitStatus:
        """What is known at `now`, in the event loop's seconds."""
        window = self._window
        finite = math.isfinite(window.free) and window.left is not None
        resets_in = max(window.ends.high, window.shut_until) - now
        return RateLimitStatus(
            limit=window.limit,
            per=window.per,
            remaining=max(0, int(window.free)) if finite else None,
            resets_in=max(0.0, resets_in) if math.isfinite(resets_in) else None,
            in_flight=len(self._permits),
            waiting=sum(map(len, self._lanes.values())),
            foreign=window.foreign,
        )

    @property
    def refusals(self) -> int:
        """429s since the last reply that was none."""
        return self._window.refusals

    async def acquire(
        self, lane: Lane, deadline: float, *, owner: asyncio.Task[Any] | None = None
    ) -> Ticket | Wait:
        """Wait for the permission to send one request; give it back by `settle` or `abandon`.

        Args:
            lane: Where to queue.
            deadline: When to give up, in the event loop's seconds.
            owner: Take the permission back when this task has ended. A `KeyboardInterrupt` can end
                a task between any two lines, also where it was about to give it back.

        Returns:
            The permission, or at once a `Wait` when it is known that none is to be had before
            `deadline` (in the event loop's seconds), or within `max_wait`.

        Raises:
            ConfigurationError: it is in use in another event loop.
        """
        now = self._come_home().time()
        if owner is not None:
            self._watch(owner)
        if not any(self._lanes[each] for each in Lane if each <= lane):
            admitted = self._admit(lane, now, owner)
            if isinstance(admitted, Ticket):
                return admitted
        opens_at = self._opens_at(lane, now)
        if self._is_hopeless(opens_at, deadline, now):
            return Wait(opens_at)
        return await self._queue(lane, _Waiter(deadline, owner))

    def settle(
        self, ticket: Ticket, outcome: Response | Failure, pause: float
    ) -> Sequence[RateLimitEvent]:
        """Give the permission back and tell what became of the request.

        Args:
            ticket: From `acquire`.
            outcome: What came back.
            pause: Seconds to stay away if it is a 429 that does not say for how long.

        Returns:
            What that changes for everybody.
        """
        now = asyncio.get_running_loop().time()
        before = self._window.view
        if isinstance(outcome, Failure):
            self._window.lost(ticket, now, sent=outcome.sent)
        else:
            self._read(ticket, outcome, now, pause)
        self._forget(ticket)
        news = self._window.news_since(before, now)
        self._pump()
        return news

    def _read(self, ticket: Ticket, response: Response, now: float, pause: float) -> None:
        headers = RateLimitHeaders.parse(response.headers)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._window.refused(ticket, headers, now, pause)
        elif headers.remaining is None and (response.status == 401 or response.status >= 500):
            # Neither tells whether there is a limit: a 401 comes before it, a gateway without it.
            self._window.lost(ticket, now, sent=response.status != 401)
        else:
            self._window.passed(ticket, headers, now)

    def abandon(self, ticket: Ticket, *, sent: bool) -> None:
        """Give the permission back when nobody is left to see what became of the request."""
        assert self._loop is not None
        if self._loop.is_closed():  # the call is collected after its loop; nobody waits any more
            return
        self._window.lost(ticket, self._loop.time(), sent=sent)
        self._forget(ticket)
        self._pump()

    def _watch(self, owner: asyncio.Task[Any]) -> None:
        if owner not in self._owners:
            self._owners.add(owner)
            owner.add_done_callback(self._take_back)

    def _take_back(self, owner: asyncio.Task[Any]) -> None:
        """Take back the permissions that a task still has at its end."""
        self._owners.discard(owner)
        left = [ticket for ticket, of in list(self._permits.values()) if of is owner]
        for ticket in left:
            self.abandon(ticket, sent=True)

    def _forget(self, ticket: Ticket) -> None:
        """Take `ticket` off the list of those in flight, which is what counts."""
        self._permits.pop(id(ticket), None)
        self._window.in_flight = len(self._permits)

    def _come_home(self) -> asyncio.AbstractEventLoop:
        """Belong to the running event loop; what an earlier one left behind went with it."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            if self._loop is not None and not self._loop.is_closed():
                raise ConfigurationError("this RateLimiter is in use in another event loop")
            self._loop, self._timer = loop, None
            self._window.in_flight = 0
            self._permits.clear()
            self._owners.clear()
            for waiters in self._lanes.values():
                waiters.clear()
        return loop

    async def _queue(self, lane: Lane, call: _Waiter) -> Ticket | Wait:
        waiter: asyncio.Future[Ticket | Wait] = asyncio.get_running_loop().create_future()
        try:
            self._lanes[lane][waiter] = call
            self._pump()
            return await waiter
        except BaseException:
            self._lanes[lane].pop(waiter, None)
            granted = waiter.result() if waiter.done() and not waiter.cancelled() else None
            if isinstance(granted, Ticket):
                self.abandon(granted, sent=False)
            self._drop_idle_timer()
            raise

    def _admit(self, lane: Lane, now: float, owner: asyncio.Task[Any] | None) -> Ticket | Wait:
        self._window.in_flight = len(self._permits)  # an interrupt may have come between the two
        if self._window.in_flight >= self.max_in_flight:
            return Wait(math.inf)
        # Of a limit that is not the one that was told, the same share is reserved.
        limit = self._window.limit or self._told.requests
        admitted = self._window.admit(now, self._reserve[lane] * limit // self._told.requests)
        if isinstance(admitted, Ticket):
            self._permits[id(admitted)] = admitted, owner
        return admitted

    def _pump(self) -> None:
        """Let through whoever may go, and set the timer for the next one who may not yet."""
        now = asyncio.get_running_loop().time()
        for lane, waiters in self._lanes.items():
            while waiters:
                waiter = next(iter(waiters))
                if not waiter.done():  # else cancelled, and its task has not run since
                    admitted = self._admit(lane, now, waiters[waiter].owner)
                    if isinstance(admitted, Wait):
                        self._wait(admitted.until, now)
                        return
                    waiter.set_result(admitted)
                del waiters[waiter]
        self._drop_idle_timer()

    def _drop_idle_timer(self) -> None:
        if self._timer is not None and not any(self._lanes.values()):
            self._timer.cancel()
            self._timer = None

    def _wait(self, until: float, now: float) -> None:
        if math.isinf(until):
            return
        if until > self._told_until:
            self._told_until = until
            self._tell_the_hopeless(now)
        if self._timer is not None and self._timer.when() > until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(until, self._on_timer)
        self._drop_idle_timer()  # those who have just been told were perhaps the last

    def _on_timer(self) -> None:
        self._timer = None
        self._pump()

    def _tell_the_hopeless(self, now: float) -> None:
        """Release those for whom the window opens too late; they are told now, not then."""
        ahead = 0
        for waiters in self._lanes.values():
            for waiter, (deadline, _) in list(waiters.items()):
                opens_at = self._window.opens_at(now, ahead)
                if not self._is_hopeless(opens_at, deadline, now):
                    ahead += 1
                elif not waiter.done():
                    waiter.set_result(Wait(opens_at))
                    del waiters[waiter]

    def _opens_at(self, lane: Lane, now: float) -> float:
        ahead = sum(len(self._lanes[each]) for each in Lane if each <= lane)
        return self._window.opens_at(now, ahead)

    def _is_hopeless(self, opens_at: float, deadline: float, now: float) -> bool:
        too_long = self._window.opens_at(now) - now > self.max_wait
        return opens_at > now and (opens_at > deadline or too_long)
