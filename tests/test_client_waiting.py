"""Waiting for one session, on real HTTP against the sandbox, in virtual time."""

import asyncio

import pytest

from raydocs_async import (
    APIResponseValidationError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    RateLimit,
    RateLimitError,
    RaydocsClient,
    WaitTimeoutError,
)
from raydocs_async.sandbox import Fault, Sandbox
from tests.support.clients import UNKNOWN
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


def unfinished(api: Sandbox, status: str | None = "processing") -> str:
    """Make a session that is not finished, and return its id."""
    session = api.session(api.ids(1)[0]) | {"status": status}
    api.put(session)
    return str(session["id"])


async def test_a_finished_session_is_returned_at_once(api: Sandbox, client: RaydocsClient) -> None:
    """A finished session takes one poll."""
    session = await client.wait_for_session(api.ids(1)[0])
    assert (session.status, api.stats.requests) == ("completed", 1)


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_waiting_ends_when_it_is_finished(
    api: Sandbox, client: RaydocsClient, status: str
) -> None:
    """Waiting returns a session that completed or failed."""
    session_id = unfinished(api)
    waiting = asyncio.create_task(client.wait_for_session(session_id))
    await asyncio.sleep(30)
    api.put(api.session(session_id) | {"status": status})
    assert (await waiting).status == status


async def test_looks_become_rarer(api: Sandbox, client: RaydocsClient) -> None:
    """Ten minutes of waiting take at most 30 requests."""
    with pytest.raises(WaitTimeoutError):
        await client.wait_for_session(unfinished(api), timeout=600)
    assert api.stats.requests <= 30


async def test_a_session_that_never_finishes(api: Sandbox, client: RaydocsClient) -> None:
    """At the deadline, the error has the session of the last poll."""
    session_id = unfinished(api, "translating")
    with pytest.raises(WaitTimeoutError, match="within 60 s") as caught:
        await client.wait_for_session(session_id, timeout=60)
    assert now() == pytest.approx(60)
    assert caught.value.last_seen is not None
    assert caught.value.last_seen.status == "translating"


async def test_waiting_without_an_end(api: Sandbox, client: RaydocsClient) -> None:
    """With ``timeout=None``, waiting has no deadline."""
    session_id = unfinished(api)
    waiting = asyncio.create_task(client.wait_for_session(session_id, timeout=None))
    await asyncio.sleep(5000)
    api.put(api.session(session_id) | {"status": "completed"})
    assert (await waiting).is_finished


async def test_a_deadline_within_a_look_is_the_waits_own(
    api: Sandbox, client: RaydocsClient
) -> None:
    """A deadline that passes during a poll is a time-out of the wait."""
    session_id = unfinished(api)
    api.latency = 100
    with pytest.raises(WaitTimeoutError) as caught:
        await client.wait_for_session(session_id, timeout=5)
    assert caught.value.last_seen is None


async def test_a_shut_window_past_the_deadline_is_the_waits_own(api: Sandbox) -> None:
    """A wait ends early if the rate limit allows no poll before its deadline."""
    async with RaydocsClient(
        api.token, base_url=api.url, rate_limit=RateLimit(requests=1)
    ) as client:
        api.throttle.limit = 1
        with pytest.raises(WaitTimeoutError):
            await client.wait_for_session(unfinished(api), timeout=30)
    assert now() < 30


async def test_a_shut_window_before_the_deadline_is_an_error(api: Sandbox) -> None:
    """A pause longer than `max_wait` is raised, though it ends before the deadline."""
    async with RaydocsClient(
        api.token, base_url=api.url, rate_limit=RateLimit(max_wait=10)
    ) as client:
        api.script(Fault.status(429, retry_after=60))
        with pytest.raises(RateLimitError):
            await client.wait_for_session(api.ids(1)[0], timeout=600)


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.reset()], ids=["503", "RST"])
async def test_an_outage_while_waiting_is_waited_out(
    api: Sandbox, client: RaydocsClient, fault: Fault
) -> None:
    """E5: waiting goes on to its own deadline, however many polls fail."""
    session_id = unfinished(api, "completed")
    api.script(*[fault] * 5000)
    asyncio.get_running_loop().call_later(25, api.clear_script)
    assert (await client.wait_for_session(session_id, timeout=120)).is_finished
    assert 25 <= now() <= 60


async def test_polls_that_fail_are_no_more_frequent(api: Sandbox, client: RaydocsClient) -> None:
    """E5: in an outage there is one request in each interval, without retries."""
    api.script(*[Fault.status(503)] * 5000)
    with pytest.raises(WaitTimeoutError):
        await client.wait_for_session(api.ids(1)[0], timeout=600, interval=30)
    assert api.stats.requests <= 600 / 30 + 1


async def test_a_wait_that_ends_in_an_outage_tells_of_it(
    api: Sandbox, client: RaydocsClient
) -> None:
    """The error has the session of the last good poll, and the last poll's error as its cause."""
    session_id = unfinished(api, "translating")
    asyncio.get_running_loop().call_later(20, api.script, *[Fault.status(503)] * 5000)
    with pytest.raises(WaitTimeoutError, match="the last poll failed: HTTP 503") as caught:
        await client.wait_for_session(session_id, timeout=60)
    assert now() == pytest.approx(60)
    assert isinstance(caught.value.__cause__, InternalServerError)
    assert caught.value.last_seen is not None


async def test_a_retry_after_past_the_deadline_is_the_waits_own(
    api: Sandbox, client: RaydocsClient
) -> None:
    """R4: a Retry-After beyond the deadline ends the wait at once."""
    api.script(Fault.status(503, retry_after=90))
    with pytest.raises(WaitTimeoutError, match="HTTP 503"):
        await client.wait_for_session(api.ids(1)[0], timeout=60)
    assert now() < 1


async def test_a_retry_after_while_waiting_is_heeded(api: Sandbox, client: RaydocsClient) -> None:
    """R4: the next poll comes no sooner than the Retry-After."""
    session_id = unfinished(api, "completed")
    api.script(Fault.status(503, retry_after=200))
    assert (await client.wait_for_session(session_id, timeout=300)).is_finished
    assert (api.stats.requests, now() >= 200) == (2, True)


@pytest.mark.parametrize("fault", [Fault.status(501), Fault.body(b"[]")], ids=["501", "no session"])
async def test_a_failure_that_is_not_temporary_ends_waiting(
    api: Sandbox, client: RaydocsClient, fault: Fault
) -> None:
    """A permanent error ends the wait at once."""
    api.script(fault)
    with pytest.raises((InternalServerError, APIResponseValidationError)):
        await client.wait_for_session(api.ids(1)[0])
    assert api.stats.requests == 1


async def test_other_errors_end_waiting(api: Sandbox, client: RaydocsClient) -> None:
    """An error of the session is raised as by `get_session`."""
    with pytest.raises(NotFoundError):
        await client.wait_for_session(UNKNOWN)


@pytest.mark.parametrize("bad", [{"timeout": 0}, {"timeout": -1}, {"interval": 0}], ids=str)
async def test_a_wait_that_makes_no_sense(client: RaydocsClient, bad: dict[str, float]) -> None:
    """C18: an invalid time-out or interval is refused before anything is sent."""
    with pytest.raises(ConfigurationError):
        await client.wait_for_session(UNKNOWN, **bad)
