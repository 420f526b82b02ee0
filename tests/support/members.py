"""A process that shares a window, and its steps in one line each."""

from collections.abc import Callable

import attrs

from raydocs_async._headers import Observation, Passed
from raydocs_async._limits._claim import Configuration
from raydocs_async._limits._member import SharedTracker
from raydocs_async._limits._period import Period
from raydocs_async._limits._store import Store
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Lane, Ticket, Wait
from tests.support.stores import MemoryStore
from tests.support.windows import says


def member(
    store: Store,
    name: str,
    waiting: Callable[[], tuple[int, int]] = lambda: (0, 0),
    *,
    limit: int | None = 100,
    per: float | None = 60.0,
    reserve: int = 0,
    max_in_flight: int = 32,
    arm: Callable[[], None] = lambda: None,
    warn: Callable[[str], None] = lambda reason: None,
) -> SharedTracker:
    """Return the tracker of one process."""
    return SharedTracker(
        store=store,
        owner=lambda: name,
        configured=Configuration(limit, per),
        reserve=reserve,
        waiting=waiting,
        max_in_flight=max_in_flight,
        arm=arm,
        warn=warn,
        tracker=WindowTracker(limit=limit, period=Period(per)),
    )


@attrs.define
class Member:
    """A process, and its steps in one line each."""

    store: MemoryStore = attrs.Factory(MemoryStore)
    name: str = "a"
    queue: tuple[int, int] = (0, 0)
    limit: int = 100
    max_in_flight: int = 32
    reserve: int = 0
    armed: int = 0
    warnings: list[str] = attrs.Factory(list)
    tracker: SharedTracker = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracker = member(
            self.store,
            self.name,
            lambda: self.queue,
            limit=self.limit,
            max_in_flight=self.max_in_flight,
            reserve=self.reserve,
            arm=self.arm,
            warn=self.warnings.append,
        )

    def arm(self) -> None:
        """Count that a beat is needed."""
        self.armed += 1

    def send(self, now: float, lane: Lane = Lane.SINGLE) -> Ticket:
        """Send a request, which must be possible now."""
        ticket = Ticket()
        assert self.tracker.admit(ticket, now, 0, lane) is None
        assert ticket.sent_at == now
        return ticket

    def waits(self, now: float, lane: Lane = Lane.SINGLE) -> float:
        """Try to send a request, which must not be possible now; return when to ask again."""
        wait = self.tracker.admit(Ticket(), now, 0, lane)
        assert isinstance(wait, Wait)
        return wait.until

    def settle(self, ticket: Ticket, observation: Observation, now: float) -> list[object]:
        """Settle a request, and return the events."""
        before = self.tracker.snapshot
        self.tracker.settle(ticket, observation, now, lambda refusals: 5.0)
        return list(self.tracker.events_since(before, now))

    def passes(self, ticket: Ticket, remaining: int, now: float) -> list[object]:
        """Settle a request that passed."""
        return self.settle(ticket, Passed(says(remaining, limit=self.limit)), now)


def joined(**settings: object) -> Member:
    """Return a process whose probe was sent at 0 s and answered at 0.1 s."""
    process = Member(**settings)  # type: ignore[arg-type]
    process.passes(process.send(0.0), process.limit - 1, 0.1)
    return process
