"""The tree of exceptions, and an error of each class with every field set."""

from typing import Any

import attrs
import pytest

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    FileError,
    InternalServerError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
    Session,
    UnprocessableEntityError,
    WaitTimeoutError,
)
from raydocs_async._converter import decode
from tests.strategies import GUIDE

TREE: dict[type[RaydocsError], tuple[type[Exception], ...]] = {
    RaydocsError: (Exception,),
    ConfigurationError: (RaydocsError, ValueError),
    InvalidIdError: (RaydocsError, ValueError),
    ClientClosedError: (RaydocsError,),
    FileError: (RaydocsError,),
    WaitTimeoutError: (RaydocsError,),
    APIConnectionError: (RaydocsError,),
    APITimeoutError: (APIConnectionError,),
    APIResponseValidationError: (RaydocsError,),
    APIStatusError: (RaydocsError,),
    BadRequestError: (APIStatusError,),
    AuthenticationError: (APIStatusError,),
    PermissionDeniedError: (APIStatusError,),
    NotFoundError: (APIStatusError,),
    UnprocessableEntityError: (APIStatusError,),
    RateLimitError: (APIStatusError,),
    InternalServerError: (APIStatusError,),
}
every_error = pytest.mark.parametrize("kind", TREE)

HISTORY = (
    Attempt(at=0.0, status=500, error="HTTP 500"),
    Attempt(at=1.5, error="time-out", waited=1.5),
)
MORE: dict[type[RaydocsError], dict[str, Any]] = {
    WaitTimeoutError: {"last_seen": decode(GUIDE, Session)},
    APIResponseValidationError: {"payload": b"MARKER", "payload_size": 100, "truncated": True},
}


def full(kind: type[RaydocsError]) -> RaydocsError:
    """Return an error with every field set."""
    return kind(
        "it went wrong",
        resource="session",
        resource_id="770e8400",
        status=500,
        retry_after=2.0,
        request_id="req-1",
        body_excerpt="oops",
        attempts=HISTORY,
        **MORE.get(kind, {}),
    )


def state(error: RaydocsError) -> dict[str, Any]:
    """Return all fields of the error."""
    return attrs.asdict(error, recurse=False)
