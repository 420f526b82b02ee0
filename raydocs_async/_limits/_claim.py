"""A process's claim on a shared window, and the grant that answers it, as frozen values; pure."""

from collections.abc import Callable, Sequence

from attrs import frozen

from raydocs_async._headers import Observation
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket


@frozen(kw_only=True)
class Report:
    """The end of a request."""

    ticket: Ticket
    observation: Observation
    at: float
    """When it ended."""
    pause: Callable[[int], float]
    """As for `WindowTracker.settle`."""


@frozen
class Configuration:
    """The rate limit as a process is configured; ``None`` for what is not."""

    limit: int | None
    period: float | None


@frozen(kw_only=True)
class Claim:
    """A process's report of what it did, and of what it needs."""

    owner: str
    """Name of the process."""
    single: int = 0
    """Single calls that could be sent now."""
    bulk: int = 0
    """Bulk calls that could be sent now, behind the single ones."""
    ahead: int = 0
    """Hits that it will probably need soon."""
    in_flight: int = 0
    """Its requests in flight, without those that it reports."""
    reserve: int = 0
    """Hits of each window that bulk work leaves to single calls."""
    reports: Sequence[Report] = ()
    joins: Configuration | None = None
    """The configuration of a process that joins."""
    looks: bool = False
    """True if nothing is to change unless hits are granted."""


@frozen(kw_only=True)
class Grant:
    """The answer to a claim."""

    single: int
    """Hits for single calls alone."""
    any: int
    """Hits for any call."""
    expires_at: float
    """When the hits are void."""
    ask_at: float
    """When to ask again, if this is less than the need; ``inf``: after a reply."""
    look_at: float
    """When to look whether another process has changed the record; `ask_at` if none will."""
    contended: bool
    """True if this is less than the need because others wait for the hits, too."""
    waiting: int
    """Calls that wait in other processes."""
    processes: int
    """Processes that share the window, this one included."""
    tracker: WindowTracker
    """The state after the claim; its requests in flight are a number for all processes."""

    @property
    def hits(self) -> int:
        """Hits for calls of either kind."""
        return self.single + self.any
