"""The client's bulk methods and waiting, on real HTTP against the sandbox, in virtual time."""

import asyncio
import contextlib
import copy
import pickle
from collections.abc import AsyncIterator, Callable

import pytest

from raydocs_async import (
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    Fetched,
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
    found = {outcome.id async for outcome in client.stream_sessions(api.ids(250))}
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
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert sum(len(outcome.attempts) for outcome in outcomes) == 100 + api.stats.faults


@pytest.mark.parametrize(("share", "ids", "most"), [(0.1, 300, 1), (0.2, 300, 2), (0.3, 1500, 12)])
async def test_random_failures_lose_next_to_nothing(share: float, ids: int, most: int) -> None:
    """E5: the retry quota slows a job down; an id fails only with all its attempts used up.

    With five attempts a share of 0.1 ** 5, 0.2 ** 5 or 0.3 ** 5 of the ids fails, which is 0.003,
    0.1 or 3.6 of them here. More than the bounds is one run in ten thousand.
    """
    faults = Chaos(rate=share, faults=(Fault.status(503),), seed=4)
    fake = FakeTransport(limit=None, sessions=1500, latency=0.15, chaos=faults)
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:
        outcomes = [outcome async for outcome in client.stream_sessions(fake.ids(ids))]
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    assert (len(outcomes), len(failed) <= most) == (ids, True)
    assert all(len(outcome.attempts) >= 5 for outcome in failed)


@pytest.mark.parametrize("concurrency", [1, 8, 32])
@pytest.mark.parametrize("fault", [Fault.status(502), Fault.reset()], ids=["502", "RST"])
async def test_three_outages_in_a_job_cost_no_session(fault: Fault, concurrency: int) -> None:
    """E5: a service that is restarted three times under a job, for 1 to 20 seconds each."""
    fake = FakeTransport(limit=None, sessions=450, latency=0.15)
    loop = asyncio.get_running_loop()
    for begins, seconds in [(0.3, 1), (3, 20), (25, 5)]:
        loop.call_later(begins, fake.script, *[fault] * 5000)
        loop.call_later(begins + seconds, fake.clear_script)
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:
        stream = client.stream_sessions(fake.ids(450), concurrency=concurrency)
        outcomes = [outcome async for outcome in stream]
    assert [outcome.error for outcome in outcomes] == [None] * 450


async def test_a_job_leaves_the_quota_of_single_calls_alone() -> None:
    """Bulk work that has used up its retries does not take them from a single call."""
    fake = FakeTransport(limit=None, latency=0.1)
    *ids, single = fake.ids(601)
    for each in ids[::2]:
        fake.script_for(each, *[Fault.status(503)] * 3)
    fake.script_for(single, *[Fault.status(503)] * 4)
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:
        job = asyncio.create_task(client.get_sessions(ids, concurrency=300, return_exceptions=True))
        await asyncio.sleep(0.2)
        assert str((await client.get_session(single)).id) == single
        assert all(isinstance(each, Session) for each in await job)


async def test_an_outage_is_no_failure() -> None:
    """A service that is down for a while costs no outcome, whatever is asked of it meanwhile."""
    async with (
        Sandbox(limit=None) as api,
        RaydocsClient(api.token, base_url=api.url, rate_limit=None) as client,
    ):
        api.script(*[Fault.status(503)] * 5000)
        asyncio.get_running_loop().call_later(100, api.clear_script)
        outcomes = [outcome async for outcome in client.stream_sessions(api.ids(60))]
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)


async def test_a_list_that_is_not_finished_closes_the_source(
    api: Sandbox, client: RaydocsClient
) -> None:
    """C14: when `get_sessions` raises, the generator of the ids has been closed."""
    closed = False

    async def rows() -> AsyncIterator[str]:
        nonlocal closed
        try:
            for each in [*api.ids(3), UNKNOWN, *api.ids(50)]:  # pragma: no branch
                yield each
        finally:
            closed = True

    with pytest.raises(NotFoundError):
        await client.get_sessions(rows(), concurrency=2)
    assert closed


async def test_a_refused_token_ends_the_stream(api: Sandbox) -> None:
    """401 is everybody's error: raised once, with nothing called failed."""
    async with RaydocsClient("not-the-token", base_url=api.url) as client:
        stream = client.stream_sessions(api.ids(50))
        with pytest.raises(AuthenticationError):
            await anext(stream)


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
async def test_a_stream_is_not_copied_or_pickled(
    client: RaydocsClient, attempt: Callable[[object], object]
) -> None:
    """A stream refuses to be pickled or copied, and says what can be."""
    with pytest.raises(TypeError, match="pickle the ids or the outcomes"):
        attempt(client.stream_sessions([]))


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
    """One poll is enough."""
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
    """A poll that could only come after the deadline is not waited for."""
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
    """E5: an outage gets one request in each interval, without retries between."""
    api.script(*[Fault.status(503)] * 5000)
    with pytest.raises(WaitTimeoutError):
        await client.wait_for_session(api.ids(1)[0], timeout=600, interval=30)
    assert api.stats.requests <= 600 / 30 + 1


async def test_a_wait_that_ends_in_an_outage_tells_of_it(
    api: Sandbox, client: RaydocsClient
) -> None:
    """The error has the session as it was last seen, and the last poll's error as its cause."""
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
    """R4: a service that is away for longer than the wait is not waited for."""
    api.script(Fault.status(503, retry_after=90))
    with pytest.raises(WaitTimeoutError, match="HTTP 503"):
        await client.wait_for_session(api.ids(1)[0], timeout=60)
    assert now() < 1


async def test_a_retry_after_while_waiting_is_heeded(api: Sandbox, client: RaydocsClient) -> None:
    """R4: the next poll comes no sooner than the service asked for."""
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
    """E5: against a service that only fails, a hundred retries are all there are at one time."""
    policy = RetryPolicy(attempts=10, initial=0.0)
    async with (
        Sandbox(limit=None, chaos=Chaos(rate=1, faults=(Fault.status(500),))) as api,
        RaydocsClient(api.token, base_url=api.url, rate_limit=None, retry=policy) as client,
    ):
        calls = [client.get_session(session_id) for session_id in api.ids(50)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(each) for each in results} <= {InternalServerError, APITimeoutError}
    assert api.stats.requests == 50 + 100


async def test_the_quota_bounds_the_retries_of_ten_minutes() -> None:
    """E5: ten minutes of failures are met by 100 retries a minute, however many calls there are."""
    fake = FakeTransport(limit=None, chaos=Chaos(rate=1, faults=(Fault.status(500),)))
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:

        async def call_again_and_again() -> int:
            calls = 0
            while now() < 600:
                with contextlib.suppress(InternalServerError):
                    await client.get_session(fake.ids(1)[0])
                calls += 1
                await asyncio.sleep(10)
            return calls

        calls = sum(await asyncio.gather(*(call_again_and_again() for _ in range(10))))
    minutes = now() / 60  # the last calls end somewhat later than ten
    assert fake.stats.requests - calls <= 100 + 100 * minutes
