from raydocs_async import errors as errors
from raydocs_async import events as events
from raydocs_async import models as models
from raydocs_async import sandbox as sandbox
from raydocs_async._bulk import Outcome, Progress, SessionStream
from raydocs_async._converter import converter
from raydocs_async._limits._queue import RateLimiter
from raydocs_async._limits._values import RateLimit, RateLimitStatus
from raydocs_async._retry import RetryPolicy
from raydocs_async._version import __version__ as __version__
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
