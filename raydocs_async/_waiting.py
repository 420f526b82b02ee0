"""Waiting until sessions are finished: each is fetched again and again, when `_polling` says so."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from raydocs_async._affinity import running_loop
from raydocs_async._exchange import Request
from raydocs_async._limits._values import RateLimitStatus
from raydocs_async._outage import Health
from raydocs_async._outcome import Completed
from raydocs_async._polling import Polling, opens_in, share_of_window
from raydocs_async.errors import APITimeoutError, RateLimitError, WaitTimeoutError
from raydocs_async.models import Session

Look: TypeAlias = Callable[[Request, float | None], Awaitable[Completed[Session]]]
"""Fetches a session once, within so many seconds or without an end; returns errors."""


class Waiting:
    """The sessions that a stream waits for, in the place of a `Watch` that fetches them once.

    A look that fails for a while only means another look later, so that outages within the
    deadline are waited out.

    Args:
        look: Fetches a session.
        status: Returns the state of the rate limit.
        timeout: Seconds to wait for all sessions together; ``None`` for no end.
        interval: Seconds between two looks at one session, at least.
    """

    gave_up = False

    def __init__(
        self,
        look: Look,
        status: Callable[[], RateLimitStatus],
        *,
        timeout: float | None,
        interval: float,
        on_change: Callable[[], None],
    ) -> None:
        self.health = Health[Request]()
        self._look = look
        self._status = status
        self._timeout = timeout
        self._interval = interval
        self._on_change = on_change
        self._deadline: float | None = None
        self._waiting = 0

    async def fetch(self, request: Request) -> Completed[Session]:
        """Fetch a session until it is finished, the time is over, or an error is permanent."""
        if self._deadline is None:
            left = math.inf if self._timeout is None else self._timeout
            self._deadline = running_loop().time() + left
        self._waiting += 1
        try:
            return await self._wait(request, Polling(self._interval), self._deadline)
        finally:
            self._waiting -= 1

    async def _wait(
        self, request: Request, polling: Polling, deadline: float
    ) -> Completed[Session]:
        clock, last_good, look = running_loop().time, Completed[Session](), Completed[Session]()
        while (left := deadline - clock()) > 0:
            look = await self._look(request, None if math.isinf(left) else left)
            self._note(request, look)
            if look.model is not None:
                last_good = look
                if look.model.is_finished:
                    return look
            status = self._status()
            after = (look.error.retry_after if look.error is not None else None) or 0.0
            is_late = clock() + max(after, opens_in(status)) >= deadline
            if look.error is not None and _is_final(look, is_late=is_late):
                return look
            if is_late:
                break
            share = share_of_window(self._waiting, status)
            pause = polling.pause(look.model, after=after, share=share)
            await asyncio.sleep(min(pause, deadline - clock()))
        return self._timed_out(request, last_good, look)

    def _note(self, request: Request, look: Completed[Session]) -> None:
        """Keep the service's health, for the stream's progress."""
        if look.answered:
            self.health.answered(request, look.sent_at, found=look.model is not None)
        elif look.transient:
            self.health.failed(request, look.sent_at, running_loop().time())
        self._on_change()

    def _timed_out(
        self, request: Request, last_good: Completed[Session], look: Completed[Session]
    ) -> Completed[Session]:
        said = "" if look.error is None else f"; the last look failed: {look.error.message}"
        error = WaitTimeoutError(
            f"not finished within {self._timeout:g} s{said}",
            resource=request.resource,
            resource_id=str(request.id),
            last_seen=last_good.model,
            attempts=look.attempts,
        )
        error.__cause__ = look.error
        return Completed(error=error, attempts=look.attempts, sent_at=look.sent_at)


def _is_final(look: Completed[Session], *, is_late: bool) -> bool:
    """Return True for an error that another look cannot mend, and that is not the wait's own."""
    time_is_over = is_late and isinstance(look.error, APITimeoutError | RateLimitError)
    return not look.transient and not time_is_over
