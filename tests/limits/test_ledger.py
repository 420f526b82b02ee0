"""Grants of one window to several processes: the probe, the shares, and the reserve."""

import pytest
from attrs import evolve

from raydocs_async._headers import Passed, RateLimitHeaders
from raydocs_async._limits._claim import Claim, Configuration
from raydocs_async._limits._ledger import GRACE, LEASE, LOOK_SOON, RESERVED, transact
from raydocs_async._limits._period import Interval, Opening
from raydocs_async._limits._record import Record
from raydocs_async._limits._window import Window
from tests.support.ledgers import Ledger, opened, report


def test_one_probe_for_all() -> None:
    """While the window is unknown, the second process waits, and looks again soon."""
    ledger = Ledger()
    assert ledger.claim("a", 0.0, bulk=32).any == 1
    grant = ledger.claim("b", 0.01, bulk=32)
    assert grant.any == 0
    assert grant.look_at == 0.01 + LOOK_SOON
    assert grant.ask_at == 1.0
    assert grant.processes == 2


def test_the_probe_of_a_dead_process_is_sent_again() -> None:
    """A second after a probe, another process may probe."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=32)
    assert ledger.claim("b", 0.99, bulk=32).any == 0
    assert ledger.claim("b", 1.0, bulk=32).any == 1


def test_a_probe_that_was_not_sent_is_free_for_another_process() -> None:
    """The probe of a cancelled caller goes back with its hit."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=1)
    ledger.claim("a", 0.1)
    assert ledger.claim("b", 0.1, bulk=1).any == 1


def test_a_probe_in_flight_is_not_free() -> None:
    """A claim that states the probe as in flight keeps it."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=1)
    ledger.claim("a", 0.1, in_flight=1)
    assert ledger.claim("b", 0.1, bulk=1).any == 0


def test_the_need_is_met_while_hits_are_left() -> None:
    """A process alone gets what it needs at once."""
    ledger = opened()
    grant = ledger.claim("a", 0.2, single=2, bulk=30)
    assert (grant.single, grant.any) == (2, 30)
    assert grant.expires_at == 0.2 + LEASE
    assert grant.tracker.free == 99 - 32


def test_the_sum_of_all_leases_is_what_the_server_allows() -> None:
    """No hit is granted twice, however many processes claim."""
    ledger = opened()
    granted = [ledger.claim(owner, 0.2, bulk=32).any for owner in "abcdefgh"]
    assert sum(granted) == 99
    assert ledger.claim("i", 0.2, bulk=32).any == 0


def test_waiting_processes_share_evenly() -> None:
    """Eight that waited for the probe get an eighth each, in whatever order they come."""
    others = "bcdefgh"
    ledger = opened(waiting=others)
    granted = [ledger.claim(owner, 0.11, bulk=32).any for owner in ["a", *others]]
    assert sum(granted) == 99
    assert set(granted) <= {11, 12, 13}


def test_a_process_that_waits_for_its_turn_looks_soon() -> None:
    """A process looks again soon if hits are left, but kept for other processes."""
    ledger = opened(waiting=["b"])
    grant = ledger.claim("a", 0.11, bulk=90)
    assert grant.any == 67
    assert grant.contended
    assert grant.look_at == 0.11 + LOOK_SOON
    assert grant.waiting == 32


def test_single_calls_of_waiting_processes_share_evenly() -> None:
    """Single calls, too, leave the share of a process that waits."""
    ledger = opened(waiting=["b"], lane="single")
    grant = ledger.claim("a", 0.11, single=90)
    assert (grant.single, grant.contended) == (67, True)


def test_a_share_is_kept_for_a_moment_only() -> None:
    """A share that its process does not claim in time goes to another one."""
    ledger = opened(waiting=["b"])
    due_at = ledger.account("b").due_at
    assert due_at == pytest.approx(1.0 + GRACE)
    ledger.claim("a", 0.11, bulk=67)
    assert ledger.claim("a", due_at - 0.01, in_flight=67, bulk=32).any == 0
    assert ledger.claim("a", due_at, in_flight=67, bulk=32).any == 32


def test_single_calls_of_any_process_go_before_bulk_work() -> None:
    """Bulk work gets only the hits that the single calls of all processes leave."""
    ledger = opened(limit=40, waiting=["b"], lane="single")
    assert ledger.claim("a", 0.11, bulk=32).any == 39 - 32
    assert ledger.claim("b", 0.11, single=32).single == 32


def test_bulk_work_gets_nothing_while_single_calls_need_every_hit() -> None:
    """Bulk work waits for its turn if the single calls of another process need all hits left."""
    grant = opened(limit=11, waiting=["b"], lane="single").claim("a", 0.11, bulk=5)
    assert (grant.any, grant.contended) == (0, True)


def test_processes_share_the_hits_that_the_reserve_leaves() -> None:
    """Two processes with bulk work get half each of the hits left, less the reserve."""
    ledger = opened(limit=40, waiting=["b"])
    assert ledger.claim("a", 0.11, bulk=32, reserve=10).any == 15
    assert ledger.claim("b", 0.12, bulk=32).any == 14


def test_bulk_work_of_any_process_leaves_the_reserve() -> None:
    """The largest reserve counts, even for a process that has none."""
    ledger = opened(limit=40)
    ledger.claim("web", 0.11, reserve=10)
    ledger.claim("web 2", 0.11, reserve=5)
    assert ledger.claim("job", 0.12, bulk=32).any == 29
    assert ledger.claim("job", 0.2, in_flight=29, bulk=3).any == 0
    assert ledger.claim("web", 0.2, single=12).single == 10


def test_the_reserve_of_a_process_that_is_idle_is_kept_for_an_hour() -> None:
    """The reserve of a process is kept for an hour after its last claim."""
    ledger = Ledger()
    ledger.claim("web", 0.0, reserve=10)
    ledger.claim("job", RESERVED - 60)
    assert ledger.record is not None
    assert ledger.record.reserve == 10
    ledger.claim("job", RESERVED)
    assert ledger.record.reserve == 0


def test_hits_ahead_of_the_need_leave_a_part_for_a_newcomer() -> None:
    """Ahead of its need, a single process gets half of the hits left."""
    grant = opened(limit=100).claim("a", 0.2, bulk=9, ahead=256)
    assert grant.any == 9 + 45


def test_hits_ahead_of_the_need_leave_a_part_for_requests_in_flight() -> None:
    """Hits ahead of the need leave as many as another process has in flight."""
    ledger = opened(limit=100)
    ledger.claim("b", 0.1, bulk=30)
    assert ledger.claim("a", 0.2, bulk=30, ahead=256).any == 30 + 13


def test_nothing_is_leased_ahead_of_a_need_that_is_not_met() -> None:
    """No hit is granted ahead while a need is unmet, or out of the reserve."""
    ledger = opened(limit=40, waiting=["b"])
    assert ledger.claim("a", 0.11, bulk=8, ahead=30).any == 8
    ledger = opened(limit=40)
    assert ledger.claim("a", 0.11, bulk=8, ahead=30, reserve=31).any == 8


def test_nothing_is_leased_ahead_in_a_window_that_is_unknown() -> None:
    """Hits ahead of the need open no window, as only a call needs the probe."""
    assert Ledger().claim("a", 0.0, ahead=8).any == 0
    assert opened().claim("a", 60.2, ahead=8).any == 0


def test_unlimited_hits_are_leased_as_wanted() -> None:
    """Without any known limit, every wanted hit is granted."""
    ledger, unknown = Ledger(), Configuration(None, None)
    ledger.claim("a", 0.0, bulk=1, joins=unknown)
    headers = Passed(RateLimitHeaders())
    grant = ledger.claim("a", 0.1, report(headers, 0.0, 0.1), bulk=30, ahead=256, joins=unknown)
    assert grant.any == 286


def test_what_was_not_spent_goes_back() -> None:
    """A claim states the requests in flight, and the rest of the lease is free again."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=50)
    grant = ledger.claim("a", 0.3, in_flight=20)
    assert grant.tracker.free == 99 - 20
    assert ledger.account("a").served == 21
    assert ledger.record is not None
    assert ledger.record.window.sent == 21


def test_a_claim_that_needs_nothing_changes_its_own_account_alone() -> None:
    """The record keeps all that it says about the server from one claim to the next."""
    record = Record(
        limit=100,
        period=61.0,
        learns=True,
        corrected=True,
        opening=Opening(1.0, 2.0, 3.0),
        window=Window(began=1.0, ends=Interval(62.0, 63.0), sent=7, left=90),
        shut_until=4.0,
        refusals=2,
        refused_at=3.0,
        foreign_before=6,
        sends_counts=True,
        reserve=8,
        reserved_until=90.0,
        accounts={},
    )
    after, _ = transact(record, Claim(owner="a"), 5.0)
    assert evolve(after, accounts={}) == record


def test_a_claim_that_is_repeated_has_no_effect() -> None:
    """A claim that an interrupt repeats has no further effect."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=50)
    first = ledger.claim("a", 0.3, in_flight=20)
    second = ledger.claim("a", 0.3, in_flight=20)
    assert second.tracker.free == first.tracker.free


def test_an_idle_process_gets_no_credit() -> None:
    """A process that was idle shares evenly with those that worked."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=60)
    ledger.claim("b", 0.2, bulk=1)
    assert ledger.account("b").served == ledger.account("a").served + 1
    ledger.claim("b", 0.3)
    ledger.claim("a", 0.3, in_flight=60)
    assert ledger.claim("c", 0.3, bulk=30).any == 30
    assert ledger.account("c").served == 61 + 30


def test_a_process_whose_need_is_met_waits_for_nothing() -> None:
    """No share is kept for a process whose need is met."""
    ledger = opened()
    ledger.claim("a", 0.2, single=1, bulk=1)
    account = ledger.account("a")
    assert (account.single, account.bulk, account.due_at) == (0, 0, 0.2)
