"""Times of a server's clock as times of a process, and back."""

import math

import attrs
import pytest

from raydocs_async._headers import Unseen
from raydocs_async._limits._claim import Claim, Configuration, Grant, Report
from raydocs_async._limits._clocks import Offset, shift_claim, shift_grant
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._period import Interval, Opening, Period
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket
from raydocs_async._limits._window import Window


def test_the_first_reply_gives_the_lower_bound() -> None:
    """The server has read its clock at the end of the round trip, at the latest."""
    assert Offset().learn(10.0, 12.0, 100.0) == 88.0


def test_a_tighter_reply_corrects_it() -> None:
    """A faster round trip bounds the difference more closely, a slower one changes nothing."""
    offset = Offset()
    offset.learn(10.0, 12.0, 100.0)
    assert offset.learn(20.0, 20.5, 110.0) == 89.5
    assert offset.learn(30.0, 34.0, 122.0) == 89.5
    assert offset.seconds == 89.5


def test_a_clock_that_goes_slower_or_is_set_is_followed() -> None:
    """A reply that contradicts the difference moves it as little as possible."""
    offset = Offset()
    offset.learn(10.0, 10.0, 100.0)
    assert offset.learn(20.0, 21.0, 109.9) == pytest.approx(89.9)
    assert offset.learn(30.0, 31.0, 5000.0) == 4969.0


def test_a_claim_in_another_clock() -> None:
    """The times of its reports are moved, and nothing else."""
    report = Report(ticket=Ticket(1.0), observation=Unseen(), at=2.0, pause=float)
    claim = Claim(owner="a", single=3, reports=(report,))
    shifted = shift_claim(claim, 10.0)
    assert attrs.evolve(shifted, reports=claim.reports) == claim
    (moved,) = shifted.reports
    assert (moved.ticket.sent_at, moved.at) == (11.0, 12.0)
    assert attrs.evolve(moved, ticket=report.ticket, at=2.0) == report


def test_a_grant_in_another_clock() -> None:
    """Each time of a grant and of its window is moved; what is infinite stays so."""
    times = {
        field.name: 1.0
        for field in attrs.fields(Window)
        if field.name.endswith("_at") or field.name == "began"
    }
    window = Window(**times, ends=Interval(1.0, 1.0), sent=7, left=5, questions=2)  # type: ignore[arg-type]
    tracker = WindowTracker(
        limit=9, period=Period(60.0, Opening(1.0, 1.0, 3.0)), window=window, shut_until=1.0
    )
    tracker.refused_at = 1.0
    _, grant = transact(None, Claim(owner="a", joins=Configuration(9, 60.0)), 1.0)
    grant = attrs.evolve(
        grant, expires_at=1.0, ask_at=math.inf, look_at=2.0, tracker=tracker, contended=True
    )
    shifted = shift_grant(grant, 10.0)
    assert (shifted.expires_at, shifted.ask_at, shifted.look_at) == (11.0, math.inf, 12.0)
    assert shift_grant(attrs.evolve(grant, ask_at=3.0), 10.0).ask_at == 13.0
    assert attrs.evolve(shifted, expires_at=1.0, look_at=2.0, tracker=grant.tracker) == grant
    moved = shifted.tracker
    assert (moved.shut_until, moved.refused_at, moved.limit) == (11.0, 11.0, 9)
    assert moved.period == Period(60.0, Opening(11.0, 11.0, 3.0))
    assert moved.window.ends == Interval(11.0, 11.0)
    assert {name: getattr(moved.window, name) for name in times} == dict.fromkeys(times, 11.0)
    assert (moved.window.sent, moved.window.left, moved.window.questions) == (7, 5, 2)


def test_a_window_whose_opening_nobody_saw() -> None:
    """Without an opening, there is nothing to move."""
    _, grant = transact(None, Claim(owner="a"), 1.0)
    assert isinstance(grant, Grant)
    assert shift_grant(grant, 10.0).tracker.period.opening is None
