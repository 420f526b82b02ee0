"""The texts that an error keeps of a reply: request id, message, excerpt and payload."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import APIResponseValidationError, RaydocsError
from raydocs_async._classify import classify_invalid
from raydocs_async._exchange import Response
from tests.strategies import json_values
from tests.support.clients import TOKEN
from tests.support.verdicts import REDACTOR, error_of, judged, reply


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
    """An error has the request id of the first header that names one, as a short line."""
    assert error_of(judged(reply(500, headers=headers))).request_id == expected


def said(body: bytes, status: int = 404) -> RaydocsError:
    """Return the error for a reply with that body."""
    return error_of(judged(reply(status, body)))


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
    """H13 B21: the body's message, if it is a string, is kept on one line and cut short."""
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
    """B9: the error for an unreadable body has the status alone."""
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
    """B21: the excerpt of any body is short and printable."""
    error = said(body, status)
    assert len(error.body_excerpt) <= 500
    assert error.body_excerpt.isprintable()


@given(json_values)
def test_any_message(value: Any) -> None:
    """B21: any message becomes one line of bounded length."""
    message = said(json.dumps({"message": value}).encode()).message
    assert message.isprintable()
    assert len(message) <= len("HTTP 404 Not Found: ") + 200


@pytest.mark.parametrize("cut", [0, 1, len(TOKEN) - 1])
def test_a_cut_payload_ends_before_a_half_token(cut: int) -> None:
    """S2: a payload that is cut within the token ends before it."""
    body = b"x" * 10_000 + TOKEN.encode()[: len(TOKEN) - cut]
    error = APIResponseValidationError("m", payload=body, payload_size=1_000_000)
    verdict = classify_invalid(error, Response(200, {}, b""), REDACTOR)
    assert isinstance(verdict.error, APIResponseValidationError)
    assert verdict.error.payload == b"x" * (len(REDACTOR.body(body)) - 4096)


def test_a_whole_payload_is_kept_to_its_end() -> None:
    """A whole payload is kept to its end, except for the token."""
    error = APIResponseValidationError("m", payload=b"x" * 10_000 + TOKEN.encode() + b"y")
    verdict = classify_invalid(error, Response(200, {}, b""), REDACTOR)
    assert isinstance(verdict.error, APIResponseValidationError)
    assert verdict.error.payload == b"x" * 10_000 + b"<hidden>y"
