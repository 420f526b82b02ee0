"""The limiter of what no rate limit counts."""

import math

import pytest

from raydocs_async._headers import Unseen
from raydocs_async._limits._unlimited import UNLIMITED
from raydocs_async._limits._values import Lane, Ticket


@pytest.mark.looptime
async def test_it_grants_everything() -> None:
    """Any number of requests go at once, and nothing is learnt from them."""
    for _ in range(1000):
        ticket = await UNLIMITED.acquire(Lane.BULK, math.inf)
        assert isinstance(ticket, Ticket)
        assert UNLIMITED.settle(ticket, Unseen()) == ()
    assert UNLIMITED.status(0.0).remaining is None
    await UNLIMITED.close()
