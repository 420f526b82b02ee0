"""FastAPI: tests of the app's handler in this process, with the sandbox for Raydocs."""

from collections.abc import AsyncIterator

import pytest_asyncio
from fastapi_app import app, get_raydocs
from httpx import ASGITransport, AsyncClient

from raydocs_async import RaydocsClient
from raydocs_async.sandbox import Fault, Sandbox

pytest_plugins = ["raydocs_async.testing"]


@pytest_asyncio.fixture
async def web(raydocs_sandbox: Sandbox) -> AsyncIterator[AsyncClient]:
    """A client of the app, whose own client finds the sandbox by the environment."""
    async with RaydocsClient() as raydocs:
        app.dependency_overrides[get_raydocs] = lambda: raydocs
        async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
            yield client
    app.dependency_overrides.clear()


async def test_a_session_is_passed_on(web: AsyncClient, raydocs_sandbox: Sandbox) -> None:
    """The app answers with the session."""
    (session_id,) = raydocs_sandbox.ids(1)
    answer = await web.get(f"/sessions/{session_id}")
    assert answer.json() == raydocs_sandbox.session(session_id)


async def test_maintenance_is_passed_on(web: AsyncClient, raydocs_sandbox: Sandbox) -> None:
    """If Raydocs is down for an hour, the app says when to come back."""
    raydocs_sandbox.script(Fault.maintenance(retry_after=3600))
    answer = await web.get(f"/sessions/{raydocs_sandbox.ids(1)[0]}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3600")
