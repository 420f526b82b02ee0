"""Clients and their parts as the tests want them: no limit, no jitter, nothing from outside."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from raydocs_async import RaydocsClient, RetryPolicy
from raydocs_async._aiohttp import AiohttpTransport, ConnectionOptions
from raydocs_async._deadlines import Deadlines
from raydocs_async._exchange import Request
from raydocs_async._secret import Secret

TOKEN = "tok-5ecr3t-0123456789"
SESSION_ID = "770e8400-e29b-41d4-a716-446655440000"
OTHER_ID = "660e8400-e29b-41d4-a716-446655440000"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""The id of a session that no sandbox has."""

ONCE = RetryPolicy(attempts=1)
THRICE = RetryPolicy(attempts=3)
GET = Request(f"/extractions/sessions/{SESSION_ID}", "session", UUID(SESSION_ID))


def client_for(base_url: str, **options: Any) -> RaydocsClient:
    """A client that knows of no rate limit and tries once, but for `options`."""
    defaults: dict[str, Any] = {"rate_limit": None, "retry": ONCE}
    return RaydocsClient(TOKEN, base_url=base_url, **defaults | options)


def transport_for(base_url: str, **options: Any) -> AiohttpTransport:
    """A transport with small caps, but for `options`."""
    defaults: dict[str, Any] = {
        "base_url": base_url,
        "http_session": None,
        "allow_http": False,
        "max_response_bytes": 64 * 1024,
        "max_connections": 10,
        "attempt_timeout": 5.0,
        "trace_configs": (),
    }
    deadlines = options.pop("deadlines", None) or Deadlines()
    connection = ConnectionOptions(**defaults | options)
    return AiohttpTransport(connection, Secret(TOKEN), deadlines, "tests")


async def until(condition: Callable[[], object]) -> None:
    """Let the event loop turn, with no time passing on a virtual clock, until `condition` holds."""
    turns = 0
    while not condition():
        turns += 1
        assert turns < 20_000, "it did not come to that"
        await asyncio.sleep(0)


async def turns_of_the_loop(turns: int = 50) -> None:
    """Let bytes that are on their way arrive, with no time passing on a virtual clock."""
    for _ in range(turns):
        await asyncio.sleep(0)
