"""Meaning of a reply, or of its absence: for the call, by `classify`; for the limit, by `observe`.

Both functions are total: each status that a server can send, and each `FailureKind`, has a verdict
and is evidence. A verdict holds its error as a value; the engine decides when to raise it.

The texts that a reply adds to errors, attempts, events and log records come from here: each of them
goes through the `Redactor` that the caller passes in.
"""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from attrs import evolve, frozen

from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._headers import NotCounted, Observation, Passed, Refused, Unseen
from raydocs_async._redact import Redactor
from raydocs_async.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
    UnprocessableEntityError,
)

TRANSIENT_STATUSES = frozenset({408, 425, 500, 502, 503, 504})
"""Statuses of temporary failures. A 429 is none: the rate limiter waits it out."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Characters, at most.
_EXCERPT = 500
_MESSAGE = 200
_REQUEST_ID = 200
_LONGEST_QUOTATION = 4096
"""Bytes that a quoted token can take, with escapes; no token is that long."""

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Amzn-RequestId", "X-Amzn-Request-Id", "Apigw-RequestId")

_ERRORS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
_FATAL_FAILURES: Mapping[FailureKind, type[RaydocsError]] = {
    FailureKind.CERTIFICATE: APIConnectionError,
    FailureKind.TOO_LARGE: APIConnectionError,
    FailureKind.ENCODING: APIConnectionError,
    FailureKind.PROXY: APIConnectionError,
    FailureKind.SETUP: ConfigurationError,
}


@frozen
class Done:
    """A reply with status 200."""

    response: Response


@frozen
class Retry:
    """A temporary failure: the next attempt may succeed."""

    error: RaydocsError
    after: float | None = None
    """Seconds that the server asked to stay away, if it did."""


@frozen
class Throttled:
    """A refusal by the rate limit: the request is sent again, and does not count as an attempt."""

    error: RateLimitError
    after: float | None = None
    """Seconds by Retry-After, which understates the wait by up to one."""


@frozen
class Permanent:
    """A permanent failure."""

    error: RaydocsError


Verdict = Done | Retry | Throttled | Permanent


def classify(reply: Response | Failure, redactor: Redactor) -> Verdict:
    """Return the verdict on `reply`; `redactor` hides the token in the texts of its error."""
    if isinstance(reply, Failure):
        return _classify_failure(reply, redactor)
    if reply.status == 200:
        return Done(reply)
    if reply.status < 100:  # aiohttp's parser takes any three digits
        failure = Failure(FailureKind.PROTOCOL, f"status {reply.status:03}")
        return _classify_failure(failure, redactor)
    after = reply.rate_limit.retry_after
    error = _status_error(reply, after, redactor)
    if isinstance(error, RateLimitError):
        return Throttled(error, after)
    return Retry(error, after) if reply.status in TRANSIENT_STATUSES else Permanent(error)


def observe(reply: Response | Failure) -> Observation:
    """Return the evidence that `reply` gives of the server having counted the request."""
    if isinstance(reply, Failure):
        return Unseen() if reply.sent else NotCounted()
    headers = reply.rate_limit
    if reply.status == 429:
        return Refused(headers)
    if headers.remaining is None:
        if reply.status == 401:  # authentication comes before the throttle
            return NotCounted()
        if reply.status >= 500:  # perhaps of a gateway, which does not send these headers
            return Unseen()
    return Passed(headers)


def classify_invalid(
    error: APIResponseValidationError, response: Response, redactor: Redactor
) -> Retry | Permanent:
    """Return the verdict on a 200 whose body does not fit; `error` comes from decoding it."""
    error = evolve(
        error,
        message=redactor.line(error.message, _EXCERPT),
        status=response.status,
        request_id=_request_id(response, redactor),
        payload=_payload(error, redactor),
    )
    return Retry(error) if error.truncated else Permanent(error)


def classify_wait(opens_in: float, last_status: int | None) -> Permanent:
    """Return the verdict on a call that the rate limiter refuses to let wait.

    Args:
        opens_in: Seconds until the rate limit's window opens.
        last_status: The status of the call's last reply, if it had any.
    """
    error = RateLimitError(
        "the rate limit's window is shut for longer than this call may wait",
        status=last_status if last_status == HTTPStatus.TOO_MANY_REQUESTS else None,
        retry_after=opens_in,
    )
    return Permanent(error)


def _payload(error: APIResponseValidationError, redactor: Redactor) -> bytes:
    """Return the kept part of the body without the token, also without half a token at its end."""
    payload = redactor.body(error.payload)
    is_cut = len(error.payload) < error.payload_size
    return payload[:-_LONGEST_QUOTATION] if is_cut else payload


def _classify_failure(failure: Failure, redactor: Redactor) -> Verdict:
    message = f"{failure.kind.value}: {redactor.line(failure.reason, _EXCERPT)}"
    if fatal := _FATAL_FAILURES.get(failure.kind):
        return Permanent(fatal(message))
    timed_out = failure.kind is FailureKind.TIMEOUT
    return Retry((APITimeoutError if timed_out else APIConnectionError)(message))


def _status_error(
    response: Response, retry_after: float | None, redactor: Redactor
) -> APIStatusError:
    status = response.status
    default = InternalServerError if 500 <= status <= 599 else APIStatusError
    said = redactor.line(_message(response.body), _MESSAGE)
    return _ERRORS.get(status, default)(
        f"{_name(status)}: {said}" if said else _name(status),
        status=status,
        retry_after=retry_after,
        request_id=_request_id(response, redactor),
        body_excerpt=redactor.line(response.body.decode("utf-8", "replace"), _EXCERPT),
    )


def _request_id(response: Response, redactor: Redactor) -> str | None:
    """Return the id to quote to the service's support; ``None`` if the reply has none."""
    found = (response.headers.get(name, "") for name in _REQUEST_ID_HEADERS)
    lines = (redactor.line(value, _REQUEST_ID) for value in found)
    return next(filter(None, lines), None)


def _name(status: int) -> str:
    """Return the status in words, and the reason why it is an error if that is not obvious."""
    if status in _REDIRECTS:
        return f"HTTP {status}, a redirect, which is not followed; is base_url right?"
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}, which is not a status of this API"
    return f"HTTP {status} {phrase}" if status >= 400 else f"unexpected HTTP {status} {phrase}"


def _message(body: bytes) -> str:
    """Return the framework's ``message``; empty if the body has no such string."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    message = said.get("message") if isinstance(said, dict) else None
    return message if isinstance(message, str) else ""
