"""Claims and grants of one window for several processes, step by step."""

from collections.abc import Sequence

import attrs
import pytest

from raydocs_async._headers import (
    NotCounted,
    Observation,
    Passed,
    RateLimitHeaders,
    Refused,
    Unseen,
)
from raydocs_async._limits._claim import Claim, Configuration, Grant, Report
from raydocs_async._limits._ledger import (
    GRACE,
    LEASE,
    LOOK,
    LOOK_SOON,
    MEMBERSHIP,
    RESERVED,
    transact,
)
from raydocs_async._limits._record import Account, Record, Stamped, decode, encode
from raydocs_async._limits._values import Ticket
from tests.support.windows import pausing, says

KNOWN = Configuration(100, 60.0)


def report(observation: Observation, sent_at: float, at: float) -> Report:
    """Return the end of a request."""
    return Report(ticket=Ticket(sent_at), observation=observation, at=at, pause=pausing(5))


def passed(remaining: int | None, sent_at: float, at: float, *, limit: int = 100) -> Report:
    """Return the end of a request that passed."""
    return report(Passed(says(remaining, limit=limit)), sent_at, at)


@attrs.define
class Ledger:
    """A record, and steps of processes in one line each."""

    record: Record | None = None

    def claim(
        self,
        owner: str,
        now: float,
        *reports: Report,
        joins: Configuration | None = KNOWN,
        **needs: int,
    ) -> Grant:
        """Settle a claim."""
        claim = Claim(owner=owner, reports=reports, joins=joins, **needs)
        record, grant = transact(self.record, claim, now)
        stored = encode(Stamped(clock="", at=now, wall=now, record=record))
        self.record = decode(stored).record
        return grant

    def account(self, owner: str) -> Account:
        """Return the account of a process."""
        assert self.record is not None
        return self.record.accounts[owner]


def opened(*, limit: int = 100, waiting: Sequence[str] = (), lane: str = "bulk") -> Ledger:
    """Return a ledger whose probe was sent at 0 s by `a`, and answered at 0.1 s.

    The processes `waiting` have asked for 32 hits in the meantime.
    """
    ledger = Ledger()
    configured = Configuration(limit, 60.0)
    assert ledger.claim("a", 0.0, single=1, joins=configured).single == 1
    for owner in waiting:
        ledger.claim(owner, 0.05, joins=configured, **{lane: 32})
    ledger.claim("a", 0.1, passed(limit - 1, 0.0, 0.1, limit=limit), joins=None)
    return ledger


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
    """After a second another process may probe."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=32)
    assert ledger.claim("b", 0.99, bulk=32).any == 0
    assert ledger.claim("b", 1.0, bulk=32).any == 1


def test_a_probe_that_was_not_sent_is_free_for_another_process() -> None:
    """The caller was cancelled, so that its hit goes back, and the probe with it."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=1)
    ledger.claim("a", 0.1)
    assert ledger.claim("b", 0.1, bulk=1).any == 1


def test_a_probe_in_flight_is_not_free() -> None:
    """A claim that states it changes nothing."""
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
    """Whoever asks, and however often, no hit is granted twice."""
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
    """Hits are left, but they are kept for the others."""
    ledger = opened(waiting=["b"])
    grant = ledger.claim("a", 0.11, bulk=90)
    assert grant.any == 67
    assert grant.contended
    assert grant.look_at == 0.11 + LOOK_SOON
    assert grant.waiting == 32


def test_a_share_is_kept_for_a_moment_only() -> None:
    """A process that does not come for its share is overtaken."""
    ledger = opened(waiting=["b"])
    due_at = ledger.account("b").due_at
    assert due_at == pytest.approx(1.0 + GRACE)
    ledger.claim("a", 0.11, bulk=67)
    assert ledger.claim("a", due_at - 0.01, in_flight=67, bulk=32).any == 0
    assert ledger.claim("a", due_at, in_flight=67, bulk=32).any == 32


def test_single_calls_of_any_process_go_before_bulk_work() -> None:
    """Bulk work gets what the single calls of the others leave."""
    ledger = opened(limit=40, waiting=["b"], lane="single")
    assert ledger.claim("a", 0.11, bulk=32).any == 39 - 32
    assert ledger.claim("b", 0.11, single=32).single == 32


def test_bulk_work_of_any_process_leaves_the_reserve() -> None:
    """The largest reserve counts, also for a process that has none itself."""
    ledger = opened(limit=40)
    ledger.claim("web", 0.11, reserve=10)
    ledger.claim("web 2", 0.11, reserve=5)
    assert ledger.claim("job", 0.12, bulk=32).any == 29
    assert ledger.claim("job", 0.2, in_flight=29, bulk=3).any == 0
    assert ledger.claim("web", 0.2, single=12).single == 10


def test_the_reserve_of_a_process_that_is_idle_is_kept_for_an_hour() -> None:
    """A web worker may have nothing to do for long."""
    ledger = Ledger()
    ledger.claim("web", 0.0, reserve=10)
    ledger.claim("job", RESERVED - 60)
    assert ledger.record is not None
    assert ledger.record.reserve == 10
    ledger.claim("job", RESERVED)
    assert ledger.record.reserve == 0


def test_hits_ahead_of_the_need_leave_a_part_for_a_newcomer() -> None:
    """Alone, a process gets half of what is left."""
    grant = opened(limit=100).claim("a", 0.2, bulk=9, ahead=256)
    assert grant.any == 9 + 45


def test_hits_ahead_of_the_need_leave_a_part_for_requests_in_flight() -> None:
    """The other process will need as many again as it has in flight."""
    ledger = opened(limit=100)
    ledger.claim("b", 0.1, bulk=30)
    assert ledger.claim("a", 0.2, bulk=30, ahead=256).any == 30 + 13


def test_nothing_is_leased_ahead_of_a_need_that_is_not_met() -> None:
    """Nor of the reserve."""
    ledger = opened(limit=40, waiting=["b"])
    assert ledger.claim("a", 0.11, bulk=8, ahead=30).any == 8
    ledger = opened(limit=40)
    assert ledger.claim("a", 0.11, bulk=8, ahead=30, reserve=31).any == 8


def test_unlimited_hits_are_leased_as_wanted() -> None:
    """A server without headers, of which no limit is known, allows everything."""
    ledger, unknown = Ledger(), Configuration(None, None)
    ledger.claim("a", 0.0, bulk=1, joins=unknown)
    headers = Passed(RateLimitHeaders())
    grant = ledger.claim("a", 0.1, report(headers, 0.0, 0.1), bulk=30, ahead=256, joins=unknown)
    assert grant.any == 286


def test_what_was_not_spent_goes_back() -> None:
    """A claim states what is in flight, and the rest of the lease is free again."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=50)
    grant = ledger.claim("a", 0.3, in_flight=20)
    assert grant.tracker.free == 99 - 20
    assert ledger.account("a").served == 21
    assert ledger.record is not None
    assert ledger.record.window.sent == 21


def test_a_claim_that_is_repeated_has_no_effect() -> None:
    """A process that was interrupted says the same again."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=50)
    first = ledger.claim("a", 0.3, in_flight=20)
    second = ledger.claim("a", 0.3, in_flight=20)
    assert second.tracker.free == first.tracker.free


def test_the_hits_of_a_dead_process_count_as_unanswered() -> None:
    """They are in doubt until a reply tells the count, and then free again."""
    ledger = opened()
    ledger.claim("dead", 0.2, bulk=50)
    grant = ledger.claim("a", 0.2 + LEASE, bulk=1)
    assert grant.tracker.window.unseen == 50
    assert grant.tracker.free == 99 - 51
    grant = ledger.claim("a", 1.3, passed(98, 0.2 + LEASE, 1.3))
    assert grant.tracker.free == 98


def test_a_process_that_reports_in_time_is_not_dead() -> None:
    """A report renews the lease."""
    ledger = opened()
    ledger.claim("b", 0.2, bulk=50)
    ledger.claim("b", 0.9, in_flight=50)
    assert ledger.claim("a", 1.5).tracker.window.unseen == 0


def test_the_hits_of_a_process_that_died_in_an_earlier_window_do_not_matter() -> None:
    """The new window has counted none of them."""
    ledger = opened()
    ledger.claim("dead", 59.5, bulk=50)
    grant = ledger.claim("a", 60.1, bulk=1)
    assert grant.any == 1
    assert grant.tracker.window.unseen == 0
    grant = ledger.claim("a", 61.0, passed(99, 60.1, 61.0))
    assert (grant.tracker.window.unseen, grant.tracker.free) == (0, 99)


def test_a_process_that_counted_as_dead_states_its_requests() -> None:
    """Its requests in flight are not taken for another client's."""
    ledger = opened()
    ledger.claim("b", 0.2, bulk=10)
    ledger.claim("a", 2.0)
    ledger.claim("b", 2.1, in_flight=10)
    grant = ledger.claim("b", 2.2, *(passed(99 - number, 0.2, 2.2) for number in range(1, 11)))
    assert grant.tracker.window.foreign == 0
    assert grant.tracker.window.left == 89


def test_a_lease_ends_with_the_window() -> None:
    """A hit that is spent later would belong to the next window."""
    ledger = opened()
    assert ledger.claim("a", 59.9, bulk=1).expires_at == 60.1


def test_everybody_sleeps_to_the_end_of_the_window_when_nothing_is_in_flight() -> None:
    """Nobody looks in the meantime, for nothing can change."""
    ledger = opened(limit=2)
    ledger.claim("a", 0.2, bulk=1)
    ledger.claim("a", 0.3, passed(0, 0.2, 0.3, limit=2))
    grant = ledger.claim("b", 0.4, bulk=5)
    assert grant.any == 0
    assert not grant.contended
    assert grant.look_at == grant.ask_at == 60.1
    assert ledger.account("b").due_at == 60.1 + GRACE


def test_while_another_process_has_requests_in_flight_others_look() -> None:
    """A reply to it may change what is left."""
    ledger = opened(limit=2)
    ledger.claim("a", 0.2, bulk=1)
    grant = ledger.claim("b", 0.4, bulk=5)
    assert grant.look_at == 0.4 + LOOK
    assert grant.ask_at == 0.4 + LEASE


def test_a_429_of_one_process_shuts_the_window_for_all() -> None:
    """Also the pause after a 429 without Retry-After is one for all."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=1)
    refused = report(Refused(RateLimitHeaders(limit=100, retry_after=30.0)), 0.2, 0.3)
    ledger.claim("a", 0.3, refused)
    grant = ledger.claim("b", 0.4, bulk=1)
    assert grant.any == 0
    assert grant.ask_at == grant.tracker.shut_until == 31.3
    ledger = opened()
    ledger.claim("a", 0.2, bulk=1)
    ledger.claim("a", 0.3, report(Refused(RateLimitHeaders()), 0.2, 0.3))
    assert ledger.claim("b", 0.4, bulk=1).ask_at == 5.3


def test_requests_in_doubt_and_requests_not_sent() -> None:
    """A request without a reply costs a hit, and one that was never sent does not."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=2)
    grant = ledger.claim("a", 0.3, report(Unseen(), 0.2, 0.3), report(NotCounted(), 0.2, 0.3))
    assert grant.tracker.free == 98


def test_foreign_use_is_what_no_process_explains() -> None:
    """Hits of other processes that share the limit are not foreign."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=10)
    ledger.claim("b", 0.2, bulk=10)
    grant = ledger.claim("a", 0.3, passed(79, 0.2, 0.3), in_flight=9)
    assert grant.tracker.window.foreign == 0
    grant = ledger.claim("a", 0.4, passed(74, 0.2, 0.4), in_flight=8)
    assert grant.tracker.window.foreign == 5


def test_the_latest_configuration_wins_and_the_headers_go_before_any() -> None:
    """A limit is configured until a reply tells it; no header tells the period."""
    ledger = Ledger()
    assert ledger.claim("a", 0.0, joins=Configuration(None, None)).tracker.limit is None
    tracker = ledger.claim("b", 0.0, single=1, joins=Configuration(50, 30.0)).tracker
    assert (tracker.limit, tracker.period.seconds, tracker.period.learns) == (50, 30.0, False)
    ledger.claim("b", 0.1, passed(99, 0.0, 0.1), joins=None)
    tracker = ledger.claim("c", 0.2, joins=Configuration(50, 60.0)).tracker
    assert (tracker.limit, tracker.period.seconds) == (100, 60.0)
    tracker = ledger.claim("d", 0.2, joins=Configuration(None, None)).tracker
    assert (tracker.limit, tracker.period.seconds) == (100, 60.0)


def test_an_idle_process_is_forgotten() -> None:
    """It counts as one of the processes for a minute."""
    ledger = Ledger()
    ledger.claim("a", 0.0)
    assert ledger.claim("b", MEMBERSHIP - 0.1).processes == 2
    assert ledger.claim("b", MEMBERSHIP).processes == 1


def test_an_idle_process_gets_no_credit() -> None:
    """It shares evenly with those that worked in the meantime."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=60)
    ledger.claim("b", 0.2, bulk=1)
    assert ledger.account("b").served == ledger.account("a").served + 1
    ledger.claim("b", 0.3)
    ledger.claim("a", 0.3, in_flight=60)
    assert ledger.claim("c", 0.3, bulk=30).any == 30
    assert ledger.account("c").served == 61 + 30


def test_a_process_whose_need_is_met_waits_for_nothing() -> None:
    """No share is kept for it."""
    ledger = opened()
    ledger.claim("a", 0.2, single=1, bulk=1)
    account = ledger.account("a")
    assert (account.single, account.bulk, account.due_at) == (0, 0, 0.2)


def test_a_wait_for_a_reply_is_due_within_a_lease() -> None:
    """Without any known time, the share is kept as long as the process reports."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=1, joins=Configuration(None, None))
    ledger.claim("a", 0.1, passed(1, 0.0, 0.1, limit=5), joins=None)
    ledger.claim("a", 0.2, bulk=1, joins=None)
    grant = ledger.claim("a", 0.3, in_flight=1, bulk=1, joins=None)
    assert (grant.ask_at, grant.look_at) == (0.3 + LEASE, 0.3 + LOOK)
    assert ledger.account("a").due_at == 0.3 + LEASE + GRACE
