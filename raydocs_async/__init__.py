"""An asyncio client for Raydocs: extraction sessions, as typed values, within the rate limit.

::

    async with RaydocsClient(token="…") as client:
        session = await client.get_session("770e8400-e29b-41d4-a716-446655440000")
"""

import logging

from raydocs_async._bulk import Outcome, Progress, SessionStream
from raydocs_async._converter import converter
from raydocs_async._limiter import RateLimit, RateLimiter, RateLimitStatus
from raydocs_async._policy import RetryPolicy
from raydocs_async.client import RaydocsClient
from raydocs_async.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    Attempt,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    InternalServerError,
    InvalidSessionIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
    UnprocessableEntityError,
    WaitTimeoutError,
)
from raydocs_async.models import (
    Document,
    DocumentRef,
    DocumentStatus,
    Parsing,
    ParsingStatus,
    Result,
    ResultStatus,
    Session,
    SessionStatus,
    Source,
)

__all__ = [
    "APIConnectionError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConfigurationError",
    "Document",
    "DocumentRef",
    "DocumentStatus",
    "InternalServerError",
    "InvalidSessionIdError",
    "NotFoundError",
    "Outcome",
    "Parsing",
    "ParsingStatus",
    "PermissionDeniedError",
    "Progress",
    "RateLimit",
    "RateLimitError",
    "RateLimitStatus",
    "RateLimiter",
    "RaydocsClient",
    "RaydocsError",
    "Result",
    "ResultStatus",
    "RetryPolicy",
    "Session",
    "SessionStatus",
    "SessionStream",
    "Source",
    "UnprocessableEntityError",
    "WaitTimeoutError",
    "converter",
]

logging.getLogger("raydocs_async").addHandler(logging.NullHandler())
