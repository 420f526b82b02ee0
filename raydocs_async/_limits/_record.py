"""The record that all processes of an address share, as a frozen value and as bytes; pure.

It is the state of one `WindowTracker`, and an account for each process. It has no ticket: the
requests in flight of a process are a number in its account.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from attrs import frozen

from raydocs_async._limits._period import Opening
from raydocs_async._limits._window import Window

SKEW: Final = 5.0
"""Seconds by which two readings of one clock may differ."""
RECENT: Final = 10.0
"""Seconds after which another clock's record is a thing of the past."""


@frozen(kw_only=True)
class Account:
    """The part of one process in the window; times are in seconds of the clock of all."""

    held: int
    """Hits that it has leased, and that no report has settled: unspent ones, and requests in
    flight."""
    leased_at: float
    """When it was last granted a hit, or stated a request in flight that it had no hit for."""
    expires_at: float
    """When its process counts as dead, unless it asks or reports before."""
    single: int
    """Single calls that wait in its queue."""
    bulk: int
    """Bulk calls that wait in its queue, behind the single ones."""
    due_at: float
    """Until when hits are kept for its waiting calls."""
    served: int
    """Hits that it has had, for fair shares."""
    seen_at: float
    """When it last asked or reported."""


@frozen(kw_only=True)
class Record:
    """The shared state."""

    limit: int | None
    period: float | None
    learns: bool
    """True if the period is learned instead of configured."""
    corrected: bool
    opening: Opening | None
    window: Window
    shut_until: float
    refusals: int
    refused_at: float
    foreign_before: int
    sends_counts: bool
    reserve: int
    """Hits of each window that bulk work of any process leaves to single calls."""
    reserved_until: float
    """When the reserve is forgotten, unless a process asks for it again."""
    accounts: Mapping[str, Account]
    """By the name of the process."""


@frozen(kw_only=True)
class Stamped:
    """A record as it was written, and the clocks at that moment.

    Times of a record are on a clock that starts anew when the machine does, so they mean nothing
    after a restart, nor on another machine that got a copy.
    """

    clock: str
    """Identity of the clock: the machine's start, and the container's own clock if it has one;
    empty if the system names none."""
    at: float
    """That clock's time, in seconds."""
    wall: float
    """The calendar's time, in seconds since the epoch."""
    record: Record

    def agrees(self, clock: str, at: float, wall: float) -> bool:
        """Return true if the record's times are of the clock `clock`, which says `at` now.

        Raises:
            ValueError: another clock's process has just written the record, so the two would
                reset it for each other.
        """
        if clock and clock == self.clock:
            return self.at <= at + SKEW
        if clock == self.clock:
            return abs((wall - at) - (self.wall - self.at)) < SKEW
        if abs(wall - self.wall) < RECENT:
            raise ValueError("processes with another clock use it, as in another container")
        return False


encode: Final[Callable[[Stamped], bytes]] = msgspec.msgpack.Encoder().encode
"""Return the record as bytes."""

_decoder = msgspec.msgpack.Decoder(Stamped)


def decode(data: bytes) -> Stamped:
    """Return the record that `encode` has made into `data`.

    Raises:
        msgspec.DecodeError: `data` is something else.
    """
    return _decoder.decode(data)
