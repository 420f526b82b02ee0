"""Plain values of the rate limit: what makes sense, and what is itself alone."""

import math

import pytest

from raydocs_async import ConfigurationError, RateLimit
from raydocs_async._limits._values import Ticket


@pytest.mark.parametrize(
    "bad",
    [
        {"requests": 0},
        {"requests": -1},
        {"requests": 1.5},
        {"requests": "5"},
        {"per": 1e10},
        {"per": 0.0},
        {"per": math.nan},
        {"per": math.inf},
        {"max_wait": 0.0},
        {"max_wait": math.inf},
        {"reserve": -1},
        {"reserve": 100},
    ],
    ids=str,
)
def test_a_limit_that_makes_no_sense_is_refused(bad: dict[str, float]) -> None:
    """C18: at construction, with a ValueError of ours."""
    with pytest.raises(ConfigurationError):
        RateLimit(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edge",
    [
        {"requests": 1},
        {"per": 1e-9},
        {"per": 999_999_999.0},
        {"max_wait": 999_999_999.0},
        {"reserve": 99},
        {"requests": 1, "reserve": 0},
    ],
    ids=str,
)
def test_the_edges_of_what_makes_sense(edge: dict[str, float]) -> None:
    """C18: the least and the most of each value are fine."""
    RateLimit(**edge)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"requests": 1.5}, "requests must be a whole number from 1, not 1.5"),
        ({"reserve": 1.5}, "reserve must be a whole number from 0, not 1.5"),
        ({"requests": 0}, "requests must be a whole number from 1, not 0"),
        ({"per": 0}, "per must be a finite number of seconds above 0, not 0"),
        ({"per": 1e9}, "per must be a finite number of seconds above 0, not 1000000000.0"),
        ({"reserve": 100}, "reserve must be below requests, or bulk work could not start"),
        ({"max_wait": -1}, "max_wait must be a finite number of seconds above 0, not -1"),
        ({"shared": 5}, "shared must be a str or a PathLike or None, not 5"),
    ],
    ids=str,
)
def test_the_message_names_the_value(bad: dict[str, float], message: str) -> None:
    """C18: whoever reads it knows what to change."""
    with pytest.raises(ConfigurationError) as caught:
        RateLimit(**bad)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_tickets_are_not_alike() -> None:
    """Two requests sent at the same moment are settled one by one."""
    assert len({Ticket(1.0), Ticket(1.0)}) == 2
