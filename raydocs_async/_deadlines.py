"""Deadlines for many waits at a time, on one timer.

`asyncio.timeout` costs a timer for each use, which is a tenth of what a small request costs in
all. Deadlines are there for the day when something hangs: nearly all of them are dropped unused.
So they are kept in a set; the one timer is set to the earliest that was ever asked for, and looks
at all of them when it goes off.

A cancel scope ends its body the way `asyncio.timeout` does: it cancels the task that it runs in,
and takes that one cancellation back on the way out, so that the caller's own goes through.
"""

import asyncio
import math
from types import TracebackType
from typing import Self


class CancelScope:
    """A block of code that is cancelled at a deadline, or by `Deadlines.cancel_all`.

    Raises:
        TimeoutError: in the place of the cancellation that ended it.
    """

    __slots__ = ("_cancelling", "_deadlines", "cancelled", "task", "until")

    def __init__(self, deadlines: "Deadlines", until: float) -> None:
        self._deadlines = deadlines
        self.until = until
        self.cancelled = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # a coroutine of ours runs in somebody's task
        self.task = task
        self._cancelling = task.cancelling()
        self._deadlines.add(self)
        return self

    def cancel(self) -> None:
        """Cancel the block: its next (or current) await raises."""
        if not self.cancelled:
            self.cancelled = True
            self.task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.remove(self)
        if not self.cancelled or self.task.uncancel() > self._cancelling:
            return
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from None


class Deadlines:
    """The cancel scopes that are open, on one timer."""

    def __init__(self) -> None:
        self._running: set[CancelScope] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def __len__(self) -> int:
        return len(self._running)

    @property
    def cover_current_task(self) -> bool:
        """True if the current task runs in an open scope."""
        return any(scope.task is asyncio.current_task() for scope in self._running)

    def until(self, deadline: float) -> CancelScope:
        """Return a scope that is cancelled at `deadline`, in the loop's seconds or `math.inf`."""
        return CancelScope(self, deadline)

    def cancel_all(self) -> None:
        """Cancel every open scope now, and drop the timer."""
        for scope in self._running:
            scope.cancel()
        self._set_timer(math.inf)

    def add(self, scope: CancelScope) -> None:
        """Open `scope`."""
        self._running.add(scope)
        if scope.until < self._next:
            self._set_timer(scope.until)

    def remove(self, scope: CancelScope) -> None:
        """Close `scope`. The timer stays: it is cheaper to let it find nothing than to reset it."""
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
                scope.cancel()
        waiting = (scope.until for scope in self._running if not scope.cancelled)
        self._set_timer(min(waiting, default=math.inf))
