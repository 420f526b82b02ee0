"""Every reply and every failure has a verdict, and the error in it says what a person needs."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    RaydocsError,
    UnprocessableEntityError,
)
from raydocs_async._classify import (
    TRANSIENT_STATUSES,
    Done,
    Permanent,
    Retry,
    Throttled,
    Verdict,
    classify,
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
from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from tests.strategies import json_values
from tests.support.clients import TOKEN

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


REDACTOR = Redactor(Secret(TOKEN))


def judged(outcome: Response | Failure) -> Verdict:
    """The verdict."""
    return classify(outcome, REDACTOR)


def reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Response:
    """A reply."""
    return Response(status, headers or {}, body)


def error_of(verdict: Verdict) -> RaydocsError:
    """The error that a verdict has."""
    assert not isinstance(verdict, Done)
    return verdict.error


def said(body: bytes, status: int = 404) -> RaydocsError:
    """The error for a reply with that body."""
    return error_of(judged(reply(status, body)))


def expected_for(status: int) -> tuple[Any, Any]:
    """The verdict and the error that a status is to have."""
    if status < 100:
        return Retry, APIConnectionError
    server = InternalServerError if 500 <= status <= 599 else APIStatusError
    return SPECIAL.get(status, (Permanent, server))


def test_every_status() -> None:
    """H10 H13 H14: every status that a server can send has its verdict and its error."""
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
    """H14: these statuses, and no others, may pass."""
    assert {408, 425, 500, 502, 503, 504} == TRANSIENT_STATUSES


def test_done() -> None:
    """A 200 is done, whatever its body; whether that is a session is not a matter of HTTP."""
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
    """H15: what the server asks to wait is in the verdict, and in its error."""
    verdict = judged(reply(status, headers=headers))
    assert isinstance(verdict, Retry | Throttled)
    assert (verdict.after, verdict.error.retry_after) == (after, after)


def test_retry_after_of_a_failure() -> None:
    """A reply that is not tried again tells when the server would be asked again, too."""
    assert error_of(judged(reply(400, headers={"Retry-After": "7"}))).retry_after == 7.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"X-Request-Id": "a"}, "a", id="X-Request-Id"),
        pytest.param({"X-Amzn-RequestId": "b"}, "b", id="X-Amzn-RequestId"),
        pytest.param({"X-Amzn-Request-Id": "c"}, "c", id="X-Amzn-Request-Id"),
        pytest.param({"Apigw-RequestId": "d"}, "d", id="Apigw-RequestId"),
        pytest.param({"Apigw-RequestId": "d", "X-Request-Id": "a"}, "a", id="the first of two"),
        pytest.param({"X-Request-Id": "", "Apigw-RequestId": "d"}, "d", id="one that is empty"),
        pytest.param({"X-Request-Id": "\t", "Apigw-RequestId": "d"}, "d", id="one that is blank"),
        pytest.param({"X-Request-Id": "a" * 200}, "a" * 200, id="as long as may be"),
        pytest.param({"X-Request-Id": "a" * 8000}, "a" * 199 + "…", id="too long"),
        pytest.param({"X-Request-Id": "a\udcffb"}, "a\ufffdb", id="B21 a byte that is no UTF-8"),
        pytest.param({"X-Request-Id": "a\x1b[31mb"}, "a [31mb", id="B21 an escape"),
        pytest.param({"X-Request-Id": "a\x9b31mb"}, "a 31mb", id="B21 a C1 control"),
        pytest.param({"X-Request-Id": "a\u202eb\u200bc"}, "a b c", id="B21 invisible characters"),
        pytest.param({"X-Request-Id": f"a {TOKEN} b"}, "a <hidden> b", id="S2 the token"),
        pytest.param({"X-Request-Id": TOKEN.replace("-", "%2D")}, "<hidden>", id="S2 escaped"),
    ],
)
def test_request_id(headers: dict[str, str], expected: str | None) -> None:
    """An error has the reply's own id: the first header that names one, as a short line."""
    assert error_of(judged(reply(500, headers=headers))).request_id == expected


MESSAGES = [
    pytest.param({"message": "Unauthenticated."}, ": Unauthenticated.", id="H13 a string"),
    pytest.param({"message": "x", "errors": {"id": ["no"]}}, ": x", id="H13 with errors"),
    pytest.param({"message": "a\r\n\tb \x00\x1b[31m c"}, ": a b [31m c", id="B21 controls"),
    pytest.param({"message": "  a  "}, ": a", id="B21 spaces around it"),
    pytest.param({"message": "a\u202eb\u2028c"}, ": a b c", id="B21 invisible characters"),
    pytest.param({"message": "x" * 200}, ": " + "x" * 200, id="B21 as long as may be"),
    pytest.param({"message": "x" * 201}, ": " + "x" * 199 + "…", id="B21 one too long"),
    pytest.param({"message": "x" * 10**7}, ": " + "x" * 199 + "…", id="B21 10 MB"),
    pytest.param({"message": " " * 300 + "x"}, ": …", id="B21 nothing but space at first"),
    pytest.param({"message": "é" * 300}, ": " + "é" * 199 + "…", id="B21 not ASCII"),
    pytest.param({"message": ""}, "", id="B21 empty"),
    pytest.param({"message": " \n"}, "", id="B21 blank"),
    pytest.param({"message": ["a", "b"]}, "", id="B21 a list"),
    pytest.param({"message": 7}, "", id="B21 a number"),
    pytest.param({"message": None}, "", id="B21 null"),
    pytest.param({"message": {"message": "x"}}, "", id="B21 an object"),
    pytest.param({"error": "x"}, "", id="another key"),
    pytest.param([{"message": "x"}], "", id="a list on top"),
    pytest.param("message", "", id="a string on top"),
    pytest.param(None, "", id="null on top"),
]


@pytest.mark.parametrize(("payload", "appended"), MESSAGES)
def test_messages(payload: object, appended: str) -> None:
    """H13 B21: the body's message is kept where it is one, on one line and cut short."""
    assert said(json.dumps(payload).encode()).message == "HTTP 404 Not Found" + appended


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>message</html>", id="HTML"),
        pytest.param(b'{"message": "cut', id="cut"),
        pytest.param(b'{"message": "\xe9"}', id="latin-1"),
        pytest.param(b'{"message": "\\ud800"}', id="half a pair"),
        pytest.param(b'{"message":' * 100_000, id="nested"),
        pytest.param(b'{"message": "x", "n": %s}' % (b"7" * 5000), id="5000 digits"),
        pytest.param(b'{"message": "x", "n": NaN}', id="NaN"),
        pytest.param('{"message": "x"}'.encode("utf-16"), id="UTF-16"),
    ],
)
def test_bodies_without_a_message(body: bytes) -> None:
    """B9: a body that cannot be read leaves the status to speak."""
    assert said(body).message == "HTTP 404 Not Found"


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"<p>\r\n  Bad\x00 Gateway</p>", "<p> Bad Gateway</p>", id="HTML"),
        pytest.param(b"caf\xe9", "caf\ufffd", id="latin-1"),
        pytest.param(b"x" * 500, "x" * 500, id="as long as may be"),
        pytest.param(b"x" * 501, "x" * 499 + "…", id="one too long"),
        pytest.param(b"x" * 10**7, "x" * 499 + "…", id="B9 10 MB"),
        pytest.param(b" " * 10 + b"x" * 600, "x" * 490 + "…", id="B9 cut, then made one line"),
    ],
)
def test_excerpt(body: bytes, excerpt: str) -> None:
    """B9: the beginning of an error's body is kept, printable, on one line."""
    assert said(body).body_excerpt == excerpt


@given(st.sampled_from([404, 429, 500, 600]), st.binary(max_size=2000))
def test_any_body(status: int, body: bytes) -> None:
    """B21: whatever the body of an error, what is kept of it is short and printable."""
    error = said(body, status)
    assert len(error.body_excerpt) <= 500
    assert error.body_excerpt.isprintable()


@given(json_values)
def test_any_message(value: Any) -> None:
    """B21: whatever the message is, the error's is one line of bounded length."""
    message = said(json.dumps({"message": value}).encode()).message
    assert message.isprintable()
    assert len(message) <= len("HTTP 404 Not Found: ") + 200


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
    """Without a reply nobody has asked to stay away, and there is no status."""
    verdict = judged(Failure(kind, "why"))
    assert isinstance(verdict, Retry)
    assert (verdict.after, verdict.error.retry_after, verdict.error.status) == (None, None, None)


@pytest.mark.parametrize("cut", [0, 1, len(TOKEN) - 1])
def test_a_cut_payload_ends_before_a_half_token(cut: int) -> None:
    """S2: where the kept part of a body ends inside the token, its end is not kept."""
    body = b"x" * 10_000 + TOKEN.encode()[: len(TOKEN) - cut]
    error = APIResponseValidationError("m", payload=body, payload_size=1_000_000)
    verdict = classify_invalid(error, Response(200, {}, b""), REDACTOR)
    assert isinstance(verdict.error, APIResponseValidationError)
    assert verdict.error.payload == b"x" * (len(REDACTOR.body(body)) - 4096)


def test_a_whole_payload_is_kept_to_its_end() -> None:
    """A payload that is the whole body is kept whole, but for the token."""
    error = APIResponseValidationError("m", payload=b"x" * 10_000 + TOKEN.encode() + b"y")
    verdict = classify_invalid(error, Response(200, {}, b""), REDACTOR)
    assert isinstance(verdict.error, APIResponseValidationError)
    assert verdict.error.payload == b"x" * 10_000 + b"<hidden>y"


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
    """A 429 is a refusal also if it says what is left."""
    assert observe(reply(429, headers=COUNTS)) == Refused(RateLimitHeaders(100, 7))


@pytest.mark.parametrize(("sent", "expected"), [(True, Unseen()), (False, NotCounted())])
def test_evidence_of_a_failure(sent: bool, expected: Observation) -> None:
    """A request that was sent may have been counted; one that was not sent cannot have been."""
    assert observe(Failure(FailureKind.CONNECT, "refused", sent)) == expected


@pytest.mark.parametrize(("truncated", "verdict"), [(True, Retry), (False, Permanent)])
def test_a_body_that_does_not_fit(truncated: bool, verdict: type[Retry | Permanent]) -> None:
    """A body that ends too early is worth a retry, and no other; the error tells of its reply."""
    error = APIResponseValidationError("is\nno session", payload=b"{", truncated=truncated)
    found = classify_invalid(error, Response(200, {"X-Request-Id": "r-1"}, b"{"), REDACTOR)
    assert isinstance(found, verdict)
    assert isinstance(found.error, APIResponseValidationError)
    assert (found.error.message, found.error.status) == ("is no session", 200)
    assert (found.error.request_id, found.error.payload) == ("r-1", b"{")
    assert found.error.truncated is truncated


@pytest.mark.parametrize(("last", "shown"), [(None, None), (503, None), (429, 429)])
def test_a_wait_that_is_too_long(last: int | None, shown: int | None) -> None:
    """The error says when to come back; it has a status only if the service itself refused."""
    error = classify_wait(12.5, last).error
    assert isinstance(error, RateLimitError)
    assert (error.retry_after, error.status) == (12.5, shown)
    assert error.message == "the rate limit's window is shut for longer than this call may wait"
