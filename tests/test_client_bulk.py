"""The client's bulk methods, on real HTTP against the sandbox, in virtual time."""

import asyncio
import copy
import pickle
from collections.abc import AsyncIterator, Callable

import pytest

from raydocs_async import (
    AuthenticationError,
    Fetched,
    NotFoundError,
    RateLimit,
    RaydocsClient,
    Session,
)
from raydocs_async.sandbox import Chaos, Fault, Sandbox
from raydocs_async.testing import FakeTransport
from tests.support.clients import UNKNOWN
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


async def test_a_job_over_several_windows(api: Sandbox, client: RaydocsClient) -> None:
    """A stream of 250 sessions takes two turns of the window, and meets no 429."""
    found = {outcome.id async for outcome in client.stream_sessions(api.ids(250))}
    assert found == set(api.ids(250))
    assert api.stats.throttled == 0
    assert 120 <= now() <= 123


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.reset()], ids=["503", "RST"])
@pytest.mark.parametrize("begins", [0.1, 20, 61, 75])
async def test_an_outage_that_ends_costs_no_session(fault: Fault, begins: float) -> None:
    """A stream waits out an outage that begins at any time, even while all workers are queued."""
    fake = FakeTransport(latency=0.15)
    loop = asyncio.get_running_loop()
    loop.call_later(begins, fake.script, *[fault] * 5000)
    loop.call_later(begins + 200, fake.clear_script)
    async with RaydocsClient(fake.token, transport=fake) as client:
        outcomes = [outcome async for outcome in client.stream_sessions(fake.ids(500))]
    assert [outcome.error for outcome in outcomes] == [None] * 500


async def test_the_progress_tells_the_next_attempt_of_an_outage() -> None:
    """While nothing gets through, the progress says when the next attempt is made."""
    fake = FakeTransport(latency=0.15)
    fake.script(*[Fault.status(503)] * 5000)
    loop, seen = asyncio.get_running_loop(), list[tuple[float | None, float | None]]()
    async with (
        RaydocsClient(fake.token, transport=fake) as client,
        client.stream_sessions(fake.ids(20)) as stream,
    ):

        def look() -> None:
            """Keep the progress, and end the outage."""
            seen.append((stream.progress.outage, stream.progress.next_attempt))
            fake.clear_script()

        loop.call_later(40, look)
        assert [outcome.error async for outcome in stream] == [None] * 20
        assert stream.progress.next_attempt is None
    ((outage, following),) = seen
    assert outage is not None
    assert following is not None
    assert (20 < outage < 40, 0 < following <= 30) == (True, True)


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


@pytest.mark.parametrize("concurrency", [1, 8, 32])
@pytest.mark.parametrize("fault", [Fault.status(502), Fault.reset()], ids=["502", "RST"])
async def test_three_outages_in_a_job_cost_no_session(fault: Fault, concurrency: int) -> None:
    """E5: a stream survives three restarts of the service, of 1 to 20 seconds each."""
    fake = FakeTransport(limit=None, sessions=450, latency=0.15)
    loop = asyncio.get_running_loop()
    for begins, seconds in [(0.3, 1), (3, 20), (25, 5)]:
        loop.call_later(begins, fake.script, *[fault] * 5000)
        loop.call_later(begins + seconds, fake.clear_script)
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:
        stream = client.stream_sessions(fake.ids(450), concurrency=concurrency)
        outcomes = [outcome async for outcome in stream]
    assert [outcome.error for outcome in outcomes] == [None] * 450


async def test_an_outage_is_no_failure() -> None:
    """An outage that ends costs no outcome, whatever was requested meanwhile."""
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
    """A 401 ends the stream: it is raised once, and no id fails."""
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
    """With a reserve, a single call does not wait behind a stream."""
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
    """`get_sessions` returns a list in the input's order."""
    sessions = await client.get_sessions(reversed(api.ids(40)))
    assert [str(session.id) for session in sessions] == api.ids(40)[::-1]


async def test_the_first_error_is_raised(api: Sandbox, client: RaydocsClient) -> None:
    """Without `return_exceptions`, `get_sessions` raises the first error, as `gather` does."""
    with pytest.raises(NotFoundError):
        await client.get_sessions([*api.ids(3), UNKNOWN, *api.ids(50)])


async def test_errors_take_their_place_if_asked_for(api: Sandbox, client: RaydocsClient) -> None:
    """With `return_exceptions`, the list is as long as the input."""
    first, second = api.ids(2)
    got = await client.get_sessions([first, UNKNOWN, second], return_exceptions=True)
    assert [type(each) for each in got] == [Session, NotFoundError, Session]
