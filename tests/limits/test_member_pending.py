"""A store whose answers come later: what a process does until then."""

import math

from raydocs_async._headers import Refused, Unseen
from raydocs_async._limits._member import BEAT, MAX_REPORTS, REJOIN
from raydocs_async._limits._values import Lane
from raydocs_async.events import SharedLimitJoined
from tests.support.members import Member
from tests.support.stores import HeldStore
from tests.support.windows import says


def process(**settings: object) -> tuple[Member, HeldStore]:
    """Return a process that has joined, with its probe answered at 0.1 s."""
    member, later = Member(**settings), HeldStore()  # type: ignore[arg-type]
    member.tracker.store = later
    assert member.waits(0.0) == math.inf
    later.answer(0.01)
    member.passes(member.send(0.01), member.limit - 1, 0.1)
    later.answer(0.11)
    return member, later


def test_a_process_waits_for_the_answer() -> None:
    """Until the answer is there, no request is sent, and no other claim is made."""
    member, later = process()
    assert member.waits(0.2) == member.waits(0.2, Lane.BULK) == math.inf
    assert len(later.claims) == 3
    later.answer(0.21)
    member.send(0.21)


def test_nothing_is_spent_while_the_lease_is_renewed() -> None:
    """A claim gives back the hits that are left, so they are not to be spent on its way."""
    member, later = process()
    member.queue = (5, 0)
    assert member.waits(0.2) == math.inf
    later.answer(0.21)
    member.send(0.21)
    assert member.tracker.beat(0.3)
    left = member.tracker.lease.left
    assert left > 1
    assert member.waits(0.3) == math.inf
    assert member.tracker.lease.left == left
    later.answer(0.31)
    member.send(0.31)


def test_nobody_gives_up_before_the_answer() -> None:
    """As long as an answer is on its way, a window that was used up may have changed."""
    member, later = process(limit=1)
    assert member.waits(0.2) == math.inf
    assert member.tracker.opens_at(0.2) == 0.2
    later.answer(0.21)
    assert member.tracker.opens_at(0.21) == 60.1


def test_a_report_for_all_follows_the_answer() -> None:
    """A refusal that comes while a claim is on its way is reported as soon as that is answered."""
    member, later = process()
    member.queue = (2, 0)
    member.waits(0.2)
    later.answer(0.21)
    ticket = member.send(0.21)
    member.tracker.beat(0.3)
    member.settle(ticket, Refused(says(0, retry_after=20.0)), 0.31)
    assert member.waits(0.31) == math.inf
    assert len(later.claims) == 4
    later.answer(0.32)
    assert len(later.claims) == 5
    assert len(later.claims[-1].reports) == 1
    later.answer(0.33)
    assert not later.pending
    other = Member(later.store, "b")
    assert other.waits(0.4) > 20


def test_a_beat_on_the_way_of_a_claim_drops_nothing() -> None:
    """A beat while the answer is on its way is made up for by a claim after it."""
    member, later = process()
    member.queue = (3, 0)
    member.waits(0.2)
    later.answer(0.2)
    member.send(0.2)
    member.tracker.beat(0.2 + BEAT)
    before = member.tracker.lease.left
    assert member.tracker.beat(0.2 + 2 * BEAT)
    assert member.tracker.lease.left == before
    later.answer(0.2 + 2 * BEAT)
    assert later.pending


def test_looks_keep_a_distance() -> None:
    """A process that waits for another's reply does not ask a server more often than it should."""
    member, later = process()
    other, there = Member(name="b"), HeldStore(later.store)
    other.tracker.store = there
    later.store.data = b""
    member.waits(0.2)
    later.answer(0.2)
    other.waits(0.2)
    there.answer(0.21)
    assert other.waits(0.22) == 0.21 + there.looks_every
    assert other.waits(0.24) == math.inf
    assert there.claims[-1].looks
    there.answer(0.25)
    assert other.waits(0.26) == 0.25 + there.looks_every


def test_a_failure_that_comes_later() -> None:
    """The process goes on alone from the failure on, while it joins again, too."""
    member, later = process()
    member.waits(0.2)
    later.answer(0.3, failure="on fire")
    assert member.warnings == ["on fire"]
    ticket = member.send(0.3)
    at = 0.3 + REJOIN[0]
    other = member.send(at)
    assert later.pending
    member.settle(ticket, Unseen(), at)
    late = member.send(at)
    for _ in range(MAX_REPORTS + 5):
        member.settle(member.send(at), Unseen(), at)
    later.answer(at + 0.01)
    assert member.tracker.processes == 1
    assert len(member.tracker._reports) == MAX_REPORTS + 6
    assert member.tracker.in_flight == {other, late}
    assert SharedLimitJoined(processes=1) in member.settle(late, Unseen(), at + 0.02)
    assert len(member.warnings) == 1


def test_a_failure_leaves_no_claim_to_follow() -> None:
    """A report that was to follow a claim is not sent to a store that has failed."""
    member, later = process()
    member.queue = (2, 0)
    member.waits(0.2)
    later.answer(0.21)
    member.tracker.beat(0.3)
    member.tracker.beat(0.4)
    later.answer(0.41, failure="on fire")
    assert not later.pending


def test_leaving_gives_everything_back() -> None:
    """A process that is closed keeps no hit, and no other one has to ask what became of it."""
    member, later = process()
    member.queue = (5, 0)
    member.waits(0.2)
    later.answer(0.2)
    member.passes(member.send(0.2), 98, 0.3)
    member.queue = (0, 0)
    later.answer(0.3)
    member.tracker.leave(0.3)
    later.answer(0.31)
    record = later.store.record
    assert record is not None
    assert [account.held for account in record.accounts.values()] == [0]
    later.store.failure = "on fire"
    member.tracker.lost, member.tracker.joined = True, False
    member.tracker.leave(0.4)
    assert not later.pending
