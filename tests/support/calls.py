"""Calls of a client on the sandbox or on a scripted server, and their replies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from raydocs_async import RaydocsClient
from raydocs_async.sandbox import Sandbox
from tests.support.clients import SESSION_ID
from tests.support.replies import reply, session_json

GOOD = reply(session_json(SESSION_ID))
"""A complete reply with the session `SESSION_ID`."""
THIRD_ID = "550e8400-e29b-41d4-a716-446655440000"


def error_reply(status: int, **headers: str) -> bytes:
    """Return an error reply of the framework."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(b'{"message": "so it is"}', status=f"{status} Odd", headers=named)


@asynccontextmanager
async def sandbox_client(
    sandbox: Sandbox, *, token: str | None = None, **options: Any
) -> AsyncIterator[RaydocsClient]:
    """Open a client of `sandbox`; at the end no call of it may be in flight or in the queue."""
    client = RaydocsClient(token or sandbox.token, base_url=sandbox.url, **options)
    async with client:
        yield client
        assert client.rate_limit_status.in_flight == 0
        assert client.rate_limit_status.waiting == 0
