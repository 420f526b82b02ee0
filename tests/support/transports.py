"""An open transport, and the result of its next exchange."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from raydocs_async._aiohttp import AiohttpTransport
from raydocs_async._exchange import Failure, Response
from tests.support.clients import GET, SESSION_ID, transport_for
from tests.support.replies import reply, session_json

GOOD = reply(session_json(SESSION_ID))


@asynccontextmanager
async def open_transport(base_url: str, **options: Any) -> AsyncIterator[AiohttpTransport]:
    """Open a transport, and close it at the end."""
    transport = transport_for(base_url, **options)
    try:
        yield transport
    finally:
        await transport.close()


async def failure_of(transport: AiohttpTransport) -> Failure:
    """Return the failure with which the next exchange ends."""
    outcome = await transport.send(GET)
    assert isinstance(outcome, Failure)
    return outcome


async def response_of(transport: AiohttpTransport) -> Response:
    """Return the response that the next exchange brings."""
    outcome = await transport.send(GET)
    assert isinstance(outcome, Response)
    return outcome
