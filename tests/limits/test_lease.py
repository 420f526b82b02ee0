"""A process's lease: the hits that it spends, and how many it claims ahead of its need."""

import pytest

from raydocs_async._limits._lease import MAX_AHEAD, QUICK, Lease
from raydocs_async._limits._values import Lane


def used(batch: int) -> Lease:
    """Return a lease that was taken at 0 s, and of which a hit was spent."""
    lease = Lease(any=10, expires_at=1.0, leased_at=0.0, batch=batch)
    assert lease.spend(Lane.BULK, 0.0)
    return lease


def test_a_single_call_takes_the_hits_for_any_call_last() -> None:
    """Single calls spend their own hits first, and bulk calls only those for any call."""
    lease = Lease(single=2, any=1, expires_at=1.0)
    assert lease.spend(Lane.SINGLE, 0.0)
    assert (lease.single, lease.any) == (1, 1)
    assert lease.spend(Lane.BULK, 0.0)
    assert not lease.spend(Lane.BULK, 0.0)
    assert (lease.single, lease.any) == (1, 0)


def test_a_lease_is_void_from_its_end_on() -> None:
    """No hit is left from the moment at which the lease ends."""
    lease = Lease(single=1, any=1, expires_at=1.0)
    assert not lease.spend(Lane.SINGLE, 1.0)
    assert lease.left == 0


@pytest.mark.parametrize(("before", "after"), [(1, 2), (5, 10), (MAX_AHEAD - 1, MAX_AHEAD)])
def test_a_lease_that_is_used_up_quickly_is_followed_by_one_of_twice_the_hits(
    before: int, after: int
) -> None:
    """The hits to claim ahead double, up to the most, if the lease did not last."""
    assert used(before).plan(QUICK / 2) == after


def test_a_lease_that_lasts_is_followed_by_an_equal_one() -> None:
    """The hits to claim ahead stay the same if the lease lasted, or none was spent."""
    assert used(5).plan(QUICK) == 5
    assert Lease(any=10, leased_at=0.0, batch=5).plan(QUICK / 2) == 5


@pytest.mark.parametrize(("before", "after"), [(8, 4), (5, 2), (2, 1), (1, 1)])
def test_an_unused_lease_is_dropped_and_followed_by_one_of_half_the_hits(
    before: int, after: int
) -> None:
    """The hits to claim ahead are halved by a beat without use, and always a whole one at least."""
    lease = Lease(any=10, batch=before)
    lease.beat()
    assert (lease.left, lease.batch) == (0, after)


def test_a_lease_is_kept_until_a_whole_beat_passes_without_use() -> None:
    """A hit that was spent since the last beat keeps the others until the next one."""
    lease = used(5)
    lease.beat()
    assert (lease.left, lease.batch) == (9, 5)
    lease.beat()
    assert lease.left == 0
