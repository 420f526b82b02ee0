"""Deadlines for many waits at a time, on one timer.

`asyncio.timeout` costs a timer for each use, which is a tenth of what a small request costs in
all. Deadlines are there for the day when something hangs: nearly all of them are dropped unused.
So they are kept in a set; the one timer is set to the earliest that was ever asked for, and looks
at all of them when it goes off.

A scope ends its body the way `asyncio.timeout` does, by cancelling the task it runs in and taking
that one cancellation back on the way out, so that a cancellation by anybody else goes through.
"""

import asyncio
import math
from types import TracebackType
from typing import Self


class Scope:
    """A block of code that ends by a deadline, or when `Scopes.interrupt` says so.

    Raises:
        TimeoutError: in the place of the cancellation that ended it.
    """

    __slots__ = ("_cancelling", "_scopes", "ended", "task", "until")

    def __init__(self, scopes: "Scopes", until: float) -> None:
        self._scopes = scopes
        self.until = until
        self.ended = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # a coroutine of ours runs in somebody's task
        self.task = task
        self._cancelling = task.cancelling()
        self._scopes.add(self)
        return self

    def end(self) -> None:
        """End the block as soon as the event loop comes to it."""
        if not self.ended:
            self.ended = True
            self.task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._scopes.remove(self)
        if not self.ended or self.task.uncancel() > self._cancelling:
            return
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from None


class Scopes:
    """The scopes that are under way."""

    def __init__(self) -> None:
        self._running: set[Scope] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def __len__(self) -> int:
        return len(self._running)

    @property
    def hold_current_task(self) -> bool:
        """Whether whoever asks is inside one of them."""
        return any(scope.task is asyncio.current_task() for scope in self._running)

    def until(self, deadline: float) -> Scope:
        """A scope that ends by `deadline`, in the event loop's seconds; it may be infinite."""
        return Scope(self, deadline)

    def interrupt(self) -> None:
        """End all of them now, and leave no timer behind."""
        for scope in self._running:
            scope.end()
        self._set_timer(math.inf)

    def add(self, scope: Scope) -> None:
        """Watch `scope`."""
        self._running.add(scope)
        if scope.until < self._next:
            self._set_timer(scope.until)

    def remove(self, scope: Scope) -> None:
        """Watch it no more; the timer is left, and finds nothing to do."""
        self._running.discard(scope)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        finite = math.isfinite(when)
        self._timer = asyncio.get_running_loop().call_at(when, self._look) if finite else None

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for scope in self._running:
            if scope.until <= now:
                scope.end()
        waiting = (scope.until for scope in self._running if not scope.ended)
        self._set_timer(min(waiting, default=math.inf))
