"""Values of one exchange."""

from typing import Any
from uuid import UUID

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from raydocs_async._exchange import Failure, FailureKind, Request, Response


@pytest.mark.parametrize(
    "value",
    [
        Request("/x", "page", UUID(int=1)),
        Response(200, {}, b""),
        Failure(FailureKind.CUT, "x"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_frozen(value: Any) -> None:
    """The values of an exchange cannot be changed."""
    name = attrs.fields(type(value))[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)


def test_failure_is_taken_for_sent() -> None:
    """A request may have been counted, unless it is known that it was not."""
    assert Failure(FailureKind.CONNECT, "refused").sent


def test_response_shows_its_status_only() -> None:
    """S4: neither headers, body nor connection are in a response's ``repr``."""
    response = Response(200, {"X": "MARKER"}, b"MARKER", connection="MARKER")
    assert repr(response) == "Response(status=200)"


def test_responses_compare_without_their_connection() -> None:
    """The same reply by another connection is equal."""
    assert Response(200, {}, b"x", connection=1) == Response(200, {}, b"x", connection=2)


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
        pytest.param({"X-Request-Id": "a" * 200}, "a" * 200, id="as long as may be"),
        pytest.param({"X-Request-Id": "a" * 8000}, "a" * 200, id="too long"),
    ],
)
def test_request_id(headers: dict[str, str], expected: str | None) -> None:
    """A reply's id is the first header that names one, cut to what can be quoted."""
    assert Response(500, headers, b"").request_id == expected
