"""aiohttp.web: run it with ``python aiohttp_app.py``."""

import logging
import math
import os
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from raydocs_async import (
    APITimeoutError,
    InvalidIdError,
    NotFoundError,
    RaydocsClient,
    RaydocsError,
    converter,
)

DEADLINE = 5.0
"""Seconds that a request waits for Raydocs, the rate limit's queue included."""

RAYDOCS = web.AppKey("RAYDOCS", RaydocsClient)

log = logging.getLogger(__name__)


async def open_raydocs(app: web.Application) -> AsyncIterator[None]:
    """One client for the process, so that all requests share one view of the rate limit."""
    async with RaydocsClient() as raydocs:
        app[RAYDOCS] = raydocs
        yield


async def read_session(request: web.Request) -> web.Response:
    """The session as Raydocs has it."""
    session_id = request.match_info["session_id"]
    session = await request.app[RAYDOCS].get_session(session_id, timeout=DEADLINE)
    return web.Response(body=converter.dumps(session), content_type="application/json")


@web.middleware
async def catch_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler meets at Raydocs."""
    try:
        return await handler(request)
    except RaydocsError as error:
        return answer_error(error)


def answer_error(error: RaydocsError) -> web.Response:
    """Say what it means to our client; the log has the rest."""
    headers = {}
    match error:
        case InvalidIdError():
            status = HTTPStatus.BAD_REQUEST
        case NotFoundError():
            status = HTTPStatus.NOT_FOUND
        case RaydocsError(retry_after=float(seconds)):  # the rate limit, or maintenance
            status = HTTPStatus.SERVICE_UNAVAILABLE
            headers["Retry-After"] = str(math.ceil(seconds))
        case APITimeoutError():
            status = HTTPStatus.GATEWAY_TIMEOUT
        case _:
            status = HTTPStatus.BAD_GATEWAY
            log.error("%s", error)
    return web.json_response({"detail": status.phrase}, status=status, headers=headers)


def create_app() -> web.Application:
    """The app, and the client that it opens and closes."""
    app = web.Application(middlewares=[catch_errors])
    app.cleanup_ctx.append(open_raydocs)
    app.router.add_get("/sessions/{session_id}", read_session)
    return app


if __name__ == "__main__":
    path = os.environ.get("SOCKET")  # or else port 8080
    # Without handler_cancellation a call goes on when the client that wanted it has gone away.
    web.run_app(create_app(), path=path, handler_cancellation=True)
