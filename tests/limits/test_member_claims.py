"""A process's claims: their need, their configuration, and the times at which none is made."""

import pytest

from raydocs_async._headers import Unseen
from raydocs_async._limits._member import BEAT, LOCK_RETRY
from raydocs_async._limits._values import Lane
from tests.support.members import Member, joined
from tests.support.stores import HeldStore


def in_flight(count: int, **settings: object) -> tuple[Member, HeldStore]:
    """Return a process with so many requests in flight, and a store that holds its next claim."""
    process = joined(**settings)
    for _ in range(count):
        process.send(0.2)
    process.tracker.store = later = HeldStore(process.store)
    return process, later


@pytest.mark.parametrize(
    ("count", "single", "bulk"), [(0, 3, 2), (1, 3, 1), (4, 1, 0), (5, 0, 0), (6, 0, 0)]
)
def test_the_need_is_for_the_places_in_flight_that_are_free(
    count: int, single: int, bulk: int
) -> None:
    """Single calls take the free places first, and bulk calls those that are left."""
    process, later = in_flight(count, max_in_flight=5)
    process.queue = (3, 40)
    process.tracker.leave(0.3)
    (claim,) = later.claims
    assert (claim.single, claim.bulk, claim.in_flight) == (single, bulk, count)


def test_the_configuration_is_stated_once() -> None:
    """Only the claim that joins has it, because another one would undo what is learned since."""
    process = Member()
    process.tracker.store = later = HeldStore()
    process.waits(0.0)
    later.answer(0.0)
    for now in (0.1, 0.2):
        process.tracker.leave(now)
        later.answer(now)
    assert [claim.joins is None for claim in later.claims] == [False, True, True]


def test_a_call_behind_others_of_its_process_asks_again_in_a_moment() -> None:
    """If the hits are for single calls, bulk work does not ask again at once."""
    process = joined(limit=2, max_in_flight=1)
    process.queue = (1, 0)
    assert process.waits(0.2, Lane.BULK) == 0.2 + LOCK_RETRY


@pytest.mark.parametrize("lane", Lane)
def test_a_locked_store_is_left_alone_for_a_moment(lane: Lane) -> None:
    """Until it is to be tried again, no call of either lane tries a locked store."""
    process = joined()
    process.store.locked = True
    until = process.waits(2.0)
    process.store.locked = False
    assert process.waits(2.0 + LOCK_RETRY / 2, lane) == until
    process.send(until, lane)


def test_an_earlier_time_to_ask_again_is_forgotten() -> None:
    """After `forget`, the first call asks the store at once."""
    process = joined(limit=1)
    assert process.waits(0.2) == 60.1
    process.tracker.forget()
    process.store.data = b""
    process.send(0.3)


def test_a_beat_without_requests_in_flight_gives_the_lease_back() -> None:
    """A process whose requests are all reported goes on to beat while it holds hits."""
    process = joined()
    process.queue = (5, 0)
    ticket = process.send(0.2)
    process.queue = (0, 0)
    process.passes(ticket, 98, 0.3)
    assert process.tracker.beat(0.4)
    assert not process.tracker._reports
    assert process.tracker.lease.left
    assert process.tracker.beat(0.4 + BEAT)
    assert not process.tracker.lease.left


def test_a_beat_without_a_lease_reports() -> None:
    """A process that holds no hit any more still reports its last requests."""
    process = joined()
    ticket = process.send(0.2)
    process.tracker.lease.drop()
    process.tracker.settle(ticket, Unseen(), 0.3, float)
    assert process.tracker.beat(0.4)
    assert not process.tracker._reports


@pytest.mark.parametrize(
    ("now", "before", "asks"), [(0, 0, False), (1, 0, True), (0, 1, True), (1, 1, True)]
)
def test_with_foreign_use_a_waiting_call_asks_after_each_reply(
    now: int, before: int, asks: bool
) -> None:
    """Foreign use in this window or the last one bounds the requests in flight."""
    process = joined(limit=3)
    ticket, _ = process.send(0.2), process.send(0.2)
    process.waits(0.3)
    process.tracker.window.foreign, process.tracker.tracker.foreign_before = now, before
    transactions = process.store.transactions
    process.passes(ticket, 1, 0.31)
    assert process.store.transactions == transactions
    process.waits(0.31)
    assert process.store.transactions == transactions + asks
