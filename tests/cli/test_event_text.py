"""Events of the client in words."""

from uuid import UUID

import pytest

from raydocs_async import events
from raydocs_async.cli._event_text import describe
from tests.cli.conftest import UNKNOWN
from tests.cli.test_meter import ended, started


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (started(1), None),
        (ended(200), None),
        (ended(503, "HTTP 503"), f"session {UNKNOWN}: attempt 1: HTTP 503"),
        (
            events.RetryScheduled(call=1, resource="session", resource_id=UUID(UNKNOWN), delay=1.2),
            f"session {UNKNOWN}: next attempt in 2 s",
        ),
        (events.WindowOpened(limit=100, remaining=9), "a new window: 9 of 100 requests left"),
        (events.WindowOpened(limit=None, remaining=None), None),
        (events.Paused(seconds=8.0), "the rate limit is used up: nothing is sent for 8 s"),
        (events.ForeignUse(hits=7), "other clients of this address have used 7 of the window"),
        (events.SharedLimitJoined(processes=3), "3 processes share the limit"),
        (
            events.SharedLimitContended(waiting=2),
            "waiting for other processes, in which 2 calls wait",
        ),
        (events.SharedLimitLost(reason="the library's own warning says so"), None),
    ],
)
def test_events(event: events.Event, words: str | None) -> None:
    """Failures, retries, windows and other users of the limit are told, and the usual is not."""
    assert describe(event) == words
