"""Takers of a client's events: of a bulk job, and of a single call."""

import time
from typing import Final

from raydocs_async import events
from raydocs_async.cli._event_text import describe
from raydocs_async.cli._meter import Meter
from raydocs_async.cli._progress import Reporter
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import duration

_NOTICED: Final = 1.0
"""Seconds of a wait that a person would wonder about."""


class JobWatch:
    """Counts the events of a bulk job, and shows them if that is wanted.

    Args:
        verbose: Show them.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self.meter = Meter()
        self.reporter = Reporter()
        """Shows the events."""
        self._verbose = verbose

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        self.meter.record(event, time.monotonic())
        if self._verbose and (words := describe(event)):
            self.reporter.say(words, event="detail")


class CallWatch:
    """Says on standard error for what a single call waits."""

    def __init__(self) -> None:
        self._failed: events.AttemptEnded | None = None
        """The last attempt, if it failed."""
        self._has_said_so = False

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        match event:
            case events.AttemptEnded():
                self._failed = event if event.error else None
                self._has_said_so = self._has_said_so and self._failed is not None
            case events.RetryScheduled() if self._failed and event.delay >= _NOTICED:
                number = self._failed.number + 1
                self._say(f"attempt {number} follows in {duration(event.delay)}")
            case events.CallStarted() if self._failed and not self._has_said_so:
                self._say("waiting until it works again")  # a poll after one that failed
            case events.Paused() if event.seconds >= _NOTICED:
                say(f"The rate limit is used up; trying again in {duration(event.seconds)}.")

    def _say(self, consequence: str) -> None:
        assert self._failed is not None
        self._has_said_so = True
        status = self._failed.status
        what = "does not answer" if status is None else f"answers {status}"
        say(f"The service {what}; {consequence}.")
