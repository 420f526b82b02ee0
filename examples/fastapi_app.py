"""FastAPI: run it with ``uvicorn fastapi_app:app``."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from raydocs_async import APITimeoutError, NotFoundError, RaydocsClient, RaydocsError, converter

DEADLINE = 5.0
"""Seconds that a request waits for Raydocs, the rate limit's queue included."""

T = TypeVar("T")
log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, RaydocsClient]]:
    """One client for the process, so that all requests share one view of the rate limit."""
    async with RaydocsClient() as raydocs:
        yield {"raydocs": raydocs}


def get_raydocs(request: Request) -> RaydocsClient:
    """The client; tests replace it by ``app.dependency_overrides``."""
    raydocs: RaydocsClient = request.state.raydocs
    return raydocs


app = FastAPI(lifespan=lifespan)


@app.get("/sessions/{session_id}")
async def read_session(
    session_id: UUID, request: Request, raydocs: Annotated[RaydocsClient, Depends(get_raydocs)]
) -> Response:
    """The session as Raydocs has it; FastAPI itself refuses what is no UUID, with a 422."""
    call = raydocs.get_session(session_id, timeout=DEADLINE)
    session = await while_connected(request, call)
    return Response(converter.dumps(session), media_type="application/json")


@app.exception_handler(RaydocsError)
async def answer_error(request: Request, error: RaydocsError) -> JSONResponse:
    """Say what it means to our client; the log has the rest."""
    headers = {}
    match error:
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
    return JSONResponse({"detail": status.phrase}, status, headers)


async def while_connected(request: Request, call: Coroutine[Any, Any, T]) -> T:
    """Await `call`, and cancel it when our client goes away, which FastAPI does not do."""
    task = asyncio.create_task(call)
    gone = asyncio.create_task(disconnection(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(499, "nobody reads this")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.wait([task, gone])


async def disconnection(request: Request) -> None:
    """Wait until our client goes away; a body that is needed has to be read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
