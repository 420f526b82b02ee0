"""The shared record as bytes, and whether its times mean anything here."""

import math

import attrs
import msgspec
import pytest

from raydocs_async._headers import Passed, RateLimitHeaders
from raydocs_async._limits._claim import Claim, Configuration, Report
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._record import RECENT, SKEW, Stamped, decode, encode
from raydocs_async._limits._values import Ticket

BOOT = "a boot id"


def stamped(clock: str = BOOT, *, at: float = 1000.0, wall: float = 1e9) -> Stamped:
    """Return a record that was written at a certain moment of a clock."""
    record, _ = transact(None, Claim(owner="a", single=1, joins=Configuration(100, 60.0)), at)
    return Stamped(clock=clock, at=at, wall=wall, record=record)


def test_a_record_survives_as_bytes() -> None:
    """Every part of it comes back, those that are infinite or unknown included."""
    record = stamped().record
    headers = RateLimitHeaders(limit=100, remaining=99, date="Mon, 23 Nov 2026 12:00:00 GMT")
    report = Report(ticket=Ticket(1000.0), observation=Passed(headers), at=1000.1, pause=float)
    record, _ = transact(record, Claim(owner="a", single=5, ahead=2, reports=[report]), 1000.1)
    before = Stamped(clock=BOOT, at=1000.1, wall=1e9, record=record)
    assert attrs.asdict(decode(encode(before))) == attrs.asdict(before)
    assert decode(encode(stamped())).record.window.ends.high == math.inf


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xc1", encode(stamped())[:-9]])
def test_other_bytes_are_refused(data: bytes) -> None:
    """They are not taken for a record."""
    with pytest.raises(msgspec.DecodeError):
        decode(data)


def test_the_same_clock_agrees() -> None:
    """However long ago the record was written, and however the calendar was set since."""
    assert stamped().agrees(BOOT, 1000.0, 1e9)
    assert stamped().agrees(BOOT, 1e6, 0.0)
    assert stamped().agrees(BOOT, 1000 - SKEW, 1e9)


def test_a_record_of_the_future_does_not_agree() -> None:
    """A clock that names itself the same, but has gone back, is another one."""
    assert not stamped().agrees(BOOT, 999.9 - SKEW, 1e9)


def test_after_a_restart_the_record_does_not_agree() -> None:
    """A record of before a restart does not agree, because its clock has ended."""
    assert not stamped().agrees("another boot", 2000.0, 1e9 + RECENT)
    assert not stamped().agrees("another boot", 2000.0, 1e9 - RECENT)


def test_another_clock_at_the_same_time_is_refused() -> None:
    """Two containers with clocks of their own would reset the record for each other."""
    says = r"^processes with another clock use it, as in another container$"
    with pytest.raises(ValueError, match=says):
        stamped().agrees("another boot", 5.0, 1e9 + 0.99 * RECENT)


def test_a_clock_without_a_name_is_known_by_the_calendar() -> None:
    """Where the system names no boot, clock and calendar must have gone on together."""
    assert stamped("").agrees("", 1500.0, 1e9 + 500)
    assert stamped("").agrees("", 1500.0, 1e9 + 500 + 0.9 * SKEW)
    assert not stamped("").agrees("", 1500.0, 1e9 + 500 + SKEW)
    assert not stamped("").agrees("", 1.0, 1e9 + 500)
