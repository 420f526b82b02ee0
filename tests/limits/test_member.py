"""One process's part in a shared window: when it asks its store, and what it does without one."""

import attrs
import pytest

from raydocs_async._headers import NotCounted, Observation, Passed, Refused, Unseen
from raydocs_async._limits._ledger import LEASE, LOOK_SOON
from raydocs_async._limits._member import (
    BEAT,
    LOCK_RETRY,
    MAX_AHEAD,
    MAX_REPORTS,
    PATIENCE,
    REJOIN,
    SharedTracker,
)
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async.events import (
    ForeignUse,
    Paused,
    SharedLimitContended,
    SharedLimitJoined,
    SharedLimitLost,
    WindowOpened,
)
from tests.support.shared import MemoryStore, member
from tests.support.windows import says


@attrs.define
class Member:
    """A process, and its steps in one line each."""

    store: MemoryStore = attrs.Factory(MemoryStore)
    name: str = "a"
    queue: tuple[int, int] = (0, 0)
    limit: int = 100
    max_in_flight: int = 32
    reserve: int = 0
    armed: int = 0
    warnings: list[str] = attrs.Factory(list)
    tracker: SharedTracker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracker = member(
            self.store,
            self.name,
            lambda: self.queue,
            limit=self.limit,
            max_in_flight=self.max_in_flight,
            reserve=self.reserve,
            arm=self.arm,
            warn=self.warnings.append,
        )

    def arm(self) -> None:
        """Count that a beat is wanted."""
        self.armed += 1

    def send(self, now: float, lane: Lane = Lane.SINGLE) -> Ticket:
        """Send a request, which must be possible now."""
        ticket = Ticket()
        assert self.tracker.admit(ticket, now, 0, lane) is None
        assert ticket.sent_at == now
        return ticket

    def waits(self, now: float, lane: Lane = Lane.SINGLE) -> float:
        """Try to send a request, which must not be possible now; return when to ask again."""
        wait = self.tracker.admit(Ticket(), now, 0, lane)
        assert isinstance(wait, Wait)
        return wait.until

    def settle(self, ticket: Ticket, observation: Observation, now: float) -> list[object]:
        """Settle a request, and return the events."""
        before = self.tracker.snapshot
        self.tracker.settle(ticket, observation, now, lambda refusals: 5.0)
        return list(self.tracker.events_since(before, now))

    def passes(self, ticket: Ticket, remaining: int, now: float) -> list[object]:
        """Settle a request that passed."""
        return self.settle(ticket, Passed(says(remaining, limit=self.limit)), now)


def joined(**settings: object) -> Member:
    """Return a process whose probe was sent at 0 s and answered at 0.1 s."""
    process = Member(**settings)  # type: ignore[arg-type]
    process.passes(process.send(0.0), process.limit - 1, 0.1)
    return process


def test_it_joins_with_its_first_request() -> None:
    """The event says how many processes there are, and comes with the next reply."""
    process = Member()
    ticket = process.send(0.0)
    assert process.passes(ticket, 99, 0.1) == [
        SharedLimitJoined(processes=1),
        WindowOpened(limit=100, remaining=99),
    ]
    another = Member(process.store, "b")
    assert SharedLimitJoined(processes=2) in another.passes(another.send(0.2), 98, 0.3)


def test_a_lease_costs_no_transaction_a_request() -> None:
    """Of a hundred calls one after another, few ask the store."""
    process, now = joined(limit=1000), 0.1
    before = process.store.transactions
    for number in range(100):
        ticket = process.send(now)
        now += 0.001
        process.passes(ticket, 998 - number, now)
    assert process.store.transactions - before <= 8


def test_leases_grow_to_their_bound() -> None:
    """The faster a lease is used up, the larger is the next one."""
    process, now = joined(limit=10**6), 0.1
    for number in range(5000):
        process.passes(process.send(now), 10**6 - 2 - number, now + 0.0001)
        now += 0.0001
    before = process.store.transactions
    for number in range(5000, 5000 + 4 * MAX_AHEAD):
        process.passes(process.send(now), 10**6 - 2 - number, now + 0.0001)
        now += 0.0001
    assert process.store.transactions - before <= 5


def test_the_need_is_what_can_be_sent_at_once() -> None:
    """Calls that would wait for a place in flight need no hit yet."""
    process = joined(max_in_flight=5)
    process.queue = (3, 40)
    process.send(0.2)
    assert process.tracker.free == 98
    assert process.tracker._single + process.tracker._any >= 4
    account = process.store.record.accounts["a"]  # type: ignore[union-attr]
    assert account.single + account.bulk == 0


def test_a_hit_for_single_calls_is_not_for_bulk_work() -> None:
    """It may be one of the reserve."""
    process = joined()
    process.queue = (2, 0)
    process.send(0.2)
    process.queue = (0, 0)
    assert process.tracker._single == 1
    process.send(0.2, Lane.BULK)
    process.send(0.2)


def test_a_void_lease_is_not_spent() -> None:
    """A process that was stopped for long must ask again."""
    process = joined()
    process.queue = (5, 0)
    process.send(0.2)
    before = process.store.transactions
    process.send(0.2 + LEASE)
    assert process.store.transactions == before + 1


def test_the_reply_to_a_probe_is_reported_at_once() -> None:
    """All processes wait for it."""
    process = Member()
    ticket = process.send(0.0)
    other = Member(process.store, "b")
    assert other.waits(0.05) == 0.05 + LOOK_SOON
    process.passes(ticket, 99, 0.1)
    other.send(0.11)


def test_a_look_costs_no_lock() -> None:
    """While it waits for another's reply, a process only reads."""
    process = Member()
    process.send(0.0)
    other = Member(process.store, "b")
    now = other.waits(0.01)
    before = process.store.transactions
    for _ in range(20):
        now = other.waits(now)
    assert process.store.transactions == before
    process.store.data = b""
    other.send(now)


def test_it_does_not_ask_before_the_time_that_the_record_names() -> None:
    """A shut window costs nothing."""
    process = joined(limit=1)
    until = process.waits(0.2)
    assert until == 60.1
    process.store.failure = "not to be touched"
    assert process.waits(0.3) == process.waits(60.0) == until


def test_bulk_work_that_waits_holds_no_single_call_back() -> None:
    """The reserve is shut for bulk work, and open for single calls."""
    process = joined(limit=3, reserve=2)
    process.queue = (0, 5)
    assert process.waits(0.2, Lane.BULK) == 60.1
    process.send(0.3)


def test_a_single_call_that_waits_does_not_ask_again() -> None:
    """The time that the record names counts for it, too."""
    process = joined(limit=1)
    process.waits(0.2)
    before = process.store.transactions
    assert process.waits(0.3) == 60.1
    assert process.store.transactions == before


def test_nobody_gives_up_while_hits_may_go_back() -> None:
    """All hits are held, perhaps more than are needed; when they are used up, it is certain."""
    process = joined(limit=3)
    process.queue = (2, 0)
    tickets = [process.send(0.2), process.send(0.2)]
    assert process.tracker.opens_at(0.3) == 0.3
    assert process.tracker.opens_at(0.3, ahead=2) == 60.1
    process.queue = (1, 0)
    for left, ticket in zip((1, 0), tickets, strict=True):
        process.passes(ticket, left, 0.4)
    assert process.tracker.opens_at(0.5) == 60.1


def test_a_refusal_is_reported_at_once() -> None:
    """The other processes must not send any more."""
    process = joined()
    other = Member(process.store, "b")
    events = process.settle(process.send(0.2), Refused(says(0, retry_after=20.0)), 0.3)
    assert events == [Paused(seconds=21.0), ForeignUse(hits=1)]
    assert other.waits(0.4) == pytest.approx(21.3)


def test_others_see_the_changes_that_they_did_not_cause() -> None:
    """A process tells its caller of a pause that another one met."""
    process = joined()
    other = Member(process.store, "b")
    ticket = other.send(0.15)
    process.settle(process.send(0.2), Refused(says(0, retry_after=20.0)), 0.3)
    other.waits(1.3)
    assert any(isinstance(event, Paused) for event in other.passes(ticket, 98, 1.4))


def test_a_request_that_was_not_sent_lets_the_next_one_go() -> None:
    """The free hit is claimed for a waiting call, without delay."""
    process = joined(limit=2)
    ticket = process.send(0.2)
    process.queue = (1, 0)
    process.waits(0.3)
    process.settle(ticket, NotCounted(), 0.4)
    process.send(0.4)


def test_a_request_that_was_not_sent_is_not_urgent_when_nobody_waits() -> None:
    """The next beat reports it."""
    process = joined()
    process.queue = (2, 0)
    first = process.send(0.2)
    process.send(0.2)
    process.queue = (0, 0)
    before = process.store.transactions
    process.settle(first, NotCounted(), 0.3)
    assert process.store.transactions == before


def test_a_request_in_doubt_makes_the_next_reply_urgent() -> None:
    """It decides whether the hit is free."""
    process = joined(limit=3)
    process.settle(process.send(0.2), Unseen(), 0.3)
    ticket = process.send(0.4)
    before = process.store.transactions
    process.passes(ticket, 1, 0.5)
    assert process.store.transactions > before
    process.send(0.6)


def test_with_foreign_use_every_reply_may_let_one_go() -> None:
    """The fewer are in flight, the more may be sent."""
    process = joined(limit=12)
    process.passes(process.send(0.2, Lane.BULK), 6, 0.3)
    process.tracker.beat(0.4)
    process.tracker.beat(0.6)
    ticket = process.send(0.7, Lane.BULK)
    assert process.tracker.window.foreign == 3  # a hit of the lease is not sent yet
    process.waits(0.7, Lane.BULK)
    process.passes(ticket, 5, 0.8)
    ticket = process.send(0.8, Lane.BULK)
    assert ForeignUse(hits=4) in process.passes(ticket, 4, 0.9)


def test_the_last_reply_is_reported_to_those_who_wait() -> None:
    """Then nothing is in flight, and they sleep until the window's end."""
    process = joined(limit=2)
    ticket = process.send(0.2)
    other = Member(process.store, "b", queue=(1, 0))
    other.waits(0.3)
    process.tracker.beat(0.35)
    process.passes(ticket, 0, 0.4)
    assert other.waits(0.5) == 0.3 + LEASE
    assert other.waits(0.3 + LEASE) == 60.1


def test_a_beat_gives_back_what_was_not_spent() -> None:
    """A lease that was not used since the last beat is free for the others."""
    process = joined()
    process.queue = (5, 0)
    first = process.send(0.2)
    process.queue = (0, 0)
    assert process.armed
    assert process.tracker.beat(0.2 + BEAT)
    assert process.tracker._single + process.tracker._any == 5
    process.passes(first, 98, 0.5)
    assert process.tracker.beat(0.2 + 2 * BEAT)
    assert process.tracker._single + process.tracker._any == 0
    assert not process.tracker.beat(0.2 + 3 * BEAT)
    record = process.store.record
    assert record is not None
    assert record.accounts["a"].held == 0


def test_a_beat_renews_the_lease_of_slow_requests() -> None:
    """Others must not take the process for dead."""
    process = joined(limit=2)
    process.send(0.2)
    process.queue = (1, 0)
    process.waits(0.3)
    for beat in range(1, 20):
        assert process.tracker.beat(0.2 + beat * BEAT)
    other = Member(process.store, "b")
    other.waits(0.2 + 20 * BEAT)
    assert other.tracker.window.unseen == 0


def test_waiting_for_others_is_told_once_a_window() -> None:
    """The event says how many calls wait elsewhere."""
    process = Member(limit=11, queue=(0, 10))
    ticket = process.send(0.0, Lane.BULK)
    other = Member(process.store, "b", limit=11, queue=(0, 10))
    other.waits(0.05, Lane.BULK)
    assert SharedLimitContended(waiting=10) in process.passes(ticket, 10, 0.1)
    tickets = [process.send(0.1, Lane.BULK) for _ in range(5)]
    process.waits(0.2, Lane.BULK)
    assert process.settle(tickets[0], NotCounted(), 0.3) == []


# -- a store that fails -------------------------------------------------------------------


def test_a_store_that_fails_is_told_once() -> None:
    """The process goes on by what it knows, as without a shared limit."""
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
    """What was seen before the failure counts without the store, too."""
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
    """One request asks the server about them, instead of all requests being refused."""
    process = joined(limit=6)
    other = Member(process.store, "b", queue=(5, 0), limit=6)
    for _ in range(5):
        other.send(0.2)
    process.waits(0.2)
    process.store.failure = "on fire"
    process.send(0.2 + LEASE)
    assert process.tracker.window.unseen == 5
    process.waits(0.3 + LEASE)


def test_a_look_shows_the_window() -> None:
    """A process that waits knows of a pause that another one met."""
    process = joined(limit=3)
    process.queue = (2, 0)
    ticket = process.send(0.2)
    other = Member(process.store, "b", limit=3)
    until = other.waits(0.2)
    process.settle(ticket, Refused(says(0, limit=3, retry_after=20.0)), 0.21)
    other.waits(until)
    assert other.tracker.shut_until == pytest.approx(21.21)


def test_it_comes_back_by_itself() -> None:
    """The store is tried again after a second, then less often; then it knows what was missed."""
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
    """The latest ones count."""
    process = joined(limit=10**6)
    process.store.failure = "on fire"
    for number in range(3 * MAX_REPORTS):
        process.passes(process.send(0.2), 10**6 - 2 - number, 0.3)
    assert len(process.tracker._reports) == MAX_REPORTS
    process.store.failure = None
    process.send(0.2 + REJOIN[0])
    assert process.tracker.window.left == 10**6 - 1 - 3 * MAX_REPORTS


def test_a_locked_store_is_tried_again_in_a_moment() -> None:
    """Another process holds the lock for microseconds."""
    process = joined(limit=1000)
    process.store.locked = True
    assert process.waits(2.0) == 2.0 + LOCK_RETRY
    process.store.locked = False
    process.send(2.0 + LOCK_RETRY)
    assert process.warnings == []


def test_a_store_that_is_locked_for_long_has_failed() -> None:
    """Its holder was stopped."""
    process = Member(store=MemoryStore(locked=True))
    assert process.waits(0.0) == LOCK_RETRY
    process.waits(0.99 * PATIENCE)
    process.send(PATIENCE)
    assert process.warnings == ["another process holds its lock and does not go on"]
    process.waits(PATIENCE + 0.99 * REJOIN[0])  # as without the store, for the probe is out
    assert len(process.warnings) == 1


def test_what_an_earlier_event_loop_left_is_forgotten() -> None:
    """Also in a child process, which must not spend its parent's lease."""
    process = joined()
    process.queue = (5, 0)
    process.send(0.2)
    process.tracker.forget()
    assert process.tracker.in_flight == set()
    assert process.tracker._single + process.tracker._any == 0
    ticket = Ticket(0.2)
    process.tracker.settle(ticket, Unseen(), 0.3, float)
    assert process.tracker._reports == []
