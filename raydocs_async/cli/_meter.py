"""Counts of the requests of a job, from the client's events; pure."""

from typing import Final

from attrs import define, field

from raydocs_async import events
from raydocs_async.cli._latencies import Latencies
from raydocs_async.cli._timeline import Timeline

_TOO_MANY_REQUESTS: Final = 429


@define
class Meter:
    """Counts events; it starts at the first one."""

    requests: int = 0
    """Requests that were sent."""
    rate_limited: int = 0
    """429s."""
    retries: int = 0
    """Requests that repeat an earlier one of the same call, those after a 429 included."""
    windows: int = 0
    """Windows of the rate limit that replies have shown."""
    last_status: int | None = None
    """The HTTP status of the last attempt that failed; ``None`` if it got no reply."""
    timeline: Timeline = field(factory=Timeline)
    latencies: Latencies = field(factory=Latencies)
    _started: float | None = None

    def record(self, event: events.Event, now: float) -> None:
        """Count an event at `now`, in seconds of any clock that never goes back."""
        if self._started is None:
            self._started = now
        at = now - self._started
        match event:
            case events.AttemptStarted():
                self.requests += 1
                self.retries += event.number > 1
                self.timeline.add_request(at)
            case events.AttemptEnded():
                self._end_attempt(event, at)
            case events.WindowOpened():
                self.windows += 1

    def _end_attempt(self, event: events.AttemptEnded, at: float) -> None:
        if event.status is not None:
            self.latencies.add(event.seconds)
        if event.error is not None:
            self.last_status = event.status
        if event.status == _TOO_MANY_REQUESTS:
            self.rate_limited += 1
            self.timeline.add_refusal(at)
