"""Waiting until sessions are finished: polls each of them at the times that `_polling` computes."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from raydocs_async._affinity import running_loop
from raydocs_async._durations import in_seconds
from raydocs_async._exchange import Request
from raydocs_async._limits._values import RateLimitStatus
from raydocs_async._outage import Health
from raydocs_async._outcome import CallResult
from raydocs_async._polling import PollSchedule, opens_in, share_of_window
from raydocs_async.errors import APITimeoutError, RateLimitError, WaitTimeoutError
from raydocs_async.models import Session

Poll: TypeAlias = Callable[[Request, float | None], Awaitable[CallResult[Session]]]
"""Fetches a session once, within so many seconds or ``None`` for no limit; returns errors."""


class PollingFetcher:
    """Fetches each session of a stream until it is finished.

    After a temporary failure it polls again, so that outages within the deadline are waited out.

    Args:
        poll: Fetches a session once.
        sleep: Sleeps so many seconds between two polls of a session.
        status: Returns the state of the rate limit.
        timeout: Seconds to wait for all sessions together; ``None`` for no limit.
        interval: Seconds between two polls of one session, at least.
        on_change: Called when `health` may have changed.
    """

    gave_up = False
    """Always false: an outage ends the wait for each session by the deadline alone."""

    def __init__(
        self,
        poll: Poll,
        sleep: Callable[[float], Awaitable[None]],
        status: Callable[[], RateLimitStatus],
        *,
        timeout: float | None,
        interval: float,
        on_change: Callable[[], None],
    ) -> None:
        self.health = Health[Request]()
        self._poll = poll
        self._sleep = sleep
        self._status = status
        self._timeout = timeout
        self._interval = interval
        self._on_change = on_change
        self._deadline: float | None = None
        self._waiting = 0

    async def fetch(self, request: Request) -> CallResult[Session]:
        """Fetch a session until it is finished, the time is over, or an error is permanent."""
        if self._deadline is None:
            left = math.inf if self._timeout is None else self._timeout
            self._deadline = running_loop().time() + left
        self._waiting += 1
        try:
            return await self._wait(request, PollSchedule(self._interval), self._deadline)
        finally:
            self._waiting -= 1

    async def _wait(
        self, request: Request, schedule: PollSchedule, deadline: float
    ) -> CallResult[Session]:
        clock, last_good, result = running_loop().time, CallResult[Session](), CallResult[Session]()
        while (left := deadline - clock()) > 0:
            result = await self._poll(request, None if math.isinf(left) else left)
            self._record(request, result)
            if result.model is not None:
                last_good = result
                if result.model.is_finished:
                    return result
            # A window that opens after the deadline lets no further poll pass, so that waiting for
            # it would only delay the same answer.
            status = self._status()
            after = (result.error.retry_after if result.error is not None else None) or 0.0
            is_late = clock() + max(after, opens_in(status)) >= deadline
            if result.error is not None and _is_final(result, is_late=is_late):
                return result
            if is_late:
                break
            share = share_of_window(self._waiting, status)
            pause = schedule.next_pause(
                result.model, after=after, share=share, left=deadline - clock()
            )
            await self._sleep(pause)
        return self._timed_out(request, last_good, result, is_early=clock() < deadline)

    def _record(self, request: Request, result: CallResult[Session]) -> None:
        """Keep the service's health, for the stream's progress."""
        if result.answered:
            self.health.record_answer(request, result.sent_at, found=result.model is not None)
        elif result.transient:
            self.health.record_failure(request, result.sent_at, running_loop().time())
        self._on_change()

    def _timed_out(
        self,
        request: Request,
        last_good: CallResult[Session],
        result: CallResult[Session],
        *,
        is_early: bool,
    ) -> CallResult[Session]:
        assert self._timeout is not None  # without a deadline, nothing is late
        said = ""
        if result.error is not None:
            said = f"; the last poll failed: {result.error.message}"
        elif is_early:
            said = "; the rate limit allows no further poll in this time"
        error = WaitTimeoutError(
            f"not finished within {in_seconds(self._timeout)}{said}",
            resource=request.resource,
            resource_id=str(request.id),
            last_seen=last_good.model,
            attempts=result.attempts,
        )
        # Set by hand, because the stream's consumer raises the error, if at all.
        error.__cause__ = result.error
        return CallResult(error=error, attempts=result.attempts, sent_at=result.sent_at)


def _is_final(result: CallResult[Session], *, is_late: bool) -> bool:
    """Return True for an error that another poll cannot mend.

    An error of a last, late poll that only ran out of time is not final: the wait has timed out.
    """
    time_is_over = is_late and isinstance(result.error, APITimeoutError | RateLimitError)
    return not result.transient and not time_is_over
