"""One process's part in a shared window: its leases, its reports, and its waits."""

import pytest

from raydocs_async._headers import NotCounted, Refused, Unseen
from raydocs_async._limits._lease import MAX_AHEAD
from raydocs_async._limits._ledger import LEASE, LOOK_SOON
from raydocs_async._limits._member import BEAT
from raydocs_async._limits._values import Lane, Ticket
from raydocs_async.events import (
    ForeignUse,
    Paused,
    SharedLimitContended,
    SharedLimitJoined,
    WindowOpened,
)
from tests.support.members import Member, joined
from tests.support.windows import says


def test_it_joins_with_its_first_request() -> None:
    """The event of joining has the number of processes, and comes with the first reply."""
    process = Member()
    ticket = process.send(0.0)
    assert process.passes(ticket, 99, 0.1) == [
        SharedLimitJoined(processes=1),
        WindowOpened(limit=100, remaining=99),
    ]
    another = Member(process.store, "b")
    assert SharedLimitJoined(processes=2) in another.passes(another.send(0.2), 98, 0.3)


def test_a_lease_costs_no_transaction_a_request() -> None:
    """A hundred consecutive calls take at most eight transactions."""
    process, now = joined(limit=1000), 0.1
    before = process.store.transactions
    for number in range(100):
        ticket = process.send(now)
        now += 0.001
        process.passes(ticket, 998 - number, now)
    assert process.store.transactions - before <= 8


def test_leases_grow_to_their_bound() -> None:
    """The faster a lease is used up, the larger the next one is."""
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
    """The need does not include calls that would wait for a place in flight."""
    process = joined(max_in_flight=5)
    process.queue = (3, 40)
    process.send(0.2)
    assert process.tracker.free == 98
    assert process.tracker.lease.left >= 4
    account = process.store.record.accounts["a"]  # type: ignore[union-attr]
    assert account.single + account.bulk == 0


def test_a_hit_for_single_calls_is_not_for_bulk_work() -> None:
    """A hit leased for single calls is not spent on bulk work, because it may be of the reserve."""
    process = joined()
    process.queue = (2, 0)
    process.send(0.2)
    process.queue = (0, 0)
    assert process.tracker.lease.single == 1
    process.send(0.2, Lane.BULK)
    process.send(0.2)


def test_a_void_lease_is_not_spent() -> None:
    """A process that was stopped for longer than its lease claims again."""
    process = joined()
    process.queue = (5, 0)
    process.send(0.2)
    before = process.store.transactions
    process.send(0.2 + LEASE)
    assert process.store.transactions == before + 1


def test_the_reply_to_a_probe_is_reported_at_once() -> None:
    """The reply to a probe is reported at once, because all processes wait for it."""
    process = Member()
    ticket = process.send(0.0)
    other = Member(process.store, "b")
    assert other.waits(0.05) == 0.05 + LOOK_SOON
    process.passes(ticket, 99, 0.1)
    other.send(0.11)


def test_a_look_costs_no_lock() -> None:
    """A process that waits for another's reply reads without a transaction."""
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
    """Until the time in the record, a shut window costs no access to the store."""
    process = joined(limit=1)
    until = process.waits(0.2)
    assert until == 60.1
    process.store.failure = "not to be touched"
    assert process.waits(0.3) == process.waits(60.0) == until


def test_bulk_work_that_waits_holds_no_single_call_back() -> None:
    """Waiting bulk work does not delay a single call, which may use the reserve."""
    process = joined(limit=3, reserve=2)
    process.queue = (0, 5)
    assert process.waits(0.2, Lane.BULK) == 60.1
    process.send(0.3)


def test_a_single_call_that_waits_does_not_ask_again() -> None:
    """The time in the record holds for waiting single calls, too."""
    process = joined(limit=1)
    process.waits(0.2)
    before = process.store.transactions
    assert process.waits(0.3) == 60.1
    assert process.store.transactions == before


def test_nobody_gives_up_while_hits_may_go_back() -> None:
    """Leased hits may go back, so the window counts as used up only when they are spent."""
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
    """A refusal is reported at once, and stops the other processes."""
    process = joined()
    other = Member(process.store, "b")
    events = process.settle(process.send(0.2), Refused(says(0, retry_after=20.0)), 0.3)
    assert events == [Paused(seconds=21.0), ForeignUse(hits=1)]
    assert other.waits(0.4) == pytest.approx(21.3)


def test_others_see_the_changes_that_they_did_not_cause() -> None:
    """A process reports the pause that another process met to its caller."""
    process = joined()
    other = Member(process.store, "b")
    ticket = other.send(0.15)
    process.settle(process.send(0.2), Refused(says(0, retry_after=20.0)), 0.3)
    other.waits(1.3)
    assert any(isinstance(event, Paused) for event in other.passes(ticket, 98, 1.4))


def test_a_request_that_was_not_sent_lets_the_next_one_go() -> None:
    """The hit of an unsent request is claimed for a waiting call at once."""
    process = joined(limit=2)
    ticket = process.send(0.2)
    process.queue = (1, 0)
    process.waits(0.3)
    process.settle(ticket, NotCounted(), 0.4)
    process.send(0.4)


def test_a_request_that_was_not_sent_is_not_urgent_when_nobody_waits() -> None:
    """Without a waiting call, the next beat reports an unsent request."""
    process = joined()
    process.queue = (2, 0)
    first = process.send(0.2)
    process.send(0.2)
    process.queue = (0, 0)
    before = process.store.transactions
    process.settle(first, NotCounted(), 0.3)
    assert process.store.transactions == before


def test_a_request_in_doubt_makes_the_next_reply_urgent() -> None:
    """The reply after a request in doubt is reported at once, because it decides about the hit."""
    process = joined(limit=3)
    process.settle(process.send(0.2), Unseen(), 0.3)
    ticket = process.send(0.4)
    before = process.store.transactions
    process.passes(ticket, 1, 0.5)
    assert process.store.transactions > before
    process.send(0.6)


def test_with_foreign_use_every_reply_may_let_one_go() -> None:
    """With foreign use, every reply is reported, because it may admit a request."""
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
    """The last reply is reported, so that the others sleep until the window's end."""
    process = joined(limit=2)
    ticket = process.send(0.2)
    other = Member(process.store, "b", queue=(1, 0))
    other.waits(0.3)
    process.tracker.beat(0.35)
    process.passes(ticket, 0, 0.4)
    assert other.waits(0.5) == 0.3 + LEASE
    assert other.waits(0.3 + LEASE) == 60.1


def test_a_beat_gives_back_what_was_not_spent() -> None:
    """A beat gives back the hits that were not used since the last one."""
    process = joined()
    process.queue = (5, 0)
    first = process.send(0.2)
    process.queue = (0, 0)
    assert process.armed
    assert process.tracker.beat(0.2 + BEAT)
    assert process.tracker.lease.left == 5
    process.passes(first, 98, 0.5)
    assert process.tracker.beat(0.2 + 2 * BEAT)
    assert process.tracker.lease.left == 0
    assert not process.tracker.beat(0.2 + 3 * BEAT)
    record = process.store.record
    assert record is not None
    assert record.accounts["a"].held == 0


def test_a_beat_renews_the_lease_of_slow_requests() -> None:
    """A beat renews the lease, so that slow requests do not make the process count as dead."""
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
    """The event of contention comes once a window, with the number of calls that wait elsewhere."""
    process = Member(limit=11, queue=(0, 10))
    ticket = process.send(0.0, Lane.BULK)
    other = Member(process.store, "b", limit=11, queue=(0, 10))
    other.waits(0.05, Lane.BULK)
    assert SharedLimitContended(waiting=10) in process.passes(ticket, 10, 0.1)
    tickets = [process.send(0.1, Lane.BULK) for _ in range(5)]
    process.waits(0.2, Lane.BULK)
    assert process.settle(tickets[0], NotCounted(), 0.3) == []


def test_a_look_shows_the_window() -> None:
    """A waiting process sees the pause that another one met."""
    process = joined(limit=3)
    process.queue = (2, 0)
    ticket = process.send(0.2)
    other = Member(process.store, "b", limit=3)
    until = other.waits(0.2)
    process.settle(ticket, Refused(says(0, limit=3, retry_after=20.0)), 0.21)
    other.waits(until)
    assert other.tracker.shut_until == pytest.approx(21.21)


def test_what_an_earlier_event_loop_left_is_forgotten() -> None:
    """`forget` drops the lease and the requests of an earlier event loop or process."""
    process = joined()
    process.queue = (5, 0)
    process.send(0.2)
    process.tracker.forget()
    assert process.tracker.in_flight == set()
    assert process.tracker.lease.left == 0
    ticket = Ticket(0.2)
    process.tracker.settle(ticket, Unseen(), 0.3, float)
    assert process.tracker._reports == []
