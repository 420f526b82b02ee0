"""Django: run it with ``uvicorn django_app:application``.

A project in one file; a comment says where each part of it usually is.
"""

import logging
import math
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from raydocs_async import (
    APITimeoutError,
    InvalidIdError,
    NotFoundError,
    RaydocsClient,
    RaydocsError,
    converter,
)

# settings.py

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"])

# views.py

DEADLINE = 5.0
"""Seconds that a request waits for Raydocs, the rate limit's queue included."""

log = logging.getLogger(__name__)

# One for the process, so that all requests share one view of the rate limit. It opens at its
# first call, which is in the event loop of the server, and after any fork.
raydocs = RaydocsClient()


async def read_session(request: HttpRequest, session_id: str) -> HttpResponse:
    """The session as Raydocs has it; Django cancels this when its client goes away."""
    try:
        session = await raydocs.get_session(session_id, timeout=DEADLINE)
    except RaydocsError as error:
        return answer_error(error)
    return HttpResponse(converter.dumps(session), content_type="application/json")


def answer_error(error: RaydocsError) -> HttpResponse:
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
    return JsonResponse({"detail": status.phrase}, status=status, headers=headers)


# urls.py

urlpatterns = [path("sessions/<str:session_id>", read_session)]

# asgi.py

django = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Django, and what it leaves out of ASGI: the beginning and the end of the process."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await django(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Close the client when the server stops."""
    async with raydocs:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})
