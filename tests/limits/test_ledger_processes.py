"""Processes that share a window: dead ones, idle ones, and those that wait for a reply."""

import math

import pytest

from raydocs_async._headers import NotCounted, RateLimitHeaders, Refused, Unseen
from raydocs_async._limits._claim import Configuration
from raydocs_async._limits._ledger import GRACE, LEASE, LOOK, MEMBERSHIP
from tests.support.ledgers import Ledger, opened, passed, report


def test_the_hits_of_a_dead_process_count_as_unanswered() -> None:
    """The hits of a dead process are in doubt until a reply tells the count."""
    ledger = opened()
    ledger.claim("dead", 0.2, bulk=50)
    grant = ledger.claim("a", 0.2 + LEASE, bulk=1)
    assert grant.tracker.window.unseen == 50
    assert grant.tracker.free == 99 - 51
    grant = ledger.claim("a", 1.3, passed(98, 0.2 + LEASE, 1.3))
    assert grant.tracker.free == 98


def test_the_hits_of_all_dead_processes_count() -> None:
    """The hits of several dead processes are in doubt together."""
    ledger = opened()
    ledger.claim("dead", 0.2, bulk=20)
    ledger.claim("dead too", 0.2, bulk=30)
    assert ledger.claim("a", 0.2 + LEASE).tracker.window.unseen == 50


def test_a_process_that_reports_in_time_is_not_dead() -> None:
    """A claim renews the lease of its process."""
    ledger = opened()
    ledger.claim("b", 0.2, bulk=50)
    ledger.claim("b", 0.9, in_flight=50)
    assert ledger.claim("a", 1.5).tracker.window.unseen == 0


def test_the_hits_of_a_process_that_died_in_an_earlier_window_do_not_matter() -> None:
    """Hits of a process that died in an earlier window do not count in this one."""
    ledger = opened()
    ledger.claim("dead", 59.5, bulk=50)
    grant = ledger.claim("a", 60.1, bulk=1)
    assert grant.any == 1
    assert grant.tracker.window.unseen == 0
    grant = ledger.claim("a", 61.0, passed(99, 60.1, 61.0))
    assert (grant.tracker.window.unseen, grant.tracker.free) == (0, 99)


def test_a_process_that_counted_as_dead_states_its_requests() -> None:
    """The requests of a process that returns after its lease are not foreign use."""
    ledger = opened()
    ledger.claim("b", 0.2, bulk=10)
    ledger.claim("a", 2.0)
    ledger.claim("b", 2.1, in_flight=10)
    grant = ledger.claim("b", 2.2, *(passed(99 - number, 0.2, 2.2) for number in range(1, 11)))
    assert grant.tracker.window.foreign == 0
    assert grant.tracker.window.left == 89


def test_requests_of_an_earlier_window_do_not_matter_though_their_process_dies_later() -> None:
    """A report that requests are still in flight does not date them."""
    ledger = opened()
    ledger.claim("dead", 59.5, bulk=5)
    ledger.claim("a", 60.2, single=1)
    ledger.claim("dead", 60.3, in_flight=5)
    assert ledger.claim("a", 60.3 + LEASE, in_flight=1).tracker.window.unseen == 0


@pytest.mark.parametrize("leased", [0, 1])
def test_requests_that_were_sent_without_a_lease_count_if_their_process_dies(leased: int) -> None:
    """Requests that a process sent while it could not use the store are in doubt if it dies.

    An earlier window's lease does not say when they were sent.
    """
    ledger = opened()
    ledger.claim("dead", 59.9, bulk=leased)
    ledger.claim("a", 60.2, single=1)
    ledger.claim("a", 60.3, passed(99, 60.2, 60.3))
    ledger.claim("dead", 60.4, in_flight=10)
    grant = ledger.claim("a", 60.4 + LEASE)
    assert (grant.tracker.window.unseen, grant.tracker.free) == (10, 89)


def test_a_probe_of_a_dead_process_counts() -> None:
    """The request that began a window belongs to it."""
    ledger = opened()
    ledger.claim("dead", 60.2, bulk=1)
    assert ledger.claim("a", 60.2 + LEASE).tracker.window.unseen == 1


def test_requests_in_flight_of_all_processes_may_be_of_a_later_window() -> None:
    """Requests in flight are not foreign use of a window that began before it was expected."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=20)
    ledger.claim("a", 0.3, passed(80, 0.2, 0.3), in_flight=19)
    ledger.claim("b", 0.4, bulk=10)
    ledger.claim("a", 0.4, in_flight=19, single=1)
    window = ledger.claim("a", 0.5, passed(85, 0.4, 0.5), in_flight=19).tracker.window
    assert (window.began, window.sent, window.foreign) == (0.4, 1 + 19 + 10, 0)


def test_a_request_that_shows_a_later_window_is_counted_once() -> None:
    """A request whose reply shows a later window is in flight no more when that one begins."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=1)
    ledger.claim("a", 0.3, passed(98, 0.2, 0.3))
    ledger.claim("a", 0.4, bulk=1)
    window = ledger.claim("a", 0.5, passed(99, 0.4, 0.5)).tracker.window
    assert (window.began, window.sent) == (0.4, 1)


def test_a_lease_ends_with_the_window() -> None:
    """A lease ends with the window, because a later hit would belong to the next one."""
    ledger = opened()
    assert ledger.claim("a", 59.9, bulk=1).expires_at == 60.1


def test_everybody_sleeps_to_the_end_of_the_window_when_nothing_is_in_flight() -> None:
    """With nothing in flight, all processes sleep until the window's end."""
    ledger = opened(limit=2)
    ledger.claim("a", 0.2, bulk=1)
    ledger.claim("a", 0.3, passed(0, 0.2, 0.3, limit=2))
    grant = ledger.claim("b", 0.4, bulk=5)
    assert grant.any == 0
    assert not grant.contended
    assert grant.look_at == grant.ask_at == 60.1
    assert ledger.account("b").due_at == 60.1 + GRACE


def test_while_another_process_has_requests_in_flight_others_look() -> None:
    """While another process has a request in flight, the others look for its reply."""
    ledger = opened(limit=2)
    ledger.claim("a", 0.2, bulk=1)
    grant = ledger.claim("b", 0.4, bulk=5)
    assert grant.look_at == 0.4 + LOOK
    assert grant.ask_at == 0.4 + LEASE


def test_a_429_of_one_process_shuts_the_window_for_all() -> None:
    """A 429 to one process pauses all of them, with and without a Retry-After."""
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
    """A request without a reply costs a hit, and an unsent one does not."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=2)
    grant = ledger.claim("a", 0.3, report(Unseen(), 0.2, 0.3), report(NotCounted(), 0.2, 0.3))
    assert grant.tracker.free == 98


def test_foreign_use_is_what_no_process_explains() -> None:
    """Hits of the processes that share the limit are not foreign use; all others are."""
    ledger = opened()
    ledger.claim("a", 0.2, bulk=10)
    ledger.claim("b", 0.2, bulk=10)
    grant = ledger.claim("a", 0.3, passed(79, 0.2, 0.3), in_flight=9)
    assert grant.tracker.window.foreign == 0
    grant = ledger.claim("a", 0.4, passed(74, 0.2, 0.4), in_flight=8)
    assert grant.tracker.window.foreign == 5


def test_the_latest_configuration_wins_and_the_headers_go_before_any() -> None:
    """The latest configuration counts, but a limit in the headers goes before it."""
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
    """A process without claims is counted for a minute."""
    ledger = Ledger()
    ledger.claim("a", 0.0)
    assert ledger.claim("b", MEMBERSHIP - 0.1).processes == 2
    assert ledger.claim("b", MEMBERSHIP).processes == 1


def test_a_wait_for_a_reply_is_due_within_a_lease() -> None:
    """If the wait has no known end, the share is kept as long as its process reports."""
    ledger = Ledger()
    ledger.claim("a", 0.0, bulk=1, joins=Configuration(None, None))
    ledger.claim("a", 0.1, passed(1, 0.0, 0.1, limit=5), joins=None)
    ledger.claim("a", 0.2, bulk=1, joins=None)
    grant = ledger.claim("a", 0.3, in_flight=1, bulk=1, joins=None)
    assert (grant.ask_at, grant.look_at) == (0.3 + LEASE, 0.3 + LOOK)
    assert ledger.account("a").due_at == 0.3 + LEASE + GRACE


def test_a_share_is_kept_for_a_lease_if_only_a_reply_of_its_own_process_ends_the_wait() -> None:
    """No share is kept without end, because its process may die before the reply."""
    ledger, unknown = Ledger(), Configuration(None, None)
    ledger.claim("a", 0.0, bulk=1, joins=unknown)
    ledger.claim("a", 0.1, passed(1, 0.0, 0.1, limit=5), joins=None)
    grant = ledger.claim("a", 0.2, bulk=2, joins=None)
    assert (grant.any, grant.ask_at, grant.look_at) == (1, math.inf, math.inf)
    assert ledger.account("a").due_at == 0.2 + LEASE + GRACE
