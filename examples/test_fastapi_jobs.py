"""FastAPI with jobs: its server as its users run it, and the document that it publishes."""

import asyncio
from typing import Any

import pytest
from fastapi_jobs import app
from test_examples import BY_SIGNAL, SOON, App, Server, serving, until

from raydocs_async.sandbox import Sandbox

JOBS = App("-m uvicorn fastapi_jobs:app --uds {socket}", exit_code=BY_SIGNAL)

pytestmark = pytest.mark.timeout(60)


async def read(server: Server, path: str) -> Any:
    """What the app answers at `path`."""
    async with server.http.get(path) as reply:
        return await reply.json()


async def start(server: Server, ids: list[str]) -> str:
    """Start a job, and return the path of its state."""
    async with server.http.post("/jobs", json=ids) as reply:
        return f"/jobs/{(await reply.json())['id']}"


async def test_invoices() -> None:
    """A session is answered as the app's own model, with the data that Raydocs extracted."""
    async with Sandbox() as api, serving(JOBS, api) as server:
        (session_id,) = api.ids(1)
        answer = await read(server, f"/sessions/{session_id}")
        extracted = api.session(session_id)["results"][0]["data"]["invoice"]
    assert answer["id"] == session_id
    assert answer["invoices"][0]["invoice"]["number"] == extracted["number"]


async def test_a_job_beside_requests() -> None:
    """A job goes on in the background, tells its progress, and finishes."""
    async with Sandbox() as api, serving(JOBS, api) as server:
        job = await start(server, [*api.ids(30), "11111111-1111-4111-8111-111111111111"])
        async with asyncio.timeout(SOON):
            while (state := await read(server, job))["state"] == "running":  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.01)
    assert (state["state"], state["done"], state["failed"]) == ("finished", 31, 1)


async def test_a_job_ends_with_the_app() -> None:
    """On SIGTERM a running job is cancelled, and the process ends at once and without complaint."""
    async with Sandbox(limit=25) as api, serving(JOBS, api) as server:
        await start(server, api.ids(200))
        await until(lambda: api.stats.requests >= 5, SOON)
        async with asyncio.timeout(SOON):
            await server.stop()
        assert server.process.returncode == JOBS.exit_code
        assert api.stats.requests < 25


async def test_health_asks_nobody() -> None:
    """The health check tells the rate limit, and sends Raydocs nothing."""
    async with Sandbox(limit=100) as api, serving(JOBS, api) as server:
        await read(server, f"/sessions/{api.ids(1)[0]}")
        health = await read(server, "/health")
        assert (health["limit"], health["remaining"]) == (100, 99)
        assert api.stats.requests == 1


def test_every_answer_has_a_model() -> None:
    """The OpenAPI document names a model for each answer."""
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            success = next(status for status in operation["responses"] if status.startswith("2"))
            schema = operation["responses"][success]["content"]["application/json"]["schema"]
            assert "$ref" in schema, (method, path)
