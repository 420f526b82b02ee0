"""Litestar: run it with ``granian --interface asgi litestar_app:app``."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from raydocs_async import APITimeoutError, NotFoundError, RaydocsClient, RaydocsError, converter

DEADLINE = 5.0
"""Seconds that a request waits for Raydocs, the rate limit's queue included."""

AnyRequest: TypeAlias = Request[Any, Any, Any]
T = TypeVar("T")
log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """One client for the process, so that all requests share one view of the rate limit."""
    async with RaydocsClient() as raydocs:
        app.state.raydocs = raydocs
        yield


async def get_raydocs(state: State) -> RaydocsClient:
    """The client."""
    raydocs: RaydocsClient = state.raydocs
    return raydocs


@get("/sessions/{session_id:str}", media_type=MediaType.JSON)
async def read_session(
    session_id: FromPath[UUID], request: AnyRequest, raydocs: NamedDependency[RaydocsClient]
) -> bytes:
    """The session as Raydocs has it; Litestar itself refuses what is no UUID, with a 400."""
    call = raydocs.get_session(session_id, timeout=DEADLINE)
    return converter.dumps(await while_connected(request, call))


def answer_error(request: AnyRequest, error: RaydocsError) -> Response[dict[str, str]]:
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
    return Response({"detail": status.phrase}, status_code=status, headers=headers)


async def while_connected(request: AnyRequest, call: Coroutine[Any, Any, T]) -> T:
    """Await `call`, and cancel it when our client goes away, which Litestar does not do."""
    task = asyncio.create_task(call)
    gone = asyncio.create_task(disconnection(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException("nobody reads this", status_code=499)
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.wait([task, gone])


async def disconnection(request: AnyRequest) -> None:
    """Wait until our client goes away; a body that is needed has to be read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


app = Litestar(
    [read_session],
    lifespan=[lifespan],
    dependencies={"raydocs": Provide(get_raydocs)},
    exception_handlers={RaydocsError: answer_error},
)
