"""Bodies that are refused as a whole, and the error, which keeps the body and hides it."""

import traceback

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from tests.strategies import GUIDE, REFERENCE, Json, encoded, varied
from tests.support.sessions import DOCUMENT, RESULT, SESSION, VALUES, problem, refusal

MARKER = "confidential-4711"


@given(binary())
def test_no_json(body: bytes) -> None:
    """Any bytes but JSON are refused with the documented error."""
    assert refusal(body).payload == body


NESTED = b"[" * 100_000
NO_JSON = [
    pytest.param(b"<!doctype html><p>Log in</p>", "", id="B12 HTML"),
    pytest.param(varied(SESSION, {"n": float("nan")}), "", id="B14 NaN"),
    pytest.param(varied(SESSION, {"n": float("inf")}), "", id="B14 Infinity"),
    pytest.param(varied(SESSION, {"n": float("-inf")}), "", id="B14 -Infinity"),
    pytest.param(varied(SESSION, {"n": 7}).replace(b"7}", b"1e999}"), "", id="B14 1e999"),
    pytest.param(
        varied(SESSION, {"n": "x"}).replace(b'"x"', b"7" * 5000), "", id="B15 5000 digits"
    ),
    pytest.param(varied(DOCUMENT, {"n": "x"}).replace(b'"x"', b"'x'"), "", id="single quotes"),
    pytest.param(REFERENCE + b"x", "", id="H18 more after the end"),
    pytest.param(REFERENCE + REFERENCE, "", id="H18 twice"),
    pytest.param(b"\xef\xbb\xbf" + REFERENCE, "", id="B19 BOM"),
    pytest.param(REFERENCE.decode().encode("utf-16"), "", id="B19 UTF-16"),
    pytest.param(REFERENCE.decode().encode("utf-16-le"), "", id="B19 UTF-16 without BOM"),
    pytest.param(
        varied(SESSION, {"name": "é"}).decode().encode("latin-1"),
        "it is not UTF-8",
        id="B19 latin-1",
    ),
    pytest.param(
        varied(SESSION, {"name": "x"}).replace(b'"x"', b'"\\ud800"'), "", id="B19 half a pair"
    ),
]


@pytest.mark.parametrize(("body", "reason"), NO_JSON)
def test_bodies_that_are_no_json(body: bytes, reason: str) -> None:
    """A body that is not JSON is refused as such, and not as a cut one."""
    error = refusal(body)
    assert error.message.startswith(f"the body is not JSON: {reason}")
    assert not error.truncated


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(NESTED, id="B17 open arrays"),
        pytest.param(b'{"a":' * 100_000, id="B17 open objects"),
        pytest.param(NESTED + b"]" * 100_000, id="B17 arrays"),
        pytest.param(varied(SESSION, {"n": "x"}).replace(b'"x"', NESTED), id="B17 in a session"),
    ],
)
def test_nesting(body: bytes) -> None:
    """JSON that is nested too deeply is refused as such."""
    assert str(refusal(body)) == "the body is not usable JSON: it is nested too deeply"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        pytest.param(value, words, id=f"B11 {words}")
        for words, value in VALUES.items()
        if words != "an object"
    ],
)
def test_other_json_on_top(payload: Json, words: str) -> None:
    """JSON that is not an object is refused by its type."""
    assert problem(encoded(payload)) == f"$ is {words}, not an object"


CUT = [
    pytest.param(REFERENCE, id="reference"),
    pytest.param(GUIDE, id="guide"),
    pytest.param(b'{"a": [true, false, null, "\\u00e9\\ud83d\\ude00\\n\xc3\xa9"]}', id="literals"),
    pytest.param(b'{"a": [-1, 2.5, 15e10, 1.5E-10, 2e+3]}', id="numbers"),
]


@pytest.mark.parametrize("body", CUT)
def test_cut_bodies(body: bytes) -> None:
    """A body that was cut anywhere is recognised as cut."""
    cuts = [body[:length] for length in range(len(body))]
    assert [cut[-20:] for cut in cuts if not refusal(cut).truncated] == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{}", id="no field"),
        pytest.param(varied(DOCUMENT, {"size": "truncated"}), id="a value that says truncated"),
    ],
)
def test_whole_bodies_are_not_cut(body: bytes) -> None:
    """A whole body of the wrong shape is not taken for a cut one."""
    assert not refusal(body).truncated


REVEALING = [
    pytest.param(varied(DOCUMENT, {"filename": [MARKER], MARKER: MARKER}), id="shape"),
    pytest.param(varied(RESULT, {"id": MARKER, "data": {MARKER: 1}}), id="identifier"),
    pytest.param(varied(RESULT, {"created_at": MARKER}), id="time"),
    pytest.param(varied(RESULT, {MARKER: float("nan")}), id="JSON"),
    pytest.param(varied(RESULT, {"data": MARKER})[:-20], id="cut"),
    pytest.param(varied(RESULT, {"data": MARKER + "é"}).decode().encode("latin-1"), id="UTF-8"),
]


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_do_not_show_the_body(body: bytes) -> None:
    """Neither message, ``repr`` nor ``args`` show any part of the body."""
    error = refusal(body)
    assert MARKER not in f"{error} {error!r} {error.args} {error.body_excerpt}"


@pytest.mark.parametrize("body", REVEALING)
def test_tracebacks_do_not_show_the_body(body: bytes) -> None:
    """A traceback with local variables shows the body only in the caller's own frames."""
    report = traceback.TracebackException.from_exception(refusal(body), capture_locals=True)
    ours = [frame.locals for frame in report.stack if "raydocs_async" in frame.filename]
    assert MARKER not in str(ours)


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_keep_the_body(body: bytes) -> None:
    """The whole body is the error's payload."""
    assert refusal(body).payload == body


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_have_no_cause(body: bytes) -> None:
    """No other exception, which would hold the body, is chained to the refusal."""
    error = refusal(body)
    assert (error.__cause__, error.__context__) == (None, None)
