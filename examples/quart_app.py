"""Quart: run it with ``hypercorn --graceful-timeout 10 quart_app:app``."""

import logging
import math
from collections.abc import AsyncGenerator
from http import HTTPStatus

from quart import Quart, Response, jsonify

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

log = logging.getLogger(__name__)
app = Quart(__name__)


@app.while_serving
async def open_raydocs() -> AsyncGenerator[None, None]:
    """One client for the process, so that all requests share one view of the rate limit."""
    async with RaydocsClient() as raydocs:
        app.extensions["raydocs"] = raydocs
        yield


@app.get("/sessions/<session_id>")
async def read_session(session_id: str) -> Response:
    """The session as Raydocs has it; Quart cancels this when its client goes away."""
    raydocs: RaydocsClient = app.extensions["raydocs"]
    session = await raydocs.get_session(session_id, timeout=DEADLINE)
    return Response(converter.dumps(session), mimetype="application/json")


@app.errorhandler(RaydocsError)
async def answer_error(error: RaydocsError) -> Response:
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
    response = jsonify(detail=status.phrase)
    response.status_code = status
    response.headers.update(headers)
    return response
