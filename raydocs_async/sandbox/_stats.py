"""What a sandbox saw: counters, and one record a request."""

from collections import Counter
from typing import NamedTuple

from attrs import Factory, define


class Seen(NamedTuple):
    """One request that the sandbox is done with."""

    time: float
    """When it arrived, in the server's seconds since the sandbox started."""
    target: str
    """The session id as it was asked for, or the path where that is no session's."""
    status: int | None
    """What was answered; ``None`` if no whole reply was."""
    window: int
    """The rate-limit window at its arrival, its own hit included; 0 before the first one."""


@define
class Stats:
    """Counters since the sandbox was made; they are only ever added to."""

    requests: int = 0
    """All requests that came over the wire, a client's hidden resends included."""
    accepted: int = 0
    """Requests that the throttle let in, whatever became of them."""
    throttled: int = 0
    """429s by the throttle; a scripted one is among the `faults`."""
    unauthorized: int = 0
    """Requests without the right token, whether answered by a 401 or a redirect."""
    not_found: int = 0
    """404s for an id that does not exist."""
    faults: int = 0
    """Requests that a scripted or a random fault hit."""
    peak_in_flight: int = 0
    """The most requests that were being answered at once."""
    statuses: Counter[int] = Factory(Counter)
    """How often each status was answered, where a whole reply was."""
