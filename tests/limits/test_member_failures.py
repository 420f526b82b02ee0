"""A store that fails or is locked: its process goes on alone, and comes back by itself."""

import pytest

from raydocs_async._headers import Refused, Unseen
from raydocs_async._limits._ledger import LEASE
from raydocs_async._limits._member import LOCK_RETRY, MAX_REPORTS, PATIENCE, REJOIN
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async.events import Paused, SharedLimitJoined, SharedLimitLost
from tests.support.members import Member, joined
from tests.support.stores import MemoryStore
from tests.support.windows import says


def test_a_store_that_fails_is_told_once() -> None:
    """A failed store is reported once, and the process goes on by what it knows."""
    process = joined(limit=3)
    ticket = process.send(0.2)
    process.store.failure = "on fire"
    assert process.tracker.beat(0.45)
    assert process.warnings == ["on fire"]
    assert process.tracker.processes is None
    assert process.passes(ticket, 1, 0.5) == [SharedLimitLost(reason="on fire")]
    process.passes(process.send(0.6), 0, 0.7)
    assert process.waits(0.8) == 60.1
    assert not process.tracker.beat(1.0)
    assert len(process.warnings) == 1


def test_reports_that_the_store_did_not_take_are_not_lost() -> None:
    """Reports from before the failure count without the store, too."""
    process = joined()
    process.queue = (4, 0)
    tickets = [process.send(0.2) for _ in range(4)]
    process.queue = (0, 0)
    for number, ticket in enumerate(tickets[:3]):
        process.passes(ticket, 98 - number, 0.3)
    process.store.failure = "on fire"
    process.tracker.beat(0.4)
    assert process.tracker.window.left == 96
    assert process.tracker.in_flight == {tickets[3]}
    assert process.tracker.free == 95


def test_hits_of_other_processes_count_without_the_store() -> None:
    """Hits of other processes are in doubt without the store, and one request asks for them."""
    process = joined(limit=6)
    other = Member(process.store, "b", queue=(5, 0), limit=6)
    for _ in range(5):
        other.send(0.2)
    process.waits(0.2)
    process.store.failure = "on fire"
    process.send(0.2 + LEASE)
    assert process.tracker.window.unseen == 5
    process.waits(0.3 + LEASE)


def test_hits_of_other_processes_add_to_those_in_doubt() -> None:
    """Without the store, both this process's lost requests and the others' hits are in doubt."""
    process = joined()
    other = Member(process.store, "b")
    other.send(0.2)
    process.settle(process.send(0.2), Unseen(), 0.3)
    process.tracker.beat(0.4)
    assert process.tracker.window.unseen == 1
    process.store.failure = "on fire"
    process.tracker.leave(0.5)
    held = other.tracker.lease.left + 1
    assert process.tracker.window.unseen == 1 + held


def test_a_refusal_that_the_store_did_not_take_pauses() -> None:
    """The pause after a 429 without Retry-After begins, although its report failed."""
    process = joined()
    ticket = process.send(0.2)
    process.store.failure = "on fire"
    events = process.settle(ticket, Refused(says()), 0.3)
    assert events == [SharedLimitLost(reason="on fire"), Paused(seconds=5.0)]
    assert process.waits(0.4) == 5.3


def test_a_refusal_without_the_store_pauses_and_is_reported_later() -> None:
    """The pause after a 429 holds for this process at once, and for the others when it rejoins."""
    process = joined()
    ticket = process.send(0.2)
    process.store.failure = "on fire"
    process.tracker.leave(0.2)
    at = 0.2 + REJOIN[0] - 0.1
    events = process.settle(ticket, Refused(says()), at)
    assert events == [SharedLimitLost(reason="on fire"), Paused(seconds=5.0)]
    process.store.failure = None
    process.waits(0.2 + REJOIN[0])
    assert process.tracker.joined
    assert Member(process.store, "b").waits(2.0) == at + 5.0


def test_the_reserve_holds_without_the_store() -> None:
    """Bulk work of a process alone leaves its reserve to single calls, too."""
    process = joined(limit=3)
    process.store.failure = "on fire"
    process.tracker.leave(0.2)
    assert process.tracker.admit(Ticket(), 0.3, 1, Lane.BULK) is None
    assert process.tracker.admit(Ticket(), 0.3, 1, Lane.BULK) == Wait(60.1)
    process.send(0.3)


def test_it_comes_back_by_itself() -> None:
    """The store is tried again after a second, then less often, until it works."""
    process = joined()
    process.store.failure = "on fire"
    process.settle(process.send(LEASE + 1), Unseen(), LEASE + 1.1)
    asked: list[float] = []

    class Watching(MemoryStore):
        def transact(self, claim, now):  # type: ignore[no-untyped-def]
            asked.append(now)
            return super().transact(claim, now)

    process.tracker.store = Watching(data=process.store.data, failure="on fire")
    for tenth in range(25, 1000):
        process.passes(process.send(tenth / 10), 90, tenth / 10)
    first, *later = asked
    assert first == pytest.approx(LEASE + 1 + REJOIN[0], abs=0.51)
    gaps = [after - before for before, after in zip(asked, later, strict=False)]
    assert gaps[:5] == pytest.approx([2, 4, 8, 16, 30], abs=0.11)
    process.tracker.store.failure = None
    ticket = process.send(200.0)
    assert SharedLimitJoined(processes=1) in process.passes(ticket, 99, 200.1)
    assert process.tracker.processes == 1
    assert len(process.warnings) == 1
    process.tracker.store.failure = "again"
    process.send(300.0)
    assert process.warnings == ["on fire", "again"]


def test_the_reports_for_a_failed_store_are_bounded() -> None:
    """Of the reports for a failed store, the latest ones are kept."""
    process = joined(limit=10**6)
    process.store.failure = "on fire"
    for number in range(3 * MAX_REPORTS):
        process.passes(process.send(0.2), 10**6 - 2 - number, 0.3)
    assert len(process.tracker._reports) == MAX_REPORTS
    process.store.failure = None
    process.send(0.2 + REJOIN[0])
    assert process.tracker.window.left == 10**6 - 1 - 3 * MAX_REPORTS


def test_a_locked_store_is_tried_again_in_a_moment() -> None:
    """A locked store is tried again in a moment, without a warning."""
    process = joined(limit=1000)
    process.store.locked = True
    assert process.waits(2.0) == 2.0 + LOCK_RETRY
    process.store.locked = False
    process.send(2.0 + LOCK_RETRY)
    assert process.warnings == []


def test_a_store_that_is_locked_for_long_has_failed() -> None:
    """A store that is locked for long counts as failed."""
    process = Member(store=MemoryStore(locked=True))
    assert process.waits(0.0) == LOCK_RETRY
    process.waits(0.99 * PATIENCE)
    process.send(PATIENCE)
    assert process.warnings == ["another process holds its lock and does not go on"]
    process.waits(PATIENCE + 0.99 * REJOIN[0])  # as without the store, for the probe is out
    assert len(process.warnings) == 1
