"""Counts of requests from a client's events."""

from uuid import UUID

from raydocs_async import events
from raydocs_async.cli._meter import Meter
from tests.cli.conftest import UNKNOWN

ID = UUID(UNKNOWN)


def started(number: int) -> events.AttemptStarted:
    """The start of an attempt."""
    return events.AttemptStarted(
        call=1, resource="session", resource_id=ID, number=number, waited=0.0
    )


def ended(status: int | None, error: str | None = None) -> events.AttemptEnded:
    """The end of an attempt, after a quarter of a second."""
    return events.AttemptEnded(
        call=1, resource="session", resource_id=ID, number=1, seconds=0.25,
        status=status, error=error,
    )  # fmt: skip


def test_counts() -> None:
    """Requests, retries, 429s and windows are counted, each in the time of its event."""
    meter = Meter()
    seen: list[events.Event] = [
        events.CallStarted(call=1, resource="session", resource_id=ID, bulk=True),
        started(1),
        ended(429, "HTTP 429"),
        started(2),
        events.WindowOpened(limit=100, remaining=99),
        ended(503, "HTTP 503"),
        started(3),
        ended(None, "no connection"),
        started(4),
        ended(200),
    ]
    for now, event in enumerate(seen, 100):
        meter.record(event, float(now))
    assert (meter.requests, meter.retries, meter.rate_limited, meter.windows) == (4, 3, 1, 1)
    assert meter.timeline.requests == [0, 1, 0, 1, 0, 0, 1, 0, 1]
    assert meter.timeline.rate_limited == [0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert meter.latencies.max == 0.25


def test_the_last_failure() -> None:
    """The status of the last failed attempt is kept, and a success does not change it."""
    meter, seen = Meter(), []
    for event in (ended(503, "HTTP 503"), ended(200), ended(None, "no connection")):
        meter.record(event, 0.0)
        seen.append(meter.last_status)
    assert seen == [503, 503, None]
