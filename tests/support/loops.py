"""The time of event loops, and a virtual clock for uvloop, which looptime does not support."""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from itertools import count
from typing import Any, TypeVarTuple

import uvloop

Ts = TypeVarTuple("Ts")

QUIET_TURNS = 30
"""Quiet turns of the loop after which time jumps to the next timer."""


def now() -> float:
    """Return the event loop's time, in seconds; it is virtual in tests marked `looptime`."""
    return asyncio.get_running_loop().time()


class VirtualUvloop(uvloop.Loop):
    """A loop with real sockets and virtual time, which jumps to the next timer when all is quiet.

    A turn is quiet without a `call_soon`, because every future and task uses that. Each turn polls
    the sockets, so that bytes on their way arrive before time jumps; and time does not jump while
    a look-up runs in a thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self._quiet = self._looking_up = 0
        super().call_soon(self._turn)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call soon, as every loop does; this turn is not quiet."""
        self._quiet = 0
        return super().call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call later, as every loop does, in virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a time, as every loop does, in virtual seconds."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Look up a name; uvloop uses a thread for it, even for an IP address."""
        self._looking_up += 1
        try:
            return await super().getaddrinfo(*args, **kwargs)
        finally:
            self._looking_up -= 1

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing at a `TimerHandle.cancel`; the timer is skipped when its time comes."""

    def _turn(self) -> None:
        """Let time jump if all is quiet, and look again in the next turn."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        self._quiet = 0 if self._looking_up else self._quiet + 1
        if self._timers and (self._timers[0][0] <= self._now or self._quiet > QUIET_TURNS):
            when, _, handle = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            self._quiet = 0
            super().call_soon(handle._run)
        super().call_soon(self._turn)
