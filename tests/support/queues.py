"""Steps of callers of a `RateLimiter`, and replies for them."""

import asyncio
import math
from collections.abc import Callable

from raydocs_async import RateLimit, RateLimiter
from raydocs_async._classify import observe
from raydocs_async._exchange import Failure, Response
from raydocs_async._headers import Unseen
from raydocs_async._limits._values import Lane, Ticket
from raydocs_async.sandbox import Throttle
from tests.support.loops import now
from tests.support.windows import pausing

ROUND_TRIP = 0.05
ONE_SECOND = pausing(1)


def reply(remaining: int, *, limit: int = 100) -> Response:
    """Return a reply that passed the throttle."""
    return Response(
        200, {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}, b""
    )


def too_many(retry_after: str | None = None) -> Response:
    """Return a 429."""
    return Response(429, {} if retry_after is None else {"Retry-After": retry_after}, b"")


def settle(
    limiter: RateLimiter,
    ticket: Ticket,
    outcome: Response | Failure,
    pause: Callable[[int], float] = ONE_SECOND,
) -> None:
    """Settle the ticket with the result of its request."""
    limiter.settle(ticket, observe(outcome), pause)


async def acquire(
    limiter: RateLimiter, lane: Lane = Lane.SINGLE, *, timeout: float = math.inf
) -> Ticket:
    """Wait for a ticket, and return it."""
    ticket = await limiter.acquire(lane, now() + timeout)
    assert isinstance(ticket, Ticket)
    return ticket


async def request(limiter: RateLimiter, throttle: Throttle) -> bool:
    """Make one request, which the server must not refuse."""
    ticket = await acquire(limiter)
    assert not throttle.refuses(now())
    throttle.hit(now())
    headers = throttle.passed_headers(now())
    try:
        await asyncio.sleep(ROUND_TRIP)
    except asyncio.CancelledError:
        limiter.settle(ticket, Unseen())
        raise
    settle(limiter, ticket, Response(200, headers, b""))
    return True


async def exhausted(*, limit: int = 3, per: float = 60.0, reserve: int = 0) -> RateLimiter:
    """Return a limiter whose window has just been used up."""
    limiter = RateLimiter(RateLimit(requests=limit, per=per, reserve=reserve))
    settle(limiter, await acquire(limiter), reply(limit - 1, limit=limit))
    for left in range(limit - 2, reserve - 1, -1):
        settle(limiter, await acquire(limiter), reply(left, limit=limit))
    return limiter
