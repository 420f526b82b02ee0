"""The retry quotas of a client: one for bulk work, another for single calls."""

import asyncio
import contextlib

import pytest

from raydocs_async import APITimeoutError, InternalServerError, RaydocsClient, RetryPolicy, Session
from raydocs_async.sandbox import Chaos, Fault, Sandbox
from raydocs_async.testing import FakeTransport
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


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


async def test_a_job_leaves_the_quota_of_single_calls_alone() -> None:
    """Bulk work that has used up its retries leaves those of single calls."""
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


async def test_the_quota_bounds_the_retries_of_all_calls() -> None:
    """E5: in a burst of failing calls, the quota pays for a hundred retries in all."""
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
    """E5: in ten minutes of failures there are 100 retries a minute, by any number of calls."""
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
