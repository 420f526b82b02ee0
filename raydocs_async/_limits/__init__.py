"""The rate limit: the times at which requests may be sent, so that the server refuses none.

The rest of the package uses the protocol `Limiter`. A backend is one module; `_queue` is the
backend for a single process. `_window`, `_period` and `_tracker` estimate the server's windows, as
pure state machines that any backend may use.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from raydocs_async._headers import Observation
from raydocs_async._limits._values import Lane, RateLimitStatus, Ticket, Wait
from raydocs_async.events import RateLimitEvent


class Limiter(Protocol):
    """Admission of requests to a server that limits their rate.

    A caller acquires a ticket, sends one request, and settles the ticket. It holds no ticket while
    it sleeps, and it settles every ticket, also when it is cancelled or interrupted by a signal.
    Times are in the running event loop's seconds.
    """

    max_wait: float
    """The longest time that a caller waits for the next window, in seconds; `acquire` returns a
    `Wait` at once for a window that opens later. The time spent behind other callers is not
    limited by it."""

    async def acquire(self, lane: Lane, deadline: float) -> Ticket | Wait:
        """Wait until one request may be sent.

        Callers are admitted first come, first served, within their lane; a lane is served only
        while no lane above it has waiters. If a waiting caller is cancelled, or a signal
        interrupts it, its place in the queue and its ticket are free again.

        Args:
            lane: Priority of the request.
            deadline: When the caller gives up; ``math.inf`` for never.

        Returns:
            A ticket with `Ticket.sent_at` set to now, or a `Wait` as soon as it is known that
            `deadline` or `max_wait` ends before a ticket is free.

        Raises:
            ConfigurationError: another event loop that is still open uses this limiter.
        """
        ...

    def settle(
        self,
        ticket: Ticket,
        observation: Observation,
        pause: Callable[[int], float] = float,
    ) -> Sequence[RateLimitEvent]:
        """Give `ticket` back, and learn from the reply to its request.

        A ticket is settled once: settling it again changes nothing. So a caller whose `settle` was
        interrupted settles the ticket again as `Unseen`.

        Args:
            ticket: From `acquire`.
            observation: Evidence of whether the server counted the request: `NotCounted` if it was
                never sent, `Unseen` if no reply was read.
            pause: Called with the number of consecutive refusals after a 429 without Retry-After;
                returns the seconds during which nothing is sent; by default, one for each refusal.

        Returns:
            Changes that concern every caller, for the event hook.
        """
        ...

    def status(self, now: float) -> RateLimitStatus:
        """Return what is known at `now`; callable from outside the event loop."""
        ...

    async def close(self) -> None:
        """Close what connects this limiter with others, if anything does.

        A client calls this when it is closed; a limiter that clients share goes on.
        """
