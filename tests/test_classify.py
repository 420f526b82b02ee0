"""The verdict on every reply and every failure, with the observation for the rate limit."""

from typing import Any

import pytest

from raydocs_async import (
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
    UnprocessableEntityError,
)
from raydocs_async._classify import (
    TRANSIENT_STATUSES,
    Done,
    Permanent,
    Retry,
    Throttled,
    classify_invalid,
    classify_wait,
    observe,
)
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._headers import (
    NotCounted,
    Observation,
    Passed,
    RateLimitHeaders,
    Refused,
    Unseen,
)
from tests.support.verdicts import REDACTOR, error_of, judged, reply

EVERY_STATUS = [*range(100, 600), -1, 0, 99, 600, 999, 1000]

SPECIAL = {
    200: (Done, None),
    400: (Permanent, BadRequestError),
    401: (Permanent, AuthenticationError),
    403: (Permanent, PermissionDeniedError),
    404: (Permanent, NotFoundError),
    408: (Retry, APIStatusError),
    422: (Permanent, UnprocessableEntityError),
    425: (Retry, APIStatusError),
    429: (Throttled, RateLimitError),
    500: (Retry, InternalServerError),
    502: (Retry, InternalServerError),
    503: (Retry, InternalServerError),
    504: (Retry, InternalServerError),
}


def expected_for(status: int) -> tuple[Any, Any]:
    """Return the types of verdict and error that a status should have."""
    if status < 100:
        return Retry, APIConnectionError
    server = InternalServerError if 500 <= status <= 599 else APIStatusError
    return SPECIAL.get(status, (Permanent, server))


def test_every_status() -> None:
    """H10 H13 H14: every status has its verdict and its error."""
    verdicts = {status: judged(reply(status)) for status in EVERY_STATUS}
    assert {
        status: (type(verdict), type(getattr(verdict, "error", None)))
        for status, verdict in verdicts.items()
    } == {
        status: (verdict, error or type(None))
        for status in EVERY_STATUS
        for verdict, error in [expected_for(status)]
    }


def test_every_status_is_told() -> None:
    """The error has the status as a number, and in its message."""
    others = [status for status in EVERY_STATUS if status >= 100 and status != 200]
    errors = {status: error_of(judged(reply(status))) for status in others}
    assert {
        status
        for status, error in errors.items()
        if error.status != status or f"HTTP {status}" not in str(error)
    } == set()


def test_transient_statuses() -> None:
    """H14: only these statuses are temporary failures."""
    assert {408, 425, 500, 502, 503, 504} == TRANSIENT_STATUSES


def test_done() -> None:
    """A 200 is done, whatever its body is."""
    response = reply(200, b"<html>")
    assert judged(response) == Done(response)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (404, "HTTP 404 Not Found"),
        (500, "HTTP 500 Internal Server Error"),
        (400, "HTTP 400 Bad Request"),
        (204, "unexpected HTTP 204 No Content"),
        (101, "unexpected HTTP 101 Switching Protocols"),
        (299, "HTTP 299, which is not a status of this API"),
        (399, "HTTP 399, which is not a status of this API"),
        (304, "unexpected HTTP 304 Not Modified"),
        (99, "the answer was not valid HTTP: status 099"),
        (600, "HTTP 600, which is not a status of this API"),
        (1000, "HTTP 1000, which is not a status of this API"),
        *(
            (status, f"HTTP {status}, a redirect, which is not followed; is base_url right?")
            for status in (301, 302, 303, 307, 308)
        ),
    ],
)
def test_names(status: int, name: str) -> None:
    """H10 H11: the message names the status, and says what is odd about it."""
    assert error_of(judged(reply(status))).message == name


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize(
    ("headers", "after"),
    [
        pytest.param({}, None, id="H15 R2 none"),
        pytest.param({"Retry-After": "0"}, 0.0, id="R1 zero"),
        pytest.param({"Retry-After": "7"}, 7.0, id="seconds"),
        pytest.param({"Retry-After": "soon"}, None, id="R3 a word"),
        pytest.param(
            {
                "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
            id="H15 a date",
        ),
    ],
)
def test_retry_after(status: int, headers: dict[str, str], after: float | None) -> None:
    """H15: the verdict and its error have the server's Retry-After."""
    verdict = judged(reply(status, headers=headers))
    assert isinstance(verdict, Retry | Throttled)
    assert (verdict.after, verdict.error.retry_after) == (after, after)


def test_retry_after_of_a_failure() -> None:
    """A permanent error has the server's Retry-After, too."""
    assert error_of(judged(reply(400, headers={"Retry-After": "7"}))).retry_after == 7.0


FAILURES = {
    FailureKind.CONNECT: (Retry, APIConnectionError),
    FailureKind.CERTIFICATE: (Permanent, APIConnectionError),
    FailureKind.DISCONNECT: (Retry, APIConnectionError),
    FailureKind.TIMEOUT: (Retry, APITimeoutError),
    FailureKind.PROTOCOL: (Retry, APIConnectionError),
    FailureKind.CUT: (Retry, APIConnectionError),
    FailureKind.TOO_LARGE: (Permanent, APIConnectionError),
    FailureKind.ENCODING: (Permanent, APIConnectionError),
    FailureKind.PROXY: (Permanent, APIConnectionError),
    FailureKind.SETUP: (Permanent, ConfigurationError),
}


@pytest.mark.parametrize("kind", FailureKind)
def test_failures(kind: FailureKind) -> None:
    """N1-N15: every failure has its verdict and its error."""
    verdict = judged(Failure(kind, "why"))
    assert (type(verdict), type(error_of(verdict))) == FAILURES[kind]


@pytest.mark.parametrize("kind", FailureKind)
def test_failures_say_what_and_why(kind: FailureKind) -> None:
    """N13: every failure's message is its kind in words, and the reason."""
    assert error_of(judged(Failure(kind, "why"))).message == f"{kind.value}: why"


@pytest.mark.parametrize("kind", [FailureKind.CONNECT, FailureKind.TIMEOUT])
def test_failures_ask_for_no_wait(kind: FailureKind) -> None:
    """A failure without a reply has neither a Retry-After nor a status."""
    verdict = judged(Failure(kind, "why"))
    assert isinstance(verdict, Retry)
    assert (verdict.after, verdict.error.retry_after, verdict.error.status) == (None, None, None)


COUNTS = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, Passed(RateLimitHeaders())) for status in (200, 302, 400, 402, 404, 422, 499)),
        *((status, Unseen()) for status in (500, 502, 503, 504, 599)),
        (401, NotCounted()),
        (429, Refused(RateLimitHeaders())),
    ],
)
def test_evidence_of_a_reply_without_counts(status: int, expected: Observation) -> None:
    """A 401 comes before the throttle, a 5xx may be a gateway's, a 429 is a refusal."""
    assert observe(reply(status)) == expected


@pytest.mark.parametrize("status", [200, 401, 404, 500, 503])
def test_evidence_of_a_reply_with_counts(status: int) -> None:
    """A reply with a Remaining passed the throttle, whatever its status."""
    assert observe(reply(status, headers=COUNTS)) == Passed(RateLimitHeaders(100, 7))


def test_evidence_of_a_refusal_with_counts() -> None:
    """A 429 is a refusal, even with a Remaining."""
    assert observe(reply(429, headers=COUNTS)) == Refused(RateLimitHeaders(100, 7))


@pytest.mark.parametrize(("sent", "expected"), [(True, Unseen()), (False, NotCounted())])
def test_evidence_of_a_failure(sent: bool, expected: Observation) -> None:
    """A request that was sent may have been counted; an unsent one cannot have been."""
    assert observe(Failure(FailureKind.CONNECT, "refused", sent)) == expected


@pytest.mark.parametrize(("truncated", "verdict"), [(True, Retry), (False, Permanent)])
def test_a_body_that_does_not_fit(truncated: bool, verdict: type[Retry | Permanent]) -> None:
    """A cut body is retried, any other invalid one is not; the error has the reply's details."""
    error = APIResponseValidationError("is\nno session", payload=b"{", truncated=truncated)
    found = classify_invalid(error, Response(200, {"X-Request-Id": "r-1"}, b"{"), REDACTOR)
    assert isinstance(found, verdict)
    assert isinstance(found.error, APIResponseValidationError)
    assert (found.error.message, found.error.status) == ("is no session", 200)
    assert (found.error.request_id, found.error.payload) == ("r-1", b"{")
    assert found.error.truncated is truncated


@pytest.mark.parametrize(("last", "shown"), [(None, None), (503, None), (429, 429)])
def test_a_wait_that_is_too_long(last: int | None, shown: int | None) -> None:
    """The error says when to come back, and has a status only if the service refused."""
    error = classify_wait(12.5, last).error
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, error.status) == (12.5, shown)
    assert error.message == "the rate limit's window is shut for longer than this call may wait"
