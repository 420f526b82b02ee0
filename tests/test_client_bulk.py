"""The client's bulk methods and waiting, on real HTTP against the sandbox, in virtual time."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from raydocs_async import (
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    RateLimit,
    RateLimitError,
    RaydocsClient,
    RetryPolicy,
    Session,
    WaitTimeoutError,
)
from raydocs_async.sandbox import Chaos, Fault, Sandbox
from raydocs_async.testing import FakeTransport

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def api() -> AsyncIterator[Sandbox]:
    """A sandbox with the service's own limit."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(api: Sandbox) -> AsyncIterator[RaydocsClient]:
    """A client of it, with the defaults."""
    async with RaydocsClient(api.token, base_url=api.url) as opened:
        yield opened


def now() -> float:
    """The event loop's time, which is virtual here."""
    return asyncio.get_running_loop().time()


async def test_a_job_over_several_windows(api: Sandbox, client: RaydocsClient) -> None:
    """A stream of 250 sessions takes two turns of the window, and meets no 429."""
    found = {outcome.session_id async for outcome in client.stream_sessions(api.ids(250))}
    assert found == set(api.ids(250))
    assert api.stats.throttled == 0
    assert 120 <= now() <= 123


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.reset()], ids=["503", "RST"])
@pytest.mark.parametrize("begins", [0.1, 20, 61, 75])
async def test_an_outage_that_ends_costs_no_session(fault: Fault, begins: float) -> None:
    """Whenever it begins, also with all workers in the queue for a window, it is waited out."""
    fake = FakeTransport(latency=0.15)
    loop = asyncio.get_running_loop()
    loop.call_later(begins, fake.script, *[fault] * 5000)
    loop.call_later(begins + 200, fake.clear_script)
    async with RaydocsClient(fake.token, transport=fake) as client:
        outcomes = [outcome async for outcome in client.stream_sessions(fake.ids(500))]
    assert [outcome.error for outcome in outcomes] == [None] * 500


async def test_faults_are_survived() -> None:
    """With one reply in ten failing, every session comes, after as many attempts as it took."""
    faults = Chaos(rate=0.1, faults=(Fault.status(503), Fault.reset(), Fault.cut()), seed=3)
    async with (
        Sandbox(limit=None, chaos=faults) as api,
        RaydocsClient(api.token, base_url=api.url) as client,
    ):
        outcomes = [outcome async for outcome in client.stream_sessions(api.ids(100))]
    assert all(outcome.session is not None for outcome in outcomes)
    assert sum(len(outcome.attempts) for outcome in outcomes) == 100 + api.stats.faults


async def test_an_outage_is_no_failure() -> None:
    """A service that is down for a while costs no outcome, though the quota runs dry."""
    policy = RetryPolicy(attempts=50)
    async with (
        Sandbox(limit=None) as api,
        RaydocsClient(api.token, base_url=api.url, rate_limit=None, retry=policy) as client,
    ):
        api.script(*[Fault.status(503)] * 140)
        outcomes = [outcome async for outcome in client.stream_sessions(api.ids(60))]
    assert all(outcome.session is not None for outcome in outcomes)


async def test_a_refused_token_ends_the_stream(api: Sandbox) -> None:
    """401 is everybody's error: raised once, with nothing called failed."""
    async with RaydocsClient("not-the-token", base_url=api.url) as client:
        stream = client.stream_sessions(api.ids(50))
        with pytest.raises(AuthenticationError):
            await anext(stream)


async def test_single_calls_go_before_a_stream(api: Sandbox) -> None:
    """With part of the window in reserve, a single call does not wait behind a bulk job."""
    told = RateLimit(reserve=5)
    async with RaydocsClient(api.token, base_url=api.url, rate_limit=told) as client:
        stream = client.stream_sessions(api.ids(300))
        for _ in range(95):
            await anext(stream)
        before = now()
        await client.get_session(api.ids(1)[0])
        assert now() - before < 1
        await stream.aclose()


async def test_sessions_come_in_the_order_of_their_ids(api: Sandbox, client: RaydocsClient) -> None:
    """`get_sessions` is a list, in input order."""
    sessions = await client.get_sessions(reversed(api.ids(40)))
    assert [str(session.id) for session in sessions] == api.ids(40)[::-1]


async def test_the_first_error_is_raised(api: Sandbox, client: RaydocsClient) -> None:
    """Without `return_exceptions`, as `asyncio.gather`."""
    with pytest.raises(NotFoundError):
        await client.get_sessions([*api.ids(3), UNKNOWN, *api.ids(50)])


async def test_errors_take_their_place_if_asked_for(api: Sandbox, client: RaydocsClient) -> None:
    """With `return_exceptions`, a list as long as the input."""
    first, second = api.ids(2)
    got = await client.get_sessions([first, UNKNOWN, second], return_exceptions=True)
    assert [type(each) for each in got] == [Session, NotFoundError, Session]


# -- waiting ------------------------------------------------------------------------------------


def unfinished(api: Sandbox, status: str | None = "processing") -> str:
    """A session that is not finished, and its id."""
    session = api.session(api.ids(1)[0]) | {"status": status}
    api.put(session)
    return str(session["id"])


async def test_a_finished_session_is_returned_at_once(api: Sandbox, client: RaydocsClient) -> None:
    """One look is enough."""
    session = await client.wait_for_session(api.ids(1)[0])
    assert (session.status, api.stats.requests) == ("completed", 1)


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_waiting_ends_when_it_is_finished(
    api: Sandbox, client: RaydocsClient, status: str
) -> None:
    """A failed session is returned, not raised."""
    session_id = unfinished(api)
    waiting = asyncio.create_task(client.wait_for_session(session_id))
    await asyncio.sleep(30)
    api.put(api.session(session_id) | {"status": status})
    assert (await waiting).status == status


async def test_looks_become_rarer(api: Sandbox, client: RaydocsClient) -> None:
    """Ten minutes of waiting take a few dozen requests, not hundreds."""
    with pytest.raises(WaitTimeoutError):
        await client.wait_for_session(unfinished(api), timeout=600)
    assert api.stats.requests <= 30


async def test_a_session_that_never_finishes(api: Sandbox, client: RaydocsClient) -> None:
    """Past the deadline the error has the session as it was last seen."""
    session_id = unfinished(api, "translating")
    with pytest.raises(WaitTimeoutError, match="within 60 s") as caught:
        await client.wait_for_session(session_id, timeout=60)
    assert now() == pytest.approx(60)
    assert caught.value.last_seen is not None
    assert caught.value.last_seen.status == "translating"


async def test_waiting_without_an_end(api: Sandbox, client: RaydocsClient) -> None:
    """``timeout=None`` waits as long as it takes."""
    session_id = unfinished(api)
    waiting = asyncio.create_task(client.wait_for_session(session_id, timeout=None))
    await asyncio.sleep(5000)
    api.put(api.session(session_id) | {"status": "completed"})
    assert (await waiting).is_finished


async def test_a_deadline_within_a_look_is_the_waits_own(
    api: Sandbox, client: RaydocsClient
) -> None:
    """When the time is over while a reply is awaited, waiting has timed out."""
    session_id = unfinished(api)
    api.latency = 100
    with pytest.raises(WaitTimeoutError) as caught:
        await client.wait_for_session(session_id, timeout=5)
    assert caught.value.last_seen is None


async def test_a_shut_window_past_the_deadline_is_the_waits_own(api: Sandbox) -> None:
    """A look that could only come after the deadline is not waited for."""
    async with RaydocsClient(
        api.token, base_url=api.url, rate_limit=RateLimit(requests=1)
    ) as client:
        api.throttle.limit = 1
        with pytest.raises(WaitTimeoutError):
            await client.wait_for_session(unfinished(api), timeout=30)
    assert now() < 30


async def test_a_shut_window_before_the_deadline_is_an_error(api: Sandbox) -> None:
    """A pause that the client does not wait for is told, though there would be time."""
    async with RaydocsClient(
        api.token, base_url=api.url, rate_limit=RateLimit(max_wait=10)
    ) as client:
        api.script(Fault.status(429, retry_after=60))
        with pytest.raises(RateLimitError):
            await client.wait_for_session(api.ids(1)[0], timeout=600)


async def test_other_errors_end_waiting(api: Sandbox, client: RaydocsClient) -> None:
    """What is wrong with the session is told as by `get_session`."""
    with pytest.raises(NotFoundError):
        await client.wait_for_session(UNKNOWN)


@pytest.mark.parametrize("bad", [{"timeout": 0}, {"timeout": -1}, {"interval": 0}], ids=str)
async def test_a_wait_that_makes_no_sense(client: RaydocsClient, bad: dict[str, float]) -> None:
    """C18: before anything is sent."""
    with pytest.raises(ConfigurationError):
        await client.wait_for_session(UNKNOWN, **bad)


# -- the quota ----------------------------------------------------------------------------------


async def test_the_quota_bounds_the_retries_of_all_calls() -> None:
    """E5: against a service that only fails, a hundred retries are all there are."""
    policy = RetryPolicy(attempts=10, initial=0.0)
    async with (
        Sandbox(limit=None, chaos=Chaos(rate=1, faults=(Fault.status(500),))) as api,
        RaydocsClient(api.token, base_url=api.url, rate_limit=None, retry=policy) as client,
    ):
        calls = [client.get_session(session_id) for session_id in api.ids(50)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(each) for each in results} <= {InternalServerError, APITimeoutError}
    assert api.stats.requests == 50 + 100
