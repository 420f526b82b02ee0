"""The retry quota: spent by retries, earned back by successes and by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._retry import RetryQuota


def test_quota_bounds_the_retries() -> None:
    """E5: at one moment the quota pays for a hundred retries, and then for no more."""
    quota = RetryQuota()
    assert [quota.take(7.0) for _ in range(102)] == [True] * 100 + [False] * 2


def test_quota_is_earned_back() -> None:
    """Once it is used up, five successes pay for one retry."""
    quota = RetryQuota(capacity=5)
    quota.take(0.0)
    paid = []
    for _ in range(5):
        quota.refund(0.0)
        paid.append(quota.take(0.0))
    assert paid == [False, False, False, False, True]


def test_quota_does_not_pile_up() -> None:
    """Neither successes nor time raise the quota above its capacity."""
    quota = RetryQuota(capacity=10)
    quota.refund(0.0)
    assert quota.tokens(1e9) == 10
    quota.refund(1e9)
    assert quota.tokens(1e9) == 10


def used_up(at: float = 0.0) -> RetryQuota:
    """Return a quota that an outage has emptied."""
    quota = RetryQuota()
    while quota.take(at):
        pass
    return quota


def test_quota_is_refilled_by_time() -> None:
    """Two seconds after an outage the quota pays for retries again, without any success."""
    quota = used_up(at=100.0)
    assert [quota.take(at) for at in (100.0, 100.5, 102.0, 102.0, 102.0, 102.0)] == [
        *[False, False, True, True, True, False]
    ]


def test_quota_is_full_again_in_a_minute() -> None:
    """A minute after an outage the quota is full again."""
    quota = used_up(at=100.0)
    assert quota.tokens(130.0) == pytest.approx(250)
    assert quota.tokens(160.0) == pytest.approx(500)


def test_quota_bounds_the_retries_of_ten_minutes() -> None:
    """E5: in ten minutes of failures the quota pays for 100 retries, and 100 more a minute."""
    quota = RetryQuota()
    assert sum(quota.take(at / 10) for at in range(6000)) == pytest.approx(100 + 1000, abs=1)


def test_quota_takes_no_step_back_in_time() -> None:
    """A clock that steps back, as in a new event loop, neither empties nor fills the quota."""
    quota = used_up(at=1000.0)
    assert quota.tokens(3.0) == 0.0
    quota.refund(3.0)
    assert quota.tokens(4.0) == pytest.approx(1 + 500 / 60)


def test_quota_can_be_reserved() -> None:
    """A retry that is paid in advance waits until time has earned its cost."""
    quota = RetryQuota(capacity=10, cost=5, per_second=2)
    waits = [quota.reserve(0.0) for _ in range(4)]
    assert (waits, quota.tokens(0.0)) == ([0.0, 0.0, 2.5, 5.0], -10.0)
    assert (quota.take(5.0), quota.take(7.5)) == (False, True)
    assert quota.reserve(7.5) == 2.5


def test_quota_repr() -> None:
    """The quota's ``repr`` shows its tokens and its capacity."""
    quota = RetryQuota()
    quota.take(0.0)
    assert repr(quota) == "<RetryQuota 495 of 500>"


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 50), st.integers(1, 10))
def test_quota_arithmetic(calls: list[bool], capacity: int, cost: int) -> None:
    """The quota stays between zero and its capacity, and pays if it holds the cost."""
    quota = RetryQuota(capacity, cost)
    for succeeds in calls:
        before = quota.tokens(0.0)
        if succeeds:
            quota.refund(0.0)
            assert quota.tokens(0.0) == min(capacity, before + 1)
        else:
            assert quota.take(0.0) == (before >= cost)
            assert quota.tokens(0.0) == (before - cost if before >= cost else before)
