"""One process's part in a shared window: its lease, its requests in flight, its reports; pure.

`SharedTracker` takes the place of a `WindowTracker` in the queue. It spends a lease without asking
the store, and asks the store when the lease is used up, when a reply is important to all, and
every `BEAT` seconds while it holds hits. While an answer of the store is on its way, nothing is
spent. If the store fails, the process goes on by the headers alone, with all that it knows, and
tries the store again now and then.

A `KeyboardInterrupt` may be raised between any two lines. Each claim states all that is in flight,
so the next claim corrects what an interrupted one has left behind.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field

from raydocs_async._headers import NotCounted, Observation, Refused
from raydocs_async._limits._claim import Claim, Configuration, Grant, Report
from raydocs_async._limits._lease import Lease
from raydocs_async._limits._period import Period
from raydocs_async._limits._store import Store, StoreError
from raydocs_async._limits._tracker import Snapshot, WindowTracker
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async._limits._window import Window
from raydocs_async.events import (
    RateLimitEvent,
    SharedLimitContended,
    SharedLimitJoined,
    SharedLimitLost,
)

BEAT: Final = 0.25
"""Seconds between two reports of a process that holds hits."""
PATIENCE: Final = 0.25
"""Seconds for which the store may be locked by another process."""
LOCK_RETRY: Final = 0.001
"""Seconds until a locked store is tried again."""
REJOIN: Final = (1.0, 30.0)
"""Seconds until a failed store is tried again: at first, and at most."""
MAX_REPORTS: Final = 64
"""Reports that are kept for a store that has failed."""


@define(eq=False, kw_only=True)
class SharedTracker:
    """The window of all processes of an address, for the queue of one of them."""

    store: Store
    owner: Callable[[], str]
    """Returns the name of this process in the record."""
    configured: Configuration
    reserve: int
    waiting: Callable[[], tuple[int, int]]
    """Returns the single and the bulk calls in the queue."""
    max_in_flight: int
    arm: Callable[[], None]
    """Called when `beat` is to be called in `BEAT` seconds."""
    warn: Callable[[str], None]
    """Called with the reason when the store has failed."""
    tracker: WindowTracker
    """The shared window as it was at the last claim; or this process's own, without the store."""
    in_flight: set[Ticket] = field(factory=set)
    """This process's tickets that are not settled."""
    joined: bool = False
    """True while the store works."""
    lost: bool = False
    """True while the store has failed."""
    _processes: int = 1
    lease: Lease = field(factory=Lease)
    _look_at: float = 0.0
    _ask_at: float = 0.0
    _single_waits: bool = False
    _others_wait: bool = False
    _held_by_others: int = 0
    _busy_since: float | None = None
    _rejoin_at: float = 0.0
    _rejoin_in: float = REJOIN[0]
    _contended_in: float | None = None
    _late: bool = False
    """True if a report must follow as soon as the claim on its way is answered."""
    _reports: list[Report] = field(factory=list)
    _events: list[RateLimitEvent] = field(factory=list)

    # -- as a WindowTracker -----------------------------------------------------------------

    @property
    def limit(self) -> int | None:
        """Hits in a window."""
        return self.tracker.limit

    @property
    def period(self) -> Period:
        """The length of the windows."""
        return self.tracker.period

    @property
    def window(self) -> Window:
        """The present window."""
        return self.tracker.window

    @property
    def shut_until(self) -> float:
        """When the pause after a refusal ends, whichever process it met."""
        return self.tracker.shut_until

    @property
    def processes(self) -> int | None:
        """Processes that share the window, this one included; ``None`` without the store."""
        return self._processes if self.joined else None

    @property
    def free(self) -> float:
        """Hits that this process may use, at most."""
        return self.tracker.free + self.lease.left

    def opens_at(self, now: float, ahead: int = 0) -> float:
        """Return the earliest time at which a request behind `ahead` others can be sent.

        It is `now` while an answer of the store is on its way.
        """
        asks = self.store.pending and not self.lost
        return now if asks else self.tracker.opens_at(now, ahead)

    @property
    def snapshot(self) -> Snapshot:
        """State to give to `events_since`."""
        return self.tracker.snapshot

    def events_since(self, before: Snapshot, now: float) -> Sequence[RateLimitEvent]:
        """Return the changes for every caller, by replies to any process."""
        events, self._events = self._events, []
        return [*events, *self.tracker.events_since(before, now)] if self.lost else events

    def forget(self) -> None:
        """Forget the requests in flight of a closed event loop, or of the parent process."""
        self.in_flight.clear()
        self._reports.clear()
        self.lease.drop()
        self._look_at = 0.0

    def admit(self, ticket: Ticket, now: float, reserve: int, lane: Lane) -> Wait | None:
        """Permit the request of `ticket`, or return when to ask again; see `WindowTracker`."""
        wait = self._obtain(lane, now)
        if self.lost:
            return self.tracker.admit(ticket, now, reserve)
        if wait is None:
            ticket.sent_at = now
            self.in_flight.add(ticket)
        return wait

    def settle(
        self, ticket: Ticket, observation: Observation, now: float, pause: Callable[[int], float]
    ) -> None:
        """Record the end of a request, which is in flight no more; see `WindowTracker`."""
        if ticket not in self.in_flight:
            return
        self._reports.append(Report(ticket=ticket, observation=observation, at=now, pause=pause))
        if self.lost:
            if not self.store.pending:  # a claim on its way has the first ones
                del self._reports[:-MAX_REPORTS]
            self.tracker.settle(ticket, observation, now, pause)
            return
        self.in_flight.discard(ticket)
        if self._concerns_all(observation):
            self._ask(now)
        elif self.window.foreign or self.tracker.foreign_before:
            self._look_at = now  # fewer in flight may permit more

    def beat(self, now: float) -> bool:
        """Report, renew the lease, or give back what is not needed; false if nothing is held."""
        if self.lost or not (self.in_flight or self._reports or self.lease.left):
            return False
        if not self.store.pending:
            self.lease.beat()
        self._ask_at = now  # a look would not renew the lease
        self._ask(now)
        return True

    def leave(self, now: float) -> None:
        """Give back what is not spent, because no call follows soon."""
        self.lease.drop()
        if self.joined:
            self._ask_at = now  # a look would give nothing back
            self._ask(now)

    # -- claims -------------------------------------------------------------------------------

    def _spend(self, lane: Lane, now: float) -> bool:
        """Take a hit of the lease, unless a claim on its way gives it back."""
        return not self.store.pending and self.lease.spend(lane, now)

    def _obtain(self, lane: Lane, now: float) -> Wait | None:
        """Take a hit of the lease, or of a new one, or return when to ask again."""
        if self._spend(lane, now):
            return None
        # A time to ask again that was given to bulk work alone says nothing about single calls.
        known = self._single_waits or lane is Lane.BULK
        if now < self._rejoin_at if self.lost else known and now < self._look_at:
            return Wait(self._look_at)
        self._ask(now, lane)
        if self.store.pending:
            return Wait(math.inf)  # its answer wakes the queue
        return None if self._spend(lane, now) else Wait(max(self._look_at, now + LOCK_RETRY))

    def _concerns_all(self, observation: Observation) -> bool:
        """Return true if a report cannot wait for the next claim."""
        if isinstance(observation, Refused) or self.window.left is None or self.window.unseen:
            return True
        queue = any(self.waiting())
        if isinstance(observation, NotCounted):
            return queue
        return not self.in_flight and (queue or self._others_wait)

    def _ask(self, now: float, lane: Lane | None = None) -> None:
        """Claim hits of the store, and report; a claim on its way is waited for."""
        self._late = self.store.pending and (self._late or lane is None)
        if not self.store.pending:
            self.store.submit(self._claim(now, lane), now, self._take)

    def _take(self, claim: Claim, answer: Grant | StoreError | None, now: float) -> None:
        """Take the answer to a claim."""
        if isinstance(answer, StoreError):
            self._lose(str(answer), now)
        elif answer is None:
            self._wait_for_lock(now)
        elif claim.looks:
            self._see(claim, answer, now)
            self._look_at = min(self._ask_at, self._next_look(answer, now))
        else:
            del self._reports[: len(claim.reports)]
            self._adopt(claim, answer, now)
        if self._late and self.joined:
            self._ask(now)

    def _next_look(self, grant: Grant, now: float) -> float:
        return max(grant.look_at, now + self.store.looks_every)

    def _claim(self, now: float, lane: Lane | None) -> Claim:
        single, bulk = self.waiting()
        if lane is Lane.SINGLE:
            single = max(1, single)
        elif lane is Lane.BULK:
            bulk = max(1, bulk)
        room = max(0, self.max_in_flight - len(self.in_flight))
        single = min(single, room)
        ahead = self.lease.left if lane is None else max(self.lease.plan(now), len(self.in_flight))
        return Claim(
            owner=self.owner(),
            single=single,
            bulk=min(bulk, room - single),
            ahead=ahead,
            in_flight=len(self.in_flight),
            reserve=self.reserve,
            reports=tuple(self._reports),
            joins=None if self.joined else self.configured,
            looks=self.joined and not self._reports and self._look_at <= now < self._ask_at,
        )

    def _see(self, claim: Claim, grant: Grant, now: float) -> None:
        before, self.tracker = self.tracker.snapshot, grant.tracker
        held = claim.in_flight + grant.hits
        self._held_by_others = max(0, len(grant.tracker.in_flight) - held)
        self._others_wait, self._processes = grant.waiting > 0, grant.processes
        self._events += self.tracker.events_since(before, now)

    def _adopt(self, claim: Claim, grant: Grant, now: float) -> None:
        if not self.joined:
            self.joined, self.lost, self._rejoin_in = True, False, REJOIN[0]
            self._events.append(SharedLimitJoined(processes=grant.processes))
        self._see(claim, grant, now)
        self._busy_since = None
        self.lease.renew(grant, now)
        self._ask_at = grant.ask_at
        self._look_at = min(self._ask_at, self._next_look(grant, now))
        self._single_waits = claim.single > grant.single
        if grant.contended and self._contended_in != self.window.began:
            self._contended_in = self.window.began
            self._events.append(SharedLimitContended(waiting=grant.waiting))
        if self.lease.left or self.in_flight:
            self.arm()

    # -- without the store ----------------------------------------------------------------------

    def _wait_for_lock(self, now: float) -> None:
        if self._busy_since is None:
            self._busy_since = now
        if self.lost or now >= self._busy_since + PATIENCE:
            self._lose("another process holds its lock and does not go on", now)
        else:
            self._look_at = self._ask_at = now + LOCK_RETRY
            self._single_waits = True
            self.arm()

    def _lose(self, reason: str, now: float) -> None:
        """Go on by the headers alone."""
        if not self.lost:
            self._events.append(SharedLimitLost(reason=reason))
            self.warn(reason)
            self.tracker.in_flight = self.in_flight
            for report in self._reports:
                self.in_flight.add(report.ticket)
                self.tracker.settle(report.ticket, report.observation, report.at, report.pause)
            # Nothing will say what becomes of the others' hits, so one question has to ask.
            self.tracker.window.unseen += self._held_by_others
            self.tracker.window.unseen_at = now
        self.lost, self.joined, self._busy_since = True, False, None
        self.lease.drop()
        self._rejoin_at = now + self._rejoin_in
        self._rejoin_in = min(2 * self._rejoin_in, REJOIN[1])
