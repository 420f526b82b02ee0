"""The limiter of requests without a rate limit, such as those to a file's storage."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from raydocs_async._affinity import running_loop
from raydocs_async._headers import Observation
from raydocs_async._limits import Limiter
from raydocs_async._limits._values import Lane, RateLimitStatus, Ticket, Wait
from raydocs_async.events import RateLimitEvent


class Unlimited(Limiter):
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
        """Do nothing, because there is nothing to learn."""
        return ()

    def status(self, now: float) -> RateLimitStatus:
        """Return a status without any number."""
        return RateLimitStatus(
            limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
        )

    async def close(self) -> None:
        """Do nothing, because nothing is open."""


UNLIMITED: Final = Unlimited()
