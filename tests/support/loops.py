"""uvloop on a virtual clock; looptime is for asyncio's own event loop, and uvloop is none."""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from itertools import count
from typing import Any, TypeVarTuple

import uvloop

Ts = TypeVarTuple("Ts")

QUIET_TURNS = 30
"""Turns of the loop in which nothing happens, after which time goes on to the next timer."""


class VirtualUvloop(uvloop.Loop):
    """Sockets are real, time is not: it stands still while anything happens, and then jumps.

    What happens shows in `call_soon`, by which every future and task goes. In each turn without,
    the sockets are looked at, so that bytes on their way arrive before time moves; and it does not
    move while a look-up runs in a thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = count()
        self._quiet = self._looking_up = 0
        super().call_soon(self._turn)

    def time(self) -> float:
        """Seconds since it was made, which nobody has waited for."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As every loop; something happens."""
        self._quiet = 0
        return super().call_soon(callback, *args, context=context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As every loop, in virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As every loop, in virtual seconds."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """As every loop; uvloop takes a thread even for an address in figures."""
        self._looking_up += 1
        try:
            return await super().getaddrinfo(*args, **kwargs)
        finally:
            self._looking_up -= 1

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """What a `TimerHandle` calls; a cancelled one is passed over when its time comes."""

    def _turn(self) -> None:
        """Let time go on if nothing else does, and look again in the next turn."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        self._quiet = 0 if self._looking_up else self._quiet + 1
        if self._timers and (self._timers[0][0] <= self._now or self._quiet > QUIET_TURNS):
            when, _, handle = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            self._quiet = 0
            super().call_soon(handle._run)
        super().call_soon(self._turn)
