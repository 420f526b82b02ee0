"""Retry policies: their checks, their defaults, and the bounds of their back-off."""

import math
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import ConfigurationError
from raydocs_async._retry import RetryPolicy, backoff, silence

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    initial=st.floats(0, 1e6),
    maximum=st.floats(0, 1e6),
    max_retry_after=st.floats(0, 1e6),
)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"attempts": 0}, id="C18 attempts 0"),
        pytest.param({"attempts": -1}, id="C18 attempts -1"),
        pytest.param({"attempts": math.nan}, id="C18 attempts nan"),
        *(
            pytest.param({name: value}, id=f"C18 {name} {value}")
            for name in ("initial", "maximum", "max_retry_after")
            for value in (-1, -0.001, math.nan, math.inf, -math.inf)
        ),
    ],
)
def test_invalid_values(options: dict[str, Any]) -> None:
    """C18: a policy refuses an invalid value when it is built, and names the field."""
    with pytest.raises(ConfigurationError, match=rf"^{next(iter(options))} must be ") as caught:
        RetryPolicy(**options)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 1},
        {"initial": 0},
        {"maximum": 0},
        {"max_retry_after": 0},
        {"initial": 999_999_999.0},
    ],
    ids=str,
)
def test_values_at_the_edge(options: dict[str, Any]) -> None:
    """The smallest and the largest valid values are accepted unchanged."""
    policy = RetryPolicy(**options)
    assert attrs.asdict(policy) == attrs.asdict(RetryPolicy()) | options


def test_defaults() -> None:
    """The defaults are the documented ones."""
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 5,
        "initial": 0.5,
        "maximum": 20.0,
        "max_retry_after": 120.0,
    }


def test_policy_is_frozen() -> None:
    """A policy is frozen, so that several clients can share it."""
    with pytest.raises(FrozenInstanceError):
        RetryPolicy().attempts = 7  # type: ignore[misc]  # that is the point


def test_policies_are_values() -> None:
    """Policies with the same values are equal; the values are keyword-only."""
    assert RetryPolicy() == RetryPolicy(attempts=5)
    with pytest.raises(TypeError, match="positional"):
        RetryPolicy(5)  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (5000, 20.0)]
)
def test_backoff_doubles(failures: int, bound: float) -> None:
    """The bound of the wait doubles with each failure, up to the maximum."""
    assert backoff(RetryPolicy(), failures, lambda: 1.0) == bound


@pytest.mark.parametrize("failures", [61, 62, 5000])
def test_backoff_stops_doubling(failures: int) -> None:
    """Sixty doublings are enough, and no number of failures is too large for a float."""
    policy = RetryPolicy(initial=1e-18, maximum=9e8)
    assert backoff(policy, failures, lambda: 1.0) == 1e-18 * 2.0**60


@pytest.mark.parametrize(("rand", "seconds"), [(0.0, 1.0), (0.5, 1.0), (0.75, 1.5)])
def test_a_429_without_retry_after_waits_at_least_a_second(rand: float, seconds: float) -> None:
    """After a 429 without Retry-After the wait is a back-off of at least one second."""
    assert silence(RetryPolicy(), 3, lambda: rand) == seconds


@given(policies, st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_bounds(policy: RetryPolicy, failures: int, rand: float) -> None:
    """A wait is between zero and its bound, which the policy and the failures so far set."""
    wait = backoff(policy, failures, lambda: rand)
    assert 0 <= wait <= min(policy.maximum, policy.initial * 2.0 ** min(failures - 1, 100))


@given(policies, st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_backoff_has_full_jitter(policy: RetryPolicy, failures: int, rand: float) -> None:
    """The wait is drawn evenly between zero and its bound."""
    bound = backoff(policy, failures, lambda: 1.0)
    assert backoff(policy, failures, lambda: rand) == rand * bound


@given(policies, st.integers(1, 100))
def test_backoff_grows(policy: RetryPolicy, failures: int) -> None:
    """One more failure never makes the bound smaller."""
    first, second = (backoff(policy, failures + more, lambda: 1.0) for more in (0, 1))
    assert first <= second
