"""Processes that share a window, in simulated time: their stores, their queues, and the server."""

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import attrs

from raydocs_async._headers import Passed as PassedObservation
from raydocs_async._headers import RateLimitHeaders, Refused
from raydocs_async._limits._claim import Claim, Grant
from raydocs_async._limits._clocks import Offset, shift_claim, shift_grant
from raydocs_async._limits._member import BEAT, SharedTracker
from raydocs_async._limits._store import Answer, Store, StoreError
from raydocs_async._limits._values import Lane, Ticket
from raydocs_async.events import RateLimitEvent
from raydocs_async.sandbox import Throttle
from tests.support.members import member
from tests.support.stores import MemoryStore

AHEAD = 1e9
"""Seconds by which the clock of a remote store is ahead."""


@attrs.define(eq=False)
class RemoteStore(Store):
    """One process's way to a store on another machine, whose clock is another, too."""

    simulation: "SharedSimulation"
    process: "Process"
    name: str = "remote"
    looks_every: float = 0.02
    pending: bool = False
    offset: Offset = attrs.Factory(Offset)

    async def wait(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Return at once."""

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Let a claim arrive a moment later, and its answer another one later."""
        simulation, process = self.simulation, self.process
        there, back = (simulation.rand.uniform(0.0001, 0.005) for _ in range(2))
        replies: list[tuple[Claim, Grant | StoreError | None]] = []
        self.pending = True

        def arrive(at: float) -> None:
            by = self.offset.seconds or self.offset.learn(now, at + back, at + AHEAD)

            def reply(claim: Claim, grant: Grant | StoreError | None, _: float) -> None:
                replies.append(
                    (claim, shift_grant(grant, -by) if isinstance(grant, Grant) else grant)
                )

            simulation.store.submit(shift_claim(claim, by), at + by, reply)
            simulation._push(at + back, partial(receive, server=at + AHEAD))

        def receive(at: float, *, server: float) -> None:
            if simulation._delayed(process, partial(receive, server=server), at):
                return
            simulation._now = at
            self.pending = False
            self.offset.learn(now, at, server)
            answer(*replies[0], at)
            simulation._pump(process, at)

        simulation._push(now + there, arrive)


@attrs.define(eq=False)
class Process:
    """One process: calls that wait in two lanes, and a tracker that lets them go."""

    name: str
    tracker: SharedTracker = attrs.field(init=False)
    queues: dict[Lane, deque[float]] = attrs.Factory(lambda: {lane: deque() for lane in Lane})
    """When each waiting call came."""
    served: list[tuple[Lane, float, float]] = attrs.Factory(list)
    """Of each call that passed: its lane, when it came, and when it was granted."""
    events: list[RateLimitEvent] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)
    ended: float = -math.inf
    armed: bool = False
    wakes_at: float = -math.inf
    stopped_until: float = -math.inf
    """Until when it does nothing; ``inf`` if it was killed."""

    def waiting(self) -> tuple[int, int]:
        """Return the calls in the queue."""
        return len(self.queues[Lane.SINGLE]), len(self.queues[Lane.BULK])


@attrs.define
class SharedSimulation:
    """Processes of one address against one server, event by event."""

    throttle: Throttle
    rand: random.Random
    start: float = 1_000_000.0
    store: MemoryStore = attrs.Factory(MemoryStore)
    limit: int | None = None
    per: float | None = 60.0
    remote: bool = False
    """True if the store is on another machine."""
    latency: tuple[float, float] = (0.01, 0.05)
    concurrency: int = 32
    refusals: list[float] = attrs.Factory(list)
    processes: list[Process] = attrs.Factory(list)
    _now: float = 0.0
    _order: Iterator[int] = attrs.Factory(itertools.count)
    _events: list[tuple[float, int, Callable[[float], None]]] = attrs.Factory(list)

    def add(self, name: str, *, reserve: int = 0) -> Process:
        """Return a new process."""
        process = Process(name)
        process.tracker = member(
            RemoteStore(self, process) if self.remote else self.store,
            name,
            process.waiting,
            limit=self.limit or self.throttle.limit,
            per=self.per,
            reserve=reserve,
            arm=partial(self._arm, process),
            warn=process.warnings.append,
        )
        self.processes.append(process)
        return process

    def call(self, process: Process, count: int, lane: Lane, at: float = 0.0) -> None:
        """Let a process make calls, from `at` seconds after the start."""

        def arrive(now: float) -> None:
            process.queues[lane].extend([now] * count)
            self._pump(process, now)

        self.at(at, arrive)

    def at(self, moment: float, event: Callable[[float], None]) -> None:
        """Let something happen, `moment` seconds after the start."""
        self._push(self.start + moment, event)

    def kill(self, process: Process, at: float) -> None:
        """Kill a process, `at` seconds after the start."""

        def stop(now: float) -> None:
            process.stopped_until = math.inf

        self.at(at, stop)

    def run(self, longest: float = 40 * 60.0) -> None:
        """Run to the end."""
        while self._events:
            now, _, event = heapq.heappop(self._events)
            assert now < self.start + longest, "it does not come to its end"
            event(now)

    def _push(self, moment: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _arm(self, process: Process) -> None:
        if not process.armed:
            process.armed = True
            self._push(self._now + BEAT, partial(self._beat, process))

    def _beat(self, process: Process, now: float) -> None:
        if self._delayed(process, partial(self._beat, process), now):
            return
        process.armed = False
        if process.tracker.beat(now):
            self._arm(process)
        self._pump(process, now)

    def _delayed(self, process: Process, event: Callable[[float], None], now: float) -> bool:
        """Return true if the process is stopped; the event comes when it goes on."""
        if now < process.stopped_until < math.inf:
            self._push(process.stopped_until, event)
        return now < process.stopped_until

    def _pump(self, process: Process, now: float) -> None:
        if self._delayed(process, partial(self._pump, process), now):
            return
        self._now = now
        tracker = process.tracker
        for lane, queue in process.queues.items():
            while queue:
                if len(tracker.in_flight) >= self.concurrency:
                    return
                ticket = Ticket()
                wait = tracker.admit(ticket, now, 0, lane)
                if wait is not None:
                    assert wait.until > now, "a wait that is over at once"
                    if wait.until < process.wakes_at or process.wakes_at <= now:
                        process.wakes_at = wait.until
                        if math.isfinite(wait.until):
                            self._push(wait.until, partial(self._pump, process))
                    return
                self._send(process, ticket, lane, queue.popleft(), now)

    def _send(self, process: Process, ticket: Ticket, lane: Lane, came: float, now: float) -> None:
        there, back = (self.rand.uniform(*self.latency) for _ in range(2))

        def serve(now: float) -> None:
            refused = self.throttle.refuses(now)
            if not refused:
                self.throttle.hit(now)
            headers = (
                self.throttle.refused_headers(now) if refused else self.throttle.passed_headers(now)
            )
            self._push(now + back, partial(receive, refused, RateLimitHeaders.parse(headers)))

        def receive(refused: bool, headers: RateLimitHeaders, now: float) -> None:
            if self._delayed(process, partial(receive, refused, headers), now):
                return
            self._now = now
            observation = Refused(headers) if refused else PassedObservation(headers)
            before = process.tracker.snapshot
            process.tracker.settle(ticket, observation, now, float)
            process.events += process.tracker.events_since(before, now)
            if refused:
                self.refusals.append(now - self.start)
                process.queues[lane].appendleft(came)
            else:
                process.served.append((lane, came, ticket.sent_at))
                process.ended = now - self.start
            self._pump(process, now)

        self._push(now + there, serve)
