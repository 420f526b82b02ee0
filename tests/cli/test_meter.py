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
    """Requests, retries, 429s and windows are counted, and a 429 when its request was sent."""
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
    assert meter.timeline.rate_limited == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert meter.latencies.max == 0.25


def test_the_last_failure() -> None:
    """The status of the last failed attempt is kept, and a success does not change it."""
    meter, seen = Meter(), []
    for event in (ended(503, "HTTP 503"), ended(200), ended(None, "no connection")):
        meter.record(event, 0.0)
        seen.append(meter.last_status)
    assert seen == [503, 503, None]


def test_an_end_without_a_start() -> None:
    """A 429 to a request that was sent before the meter counted is in the bucket of its end."""
    meter = Meter()
    meter.record(started(1), 100.0)
    meter.record(ended(200), 101.0)
    meter.record(ended(429, "HTTP 429"), 102.0)
    meter.record(ended(429, "HTTP 429"), 103.0)
    assert meter.rate_limited == 2
    assert meter.timeline.rate_limited == [0, 0, 1, 1]


def test_counts_go_on() -> None:
    """Each window counts, and only attempts with a reply have a latency."""
    meter = Meter()
    for _ in range(2):
        meter.record(events.WindowOpened(limit=100, remaining=99), 0.0)
    meter.record(ended(None, "no connection"), 0.0)
    assert meter.windows == 2
    assert meter.latencies.max is None
