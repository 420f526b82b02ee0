"""Fixtures for tests of the running sandbox: HTTP sessions, which know nothing of it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from raydocs_async.sandbox import Sandbox
from tests.support.plain_http import Connect


@pytest.fixture(scope="session", autouse=True)
def no_implicit_loop() -> None:
    """Keep looptime from making a loop of its own, never closed, when a plain test runs first."""
    asyncio.set_event_loop(None)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Return a function that opens HTTP sessions with the right token, closed after the test."""
    opened: list[aiohttp.ClientSession] = []

    def open_session(api: Sandbox) -> aiohttp.ClientSession:
        """Open an HTTP session, to which a session's id is a relative URL."""
        headers = {"Authorization": f"Bearer {api.token}", "Accept": "application/json"}
        opened.append(aiohttp.ClientSession(f"{api.url}/extractions/sessions/", headers=headers))
        return opened[-1]

    yield open_session
    for session in opened:
        await session.close()


@pytest.fixture
async def http(api: Sandbox, connect: Connect) -> aiohttp.ClientSession:
    """An HTTP session with the right token, to which a session's id is a relative URL."""
    return connect(api)
