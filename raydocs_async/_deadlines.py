"""Deadlines for many waits at a time, on one timer.

`asyncio.timeout` costs a timer for each use, which is a tenth of what a small request costs in
all. Deadlines are there for the day when something hangs: nearly all of them are dropped unused.
So they are kept in a set; the one timer is set to the earliest that was ever asked for, and looks
at all of them when it goes off.

A cancel scope ends its body the way `asyncio.timeout` does: it cancels the task that it runs in,
and takes that one cancellation back on the way out, so that the caller's own goes through.

A reply that has arrived wins over a deadline. When code of the caller blocks the event loop past
a deadline, the timer and the socket are both ready in the loop's next turn; the task that waits
for the socket wakes a few turns later, and a timer that cancelled at once would throw away a reply
that is already here. So the scopes are cancelled some turns of the loop after their deadline.
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
        TimeoutError: in the place of the cancellation that ended it.
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
        """True if its task will not run any more, so that nothing is left to cancel."""
        return self.task.done() or self.task.get_loop().is_closed()

    def cancel(self) -> None:
        """Cancel the block: its next (or current) await raises."""
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
        self._next = math.inf
        self._closed = asyncio.Event()

    def __len__(self) -> int:
        """Count the open scopes, without those that an interrupt or a closed loop has left over."""
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

    async def wait_until_empty(self, patience: float) -> None:
        """Wait until every scope is closed, for at most `patience` seconds.

        An interrupt can end a task without closing its scope, and nothing reports that. So the
        scopes are looked at again from time to time.
        """
        give_up_at = running_loop().time() + patience
        while self and running_loop().time() < give_up_at:
            self._closed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience / 50):
                    await self._closed.wait()

    def add(self, scope: CancelScope) -> None:
        """Open `scope`."""
        self._running.add(scope)
        # An interrupt can make the event loop lose the timer; then its time is long over.
        if scope.until < self._next or self._next < running_loop().time() - 1:
            self._set_timer(min(each.until for each in self._running if not each.cancelled))

    def remove(self, scope: CancelScope) -> None:
        """Close `scope`. The timer stays: it is cheaper to let it find nothing than to reset it."""
        self._running.discard(scope)
        self._closed.set()

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        finite = math.isfinite(when)
        self._timer = running_loop().call_at(when, self._look) if finite else None

    def _look(self, grace: int = GRACE) -> None:
        if grace:
            self._timer = running_loop().call_soon(self._look, grace - 1)
            return
        # A timer fires up to one clock resolution early. Its scope is due all the same, because a
        # timer for what is left of that would fire at once, again and again.
        now = max(running_loop().time(), self._next)
        self._running = {scope for scope in self._running if not scope.is_orphaned}
        for scope in self._running:
            if scope.until <= now:
                scope.cancel()
        waiting = (scope.until for scope in self._running if not scope.cancelled)
        self._set_timer(min(waiting, default=math.inf))
