"""The limiter of requests that no rate limit counts, such as those to a file's storage."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from raydocs_async._affinity import running_loop
from raydocs_async._headers import Observation
from raydocs_async._limits._values import Lane, RateLimitStatus, Ticket, Wait
from raydocs_async.events import RateLimitEvent


class Unlimited:
    """Grants every request at once."""

    max_wait = math.inf

    async def acquire(self, lane: Lane, deadline: float) -> Ticket | Wait:
        """Return a ticket."""
        return Ticket(running_loop().time())

    def settle(
        self,
        ticket: Ticket,
        observation: Observation,
        pause: Callable[[int], float] = float,
    ) -> Sequence[RateLimitEvent]:
        """Learn nothing."""
        return ()

    def status(self, now: float) -> RateLimitStatus:
        """Return that nothing is known."""
        return RateLimitStatus(
            limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
        )


UNLIMITED: Final = Unlimited()
