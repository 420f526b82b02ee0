"""aiohttp.web with a bulk job beside it: run it with ``python bulk_beside_requests.py IDS.txt``.

Both draw on one rate limit, and of each of its windows 20 requests are kept for the handlers.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from raydocs_async import RateLimit, RaydocsClient, RaydocsError, converter

RAYDOCS = web.AppKey("RAYDOCS", RaydocsClient)
IDS = web.AppKey("IDS", list[str])

log = logging.getLogger(__name__)


async def open_raydocs(app: web.Application) -> AsyncIterator[None]:
    """The client of both."""
    async with RaydocsClient(rate_limit=RateLimit(reserve=20)) as raydocs:
        app[RAYDOCS] = raydocs
        yield


async def run_job(app: web.Application) -> AsyncIterator[None]:
    """Begin the job with the app, and end it before the client is closed."""
    job = asyncio.create_task(fetch_all(app[RAYDOCS], app[IDS]))
    yield
    job.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job


async def fetch_all(raydocs: RaydocsClient, ids: list[str]) -> None:
    """Fetch them as fast as the rate limit lets a job that comes second."""
    try:
        async with raydocs.stream_sessions(ids) as stream:
            async for outcome in stream:
                log.info("%s: %s", outcome.id, outcome.error or "fetched")
    except RaydocsError:
        log.exception("the job could not be finished")


async def read_session(request: web.Request) -> web.Response:
    """A session for somebody who waits for it."""
    session_id = request.match_info["session_id"]
    session = await request.app[RAYDOCS].get_session(session_id, timeout=5.0)
    return web.Response(body=converter.dumps(session), content_type="application/json")


def create_app(ids: list[str]) -> web.Application:
    """The app. What is entered last is left first."""
    app = web.Application()
    app[IDS] = ids
    app.cleanup_ctx.extend([open_raydocs, run_job])
    app.router.add_get("/sessions/{session_id}", read_session)
    return app


if __name__ == "__main__":
    path = os.environ.get("SOCKET")  # or else port 8080
    app = create_app(Path(sys.argv[1]).read_text(encoding="utf-8").split())
    web.run_app(app, path=path, handler_cancellation=True)
