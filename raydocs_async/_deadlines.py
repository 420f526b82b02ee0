"""Deadlines for many waits at a time, on one timer.

`asyncio.timeout` costs a timer for each use, which is a tenth of the CPU time of a small request.
Nearly all deadlines are dropped unused, because they matter only when something hangs. So open
scopes are in a set, and one timer is set to the earliest of their deadlines. When it fires, it
checks all of them.

A cancel scope ends its body as `asyncio.timeout` does: it cancels the task that it runs in, and
takes its own cancellation back at the exit, so that a cancellation by the caller passes through.

A reply that has arrived wins over a deadline. If code of the caller blocks the event loop past a
deadline, the timer and the socket are both ready in the loop's next turn. The task that waits for
the socket wakes a few turns later, so a timer that cancelled at once would lose a reply that is
already there. So the scopes are cancelled `GRACE` turns of the loop after their deadline.
"""

import asyncio
import math
from contextlib import suppress
from types import TracebackType
from typing import Self

from raydocs_async._affinity import current_task, running_loop

GRACE = 30
"""Turns of the event loop after a deadline: enough to read some 1 MiB that has arrived."""


class CancelScope:
    """A block of code that is cancelled at a deadline, or by `Deadlines.cancel_all`.

    Raises:
        TimeoutError: at the exit, in the place of the cancellation at the deadline.
    """

    __slots__ = ("_cancelling", "_deadlines", "cancelled", "task", "until")

    def __init__(self, deadlines: "Deadlines", until: float) -> None:
        self._deadlines = deadlines
        self.until = until
        self.cancelled = False

    def __enter__(self) -> Self:
        self.task = current_task()
        self._cancelling = self.task.cancelling()
        self._deadlines.add(self)
        return self

    @property
    def is_orphaned(self) -> bool:
        """True if the task will never run again: it is done, or its event loop is closed."""
        return self.task.done() or self.task.get_loop().is_closed()

    def cancel(self) -> None:
        """Cancel the block: its current or next await raises `CancelledError`."""
        if not self.cancelled and not self.is_orphaned:
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
        self._timer: asyncio.Handle | None = None
        self._fires_at = math.inf
        self._closed = asyncio.Event()

    def __len__(self) -> int:
        """Count the open scopes, without orphaned ones."""
        return sum(not scope.is_orphaned for scope in self._running)

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

    async def wait_until_empty(self, timeout: float) -> None:
        """Wait until every scope is closed, for at most `timeout` seconds.

        An interrupt can end a task without closing its scope, and nothing reports that. So this
        checks the scopes again from time to time.
        """
        give_up_at = running_loop().time() + timeout
        while self and running_loop().time() < give_up_at:
            self._closed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout / 50):
                    await self._closed.wait()

    def add(self, scope: CancelScope) -> None:
        """Open `scope`."""
        self._running.add(scope)
        # An interrupt can make the event loop lose the timer, whose time is then long over.
        if scope.until < self._fires_at or self._fires_at < scope.task.get_loop().time() - 1:
            self._set_timer(min(each.until for each in self._running if not each.cancelled))

    def remove(self, scope: CancelScope) -> None:
        """Close `scope`. The timer stays, because resetting it for each scope would cost more."""
        self._running.discard(scope)
        if not self._running:
            self._closed.set()

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = when
        finite = math.isfinite(when)
        self._timer = running_loop().call_at(when, self._on_timer) if finite else None

    def _on_timer(self, grace: int = GRACE) -> None:
        if grace:
            self._timer = running_loop().call_soon(self._on_timer, grace - 1)
            return
        # A timer fires up to one clock resolution early. Its scope counts as due, because a timer
        # for the rest of that time would fire at once, again and again.
        now = max(running_loop().time(), self._fires_at)
        self._running = {scope for scope in self._running if not scope.is_orphaned}
        for scope in self._running:
            if scope.until <= now:
                scope.cancel()
        waiting = (scope.until for scope in self._running if not scope.cancelled)
        self._set_timer(min(waiting, default=math.inf))
