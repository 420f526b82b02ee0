"""Events of the client in words; pure."""

from raydocs_async import events
from raydocs_async.cli._text import duration, plural


def describe(event: events.Event) -> str | None:
    """Return an event in one line, for the details of a log; ``None`` for the usual ones."""
    match event:
        case events.AttemptEnded(error=str(error)):
            return f"{_about(event)}: attempt {event.number}: {error}"
        case events.RetryScheduled():
            return f"{_about(event)}: next attempt in {duration(event.delay)}"
        case events.WindowOpened(limit=int(limit), remaining=int(remaining)):
            return f"a new window: {remaining} of {plural(limit, 'request')} left"
        case events.Paused():
            return f"the rate limit is used up: nothing is sent for {duration(event.seconds)}"
        case events.ForeignUse():
            return f"other clients of this address have used {event.hits} of the window"
        case events.SharedLimitJoined():
            return f"{event.processes} processes share the limit"
        case events.SharedLimitContended():
            return f"waiting for other processes, in which {plural(event.waiting, 'call')} wait"
    return None


def _about(event: events.AttemptEnded | events.RetryScheduled) -> str:
    return f"{event.resource} {event.resource_id}"
