"""What a single call waits for is said on standard error."""

from uuid import UUID

import pytest

from raydocs_async import events
from raydocs_async.cli._watch import CallWatch
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run
from tests.cli.test_meter import ended

CALL = events.CallStarted(call=1, resource="session", resource_id=UUID(UNKNOWN), bulk=False)


def retry(delay: float) -> events.RetryScheduled:
    """A retry."""
    return events.RetryScheduled(call=1, resource="session", resource_id=UUID(UNKNOWN), delay=delay)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (
            [ended(503, "HTTP 503"), retry(7.1)],
            "The service answers 503; attempt 2 follows in 8 s.",
        ),
        (
            [ended(None, "no connection"), retry(1.0)],
            "The service does not answer; attempt 2 follows in 1 s.",
        ),
        ([ended(503, "HTTP 503"), retry(0.9)], None),
        ([CALL, ended(200), CALL], None),
        (
            [ended(503, "HTTP 503"), CALL, ended(503, "HTTP 503"), CALL],
            "The service answers 503; waiting until it works again.",
        ),
        ([events.Paused(seconds=8.0)], "The rate limit is used up; trying again in 8 s."),
        ([events.Paused(seconds=0.5)], None),
    ],
)
def test_notices(
    capsys: pytest.CaptureFixture[str], seen: list[events.Event], said: str | None
) -> None:
    """Waits of a second and more are told, and polls of a service that is down only once."""
    watch = CallWatch()
    for event in seen:
        watch(event)
    assert capsys.readouterr().err == (f"{said}\n" if said else "")


async def test_a_get_in_an_outage(run: Run, api: Sandbox) -> None:
    """A command that waits for the service says so, and its output is the same."""
    api.script(Fault.status(503, retry_after=1))
    done = await run("get", api.ids(1)[0])
    assert (done.code, done.out[:7]) == (0, '{"id":"')
    assert done.err == "The service answers 503; attempt 2 follows in 1 s.\n"
