"""Durations in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._durations import in_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.99996, "2 s"),
        (2.0, "2 s"),
        (0.25, "0.25 s"),
        (0.000012, "1.2e-05 s"),
        (998.9, "999 s"),
        (999.0, "999 s"),
        (999.5, "1000 s"),
        (3600.0, "3600 s"),
        (1e7, "10000000 s"),
    ],
)
def test_in_seconds(seconds: float, text: str) -> None:
    """A duration has three digits, and whole seconds all of theirs."""
    assert in_seconds(seconds) == text


@given(st.integers(1, 10**8))
def test_whole_seconds(seconds: int) -> None:
    """A whole number of seconds is shown as it is."""
    assert in_seconds(seconds) == f"{seconds} s"
