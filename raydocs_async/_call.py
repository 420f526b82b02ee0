"""Mutable state of one call, which the engine carries from step to step."""

import math
from typing import Any

from attrs import define

from raydocs_async._endpoints import Endpoint
from raydocs_async._exchange import Request
from raydocs_async._journal import Journal
from raydocs_async._limits import Limiter
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async._retry import Patience


@define(eq=False)
class Call:
    """Mutable state of one call."""

    request: Request
    endpoint: Endpoint[Any]
    lane: Lane
    deadline: float
    """The time at which the call is cancelled, in the event loop's seconds."""
    patience: Patience | None
    journal: Journal
    limiter: Limiter
    phase: str = "waiting for the rate limit"
    """The current activity, for the message of a call that exceeds its deadline."""
    ticket: Ticket | Wait | None = None
    """The rate limit's last answer."""
    sent_at: float = -math.inf
    """When the last request was sent, in the event loop's seconds; ``-inf`` before the first."""
