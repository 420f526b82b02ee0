"""The throttle's headers: the limit, what is left of it, and the wait in whole seconds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.sandbox import Store, Throttle
from tests.support.throttles import SECONDS, T0, exhausted, request, retry_after, throttles


@pytest.mark.parametrize("store", SECONDS)
def test_retry_after_is_exact_in_whole_seconds(store: Store) -> None:
    """If a window ends on a whole second, a Retry-After is never 0, and is long enough."""
    throttle = exhausted(window=60, store=store)
    now = math.floor(T0) + 59.9
    assert throttle.refuses(now)
    assert retry_after(throttle, now) == 1
    assert not throttle.refuses(math.floor(now) + 1)


def test_passed_headers() -> None:
    """A passed reply has the limit and what is left, but not the window's end."""
    throttle = Throttle(100)
    throttle.hit(T0)
    assert throttle.passed_headers(T0) == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "99",
    }


def test_remaining_includes_later_hits() -> None:
    """Hits made while a handler runs are in its `Remaining`."""
    throttle = Throttle(100)
    for now in (T0, T0 + 0.1, T0 + 0.2):
        throttle.hit(now)
    assert throttle.passed_headers(T0 + 0.3)["X-RateLimit-Remaining"] == "97"


def test_remaining_after_the_window() -> None:
    """If a handler outlasts its window, `Remaining` equals the limit."""
    throttle = exhausted(limit=2)
    assert throttle.passed_headers(T0 + 61)["X-RateLimit-Remaining"] == "2"


def test_refused_headers() -> None:
    """A 429 has the wait in whole seconds, from cut times, and the time of its end."""
    assert exhausted(limit=2, window=60).refused_headers(T0 + 10.5) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "Retry-After": "49",
        "X-RateLimit-Reset": str(math.floor(T0) + 60),
    }


def test_retry_after_reads_zero_while_refusing() -> None:
    """With Redis, the last fraction of a second is refused with a Retry-After of 0."""
    throttle = exhausted(window=60, store="redis")
    now = math.floor(T0) + 60.1
    assert throttle.refuses(now)
    assert retry_after(throttle, now) == 0


def test_retry_after_of_a_fractional_window() -> None:
    """A fractional window is rounded up, so that one second more is enough."""
    throttle = exhausted(window=2.5)
    now = math.floor(T0) + 1.0
    assert retry_after(throttle, now) == 2
    assert not throttle.refuses(now + 2 + 1)


def test_retry_after_is_never_negative() -> None:
    """After the window, a Retry-After is 0."""
    assert retry_after(exhausted(), T0 + 1000) == 0


@given(throttles, st.floats(0, 1), st.floats(0, 60))
def test_one_second_more_is_enough(throttle: Throttle, start: float, wait: float) -> None:
    """A request one second after the Retry-After is accepted."""
    throttle.limit = 1
    throttle.hit(math.floor(T0) + start)
    now = math.floor(T0) + start + wait
    if throttle.refuses(now):
        now += retry_after(throttle, now) + 1
    assert request(throttle, now)


@given(st.integers(1, 120), st.floats(0, 1), st.floats(0, 120))
def test_understated_by_a_second_at_most(window: int, start: float, wait: float) -> None:
    """A Retry-After is up to a second too short, and never too long."""
    throttle = Throttle(1, window)
    opened = math.floor(T0) + start
    throttle.hit(opened)
    now = opened + min(wait, window - 1e-3)
    missing = opened + window - now - retry_after(throttle, now)
    assert -1 < missing < 1 + 1e-6
