"""Records of the requests that reached a sandbox: counters, and one log entry for each."""

from collections import Counter
from typing import NamedTuple

from attrs import Factory, define


class LogEntry(NamedTuple):
    """One request that the sandbox has finished."""

    time: float
    """The time of its arrival, in the server's seconds since the sandbox started."""
    path: str
    """The requested path, decoded."""
    resource: str | None
    """The noun of the requested resource, such as ``session`` or ``documents of session``; ``None``
    for an unknown path."""
    resource_id: str | None
    """The requested id, as the client wrote it; ``None`` for an unknown path."""
    status: int | None
    """The status of the reply; ``None`` if no complete reply was sent."""
    window: int
    """The number of the rate-limit window at its arrival, its own hit included; 0 before the
    first one."""


@define
class Stats:
    """Counters since the sandbox was made; they only ever grow."""

    requests: int = 0
    """All requests that arrived, including those that a client repeats by itself."""
    accepted: int = 0
    """Requests that the throttle counted, whatever the reply."""
    throttled: int = 0
    """429s of the throttle; a scripted 429 is among the `faults`."""
    unauthorized: int = 0
    """Requests without a valid token, answered by a 401 or a redirect."""
    not_found: int = 0
    """404s for an id that does not exist."""
    faults: int = 0
    """Requests that a scripted or a random fault hit."""
    peak_in_flight: int = 0
    """The largest number of requests in flight at once."""
    statuses: Counter[int] = Factory(Counter)
    """The number of complete replies with each status."""
