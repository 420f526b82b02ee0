"""The distribution of latencies in bounded memory."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._latencies import Latencies


@given(st.lists(st.floats(0, 1800), min_size=1), st.floats(0.01, 1))
def test_quantiles(seconds: list[float], share: float) -> None:
    """A quantile is at least the exact one, and at most 5 % or a millisecond more."""
    latencies = Latencies()
    for each in seconds:
        latencies.add(each)
    exact = sorted(seconds)[max(math.ceil(share * len(seconds)), 1) - 1]
    found = latencies.quantile(share)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= max(exact * 1.05 * (1 + 1e-9), 0.001)


def test_no_latency() -> None:
    """Before the first reply, nothing is known."""
    latencies = Latencies()
    assert (latencies.quantile(0.5), latencies.max) == (None, None)


@pytest.mark.parametrize("seconds", [1e5, 1e300])
def test_a_latency_beyond_the_last_bound(seconds: float) -> None:
    """A latency that no attempt should have is counted, and the longest one is exact."""
    latencies = Latencies()
    latencies.add(1.0)
    latencies.add(seconds)
    assert latencies.max == seconds
    assert latencies.quantile(0.5) == pytest.approx(1.0, rel=0.05)


def test_quantiles_of_a_thousand() -> None:
    """The median and the 95th percentile of 1 to 1000 ms are at most 5 % too high."""
    latencies = Latencies()
    for milliseconds in range(1000, 0, -1):
        latencies.add(milliseconds / 1000)
    median, late = latencies.quantile(0.5), latencies.quantile(0.95)
    assert median is not None
    assert late is not None
    assert 0.5 <= median <= 0.525
    assert 0.95 <= late <= 0.9975
    assert latencies.quantile(1.0) == latencies.max == 1.0


def test_latencies_below_a_millisecond() -> None:
    """Latencies up to a millisecond are not distinguished, and those above it are."""
    latencies = Latencies()
    for seconds in (0.0001, 0.001, 0.0011, 0.01):
        latencies.add(seconds)
    assert latencies.quantile(0.5) == 0.001
    assert latencies.quantile(0.75) == pytest.approx(0.0011, rel=0.05)


def test_a_latency_at_the_last_bound() -> None:
    """What is above the last bound but one is counted with all that is longer."""
    latencies = Latencies()
    for seconds in (2100.0, 1e6):
        latencies.add(seconds)
    median = latencies.quantile(0.5)
    assert median is not None
    assert 2100.0 <= median <= 2205.0
