"""Requests to a running sandbox, by a client that knows nothing of it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

from raydocs_async.sandbox import Sandbox

Connect = Callable[[Sandbox], aiohttp.ClientSession]


async def get(http: aiohttp.ClientSession, target: str, **options: Any) -> aiohttp.ClientResponse:
    """Send a request, and return the reply, read to its end."""
    async with http.get(target, allow_redirects=False, **options) as response:
        await response.read()
        return response


async def statuses(http: aiohttp.ClientSession, *targets: str) -> list[int]:
    """Return the statuses of requests that are sent one after another."""
    return [(await get(http, target)).status for target in targets]


async def exchange(api: Sandbox, session_id: str) -> bytes:
    """Return all bytes of one reply, read without an HTTP client."""
    address = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(*address)
    head = f"GET /extractions/sessions/{session_id} HTTP/1.1\r\nHost: x\r\n"
    writer.write(f"{head}Authorization: Bearer {api.token}\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
