"""Values of one exchange."""

from typing import Any
from unittest.mock import AsyncMock
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
    response = Response(200, {"X": "MARKER"}, b"MARKER", distrust=AsyncMock(name="MARKER"))
    assert repr(response) == "Response(status=200)"


def test_responses_compare_without_their_connection() -> None:
    """The same reply by another connection is equal."""
    one, other = (Response(200, {}, b"x", distrust=AsyncMock()) for _ in range(2))
    assert one == other


async def test_a_response_without_a_connection() -> None:
    """A stand-in for the transport has nothing to take out of use."""
    await Response(200, {}, b"x").distrust()
