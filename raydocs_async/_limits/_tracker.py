"""Decisions about the server's windows, one after another; `_window` has the theory.

The tracker follows the windows by the replies, decides which requests may be sent, and reports
changes. It is pure: `now` and the length of pauses are arguments.
"""

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from attrs import define, field

from raydocs_async._headers import Observation, Passed, RateLimitHeaders, Refused, Unseen
from raydocs_async._limits._period import Interval, Opening, Period
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async._limits._window import Window
from raydocs_async.events import ForeignUse, Paused, RateLimitEvent, WindowOpened

REFUSAL_PRECISION = 2.0
"""The seconds to within which a refusal gives the window's end."""
SHARE = 4
"""With foreign use, at most one in so many of the hits left is in flight."""


class Snapshot(NamedTuple):
    """State to compare before and after a reply."""

    left: float | None
    shut_until: float
    foreign: int


@define(eq=False, kw_only=True)
class WindowTracker:
    """The server's windows, one after another, and which requests may be sent by them."""

    limit: int | None
    """Hits in a window: as configured, or by the server's latest headers."""
    period: Period
    window: Window = field(factory=Window)
    in_flight: set[Ticket] = field(factory=set)
    """Tickets that are not settled, those of earlier windows included."""
    shut_until: float = -math.inf
    """When the pause after a refusal ends. Nothing is sent until then, and one probe after it."""
    refusals: int = 0
    """Consecutive 429s; those of one burst count once."""
    refused_at: float = -math.inf
    """When the latest burst of 429s began."""
    foreign_before: int = 0
    """Hits of other clients in the window before, at least."""
    sends_counts: bool = False
    """True if the server has sent a ``Remaining``."""

    # -- admission ------------------------------------------------------------------------

    def admit(
        self, ticket: Ticket, now: float, reserve: int = 0, lane: Lane = Lane.SINGLE
    ) -> Wait | None:
        """Permit the request of `ticket`, or return when to ask again.

        Args:
            ticket: The ticket; if this returns ``None``, it is in flight from now on.
            now: The current time, which becomes `Ticket.sent_at`.
            reserve: Hits of the window to leave to other callers.
            lane: Ignored here, because the queue of one process orders the lanes by itself.
        """
        if now < self.shut_until:
            return Wait(self.shut_until)
        if now >= self.window.ends.high:
            self._start_window(now, opened_after=self.window.ends.low)
        wait = self._find_wait(now, reserve)
        if wait is None:
            ticket.sent_at = self.window.granted_at = now
            self.window.sent += 1
            self.in_flight.add(ticket)
        return wait

    def _find_wait(self, now: float, reserve: int) -> Wait | None:
        window, in_flight = self.window, len(self.in_flight)
        if window.left is None:
            return window.probe(now)
        if in_flight and self._exceeds_share(in_flight + 1, window.left - window.unseen):
            return Wait(window.ends.high)
        if self.free > reserve:
            return None
        if self._free_at_best > reserve:
            return window.ask(now, in_flight)
        if in_flight or self._knows_end(now):
            return Wait(window.ends.high)
        # Without a known end, no time would ever come at which to use the reserved hits.
        if self.free > 0 and window.ends.high < math.inf:
            return Wait(window.ends.high)
        return window.ask(now)

    @property
    def free(self) -> float:
        """Hits that may be used at once; 0 while the window is unknown."""
        left, unseen = self.window.left, self.window.unseen
        return 0 if left is None else left - unseen - len(self.in_flight)

    @property
    def _free_at_best(self) -> float:
        """Hits that may be used at once if the server counted no unseen request.

        A server that sends no ``Remaining`` cannot answer a question, so all unseen requests count.
        """
        if self.window.left is None or not self.sends_counts:
            return self.free
        return self.window.left - len(self.in_flight)

    @property
    def _perhaps_free(self) -> float:
        """Hits that may be free as soon as replies are there.

        The lowest ``Remaining`` may include each request that was in flight at that moment.
        """
        window = self.window
        if window.left is None or not self.sends_counts:
            return self.free
        later = (ticket.sent_at >= window.lowest_received_at for ticket in self.in_flight)
        return window.left - sum(later)

    def opens_at(self, now: float, ahead: int = 0) -> float:
        """Return the earliest time at which a request behind `ahead` others can be sent.

        It is `now` while nothing is known, so that no caller gives up because of a guess.
        """
        shut, window = now < self.shut_until, self.window
        unknown = window.left is None or not self._knows_end(now)
        if not shut and (unknown or self._perhaps_free > ahead):
            return now
        start = self.shut_until if shut else window.ends.high
        later = ahead - (0 if shut else max(0, self.free))
        period = self.period.seconds
        return start + (later // self.limit * period if self.limit and period else 0)

    def _exceeds_share(self, in_flight: int, left: float) -> bool:
        """Return True if so many requests in flight are too many while there is foreign use."""
        shared = self.window.foreign > 0 or self.foreign_before > 0
        return shared and SHARE * in_flight > left

    def _knows_end(self, now: float) -> bool:
        """Return True if a refusal would not give the window's end any better."""
        ends = self.window.ends
        doubt = ends.high - max(ends.low, now)
        # A server that sends no ``Remaining`` would not send a Retry-After, either.
        return doubt <= REFUSAL_PRECISION or (not self.sends_counts and doubt < math.inf)

    processes: ClassVar[None] = None
    """Processes that share the window; only `SharedTracker` knows any."""

    def forget(self) -> None:
        """Forget the requests in flight of a closed event loop."""
        self.in_flight.clear()

    # -- observation ----------------------------------------------------------------------

    def settle(
        self, ticket: Ticket, observation: Observation, now: float, pause: Callable[[int], float]
    ) -> None:
        """Record the end of a request, which is in flight no more.

        A ticket that is not in flight is ignored, so that an interrupted caller can settle again.

        Args:
            ticket: The admitted ticket.
            observation: Evidence of whether the server counted the request.
            now: The time of the observation.
            pause: Returns the seconds to send nothing, after so many consecutive 429s without
                Retry-After.
        """
        if ticket not in self.in_flight:
            return
        self.in_flight.remove(ticket)
        if isinstance(observation, Passed):
            self._pass(ticket, observation.headers, now)
        elif isinstance(observation, Refused):
            self._refuse(ticket, observation.headers, now, pause)
        elif self.window.holds(ticket):
            self.window.probed_at = -math.inf
            if isinstance(observation, Unseen):
                self.window.count_unseen(now)

    def _pass(self, ticket: Ticket, headers: RateLimitHeaders, now: float) -> None:
        self.refusals = 0
        self.limit = headers.limit or self.limit
        if not self.window.holds(ticket):
            return
        self.window.answer()
        most = math.inf if self.limit is None else self.limit
        if headers.remaining is None:
            self._pass_without_count(ticket, most, now)
        else:
            self._pass_with_count(ticket, headers, min(headers.remaining, most), now)
        # A full count expired while the request was handled, so that no window is open now.
        if headers.remaining is None or headers.remaining < most:
            self.window.narrow(*self.period.end(-math.inf, now))

    def _pass_without_count(self, ticket: Ticket, most: float, now: float) -> None:
        window = self.window
        if window.left is None and self.sends_counts:
            return  # a gateway's reply, so the window stays unknown
        # A request sent before a refusal says nothing about the time after it.
        if window.left is None and ticket.sent_at >= self.refused_at:
            window.left, window.unseen = most, 0
        window.count_unseen(now)

    def _pass_with_count(
        self, ticket: Ticket, headers: RateLimitHeaders, remaining: float, now: float
    ) -> None:
        if self.window.is_over_by(ticket, remaining):
            self._follow(ticket, now)
        self.sends_counts = True
        window = self.window
        window.lower(ticket, remaining, now)
        if self.limit is None:
            return
        window.foreign = max(window.foreign, int(self.limit - remaining) - window.sent)
        if remaining == self.limit - 1:
            self.period.opening = Opening(ticket.sent_at, now, headers.served_at)
            window.narrow(*self.period.end(ticket.sent_at, math.inf))

    def _refuse(
        self, ticket: Ticket, headers: RateLimitHeaders, now: float, pause: Callable[[int], float]
    ) -> None:
        # The requests in flight at the time of a 429 belong to the same burst.
        first = ticket.sent_at >= self.refused_at
        if first:
            self.refusals, self.refused_at = self.refusals + 1, now
        window, wait = self.window, headers.retry_after
        if not window.holds(ticket):
            return
        window.answer()
        window.probed_at = -math.inf
        if wait is None:
            window.left = None
            if first:
                self.shut_until = max(self.shut_until, now + pause(self.refusals))
            return
        if headers.limit == self.limit:  # else it is a gateway's or a firewall's own 429
            window.narrow(*self.period.learn(ticket, headers, now, window.began))
        window.narrow(ticket.sent_at + wait - 1, now + wait + 1)
        if self.free > 0:  # it should have passed
            window.foreign += 1
        window.exhaust(ticket, now)
        self.shut_until = max(self.shut_until, window.ends.high)

    def _follow(self, ticket: Ticket, now: float) -> None:
        """Start the later window that the request of `ticket` was in."""
        old = self.window
        if now < old.ends.low:
            self.period.drop_learned()  # with this length, the old window would still be open
        self._start_window(ticket.sent_at, opened_after=old.lowest_sent_at)
        self.window.sent += 1

    def _start_window(self, began: float, *, opened_after: float) -> None:
        self.foreign_before = self.window.foreign
        ends = Interval(*self.period.end(opened_after, math.inf))
        self.window = Window(began=began, ends=ends, sent=len(self.in_flight))

    # -- events ---------------------------------------------------------------------------

    @property
    def snapshot(self) -> Snapshot:
        """State to give to `events_since`."""
        return Snapshot(self.window.left, self.shut_until, self.window.foreign)

    def events_since(self, before: Snapshot, now: float) -> Sequence[RateLimitEvent]:
        """Return the changes for every caller by a reply that was read at `now`."""
        after = self.snapshot
        events: list[RateLimitEvent] = []
        if after.shut_until > max(before.shut_until, now):
            events.append(Paused(seconds=after.shut_until - now))
        elif after.left is not None and (before.left is None or after.left > before.left):
            left = int(after.left) if math.isfinite(after.left) else None
            events.append(WindowOpened(limit=self.limit, remaining=left))
        if after.foreign > before.foreign:
            events.append(ForeignUse(hits=after.foreign))
        return events
