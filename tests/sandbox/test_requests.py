"""The parts of a request that decide on its reply."""

import pytest

from raydocs_async.sandbox._requests import ServerRequest


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [("Bearer x", "x"), ("bearer x", "x"), ("Basic x", ""), ("Bearer", ""), ("x", ""), ("", "")],
)
def test_token(authorization: str, expected: str) -> None:
    """Only a bearer token is one."""
    assert ServerRequest("GET", "", authorization, "").token == expected
