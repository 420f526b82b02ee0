"""Waiting for many sessions, in virtual time: each is handed over soon, within the rate limit."""

import asyncio
from collections import Counter
from statistics import median

import pytest

from raydocs_async import (
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    Failed,
    Fetched,
    InvalidIdError,
    NotFoundError,
    RateLimit,
    RaydocsClient,
    WaitTimeoutError,
)
from raydocs_async.sandbox import Fault
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.testing import FakeTransport
from tests.support.clients import UNKNOWN
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.parametrize(("sessions", "most"), [(60, 0.5), (300, 1.5)])
async def test_each_is_handed_over_soon_after_its_end(sessions: int, most: float) -> None:
    """Half of the sessions come within so many windows of their end, without a 429."""
    fake = FakeTransport(sessions=sessions, finish_within=1200.0, log_size=10**6)
    ids = fake.ids(sessions)
    begun, delays = now(), dict[str, float]()
    async with RaydocsClient(fake.token, transport=fake) as client:
        async for outcome in client.wait_for_sessions(ids):
            assert isinstance(outcome, Fetched)
            assert outcome.session.is_finished
            end = begun + Schedule(1200.0).duration(str(outcome.id))
            delays[str(outcome.id)] = now() - end
    assert sorted(delays) == sorted(ids)
    assert median(delays.values()) <= most * 60
    assert fake.stats.throttled == 0
    assert max(Counter(entry.window for entry in fake.log).values()) <= 100


async def test_no_session_is_polled_twice_while_another_waits() -> None:
    """With more sessions than hits in a window, all sessions are polled in turn.

    Between two polls of a session, each other session is polled at most twice.
    """
    fake = FakeTransport(20, sessions=50, finish_within=1e6, log_size=10**6)
    async with RaydocsClient(fake.token, transport=fake) as client:
        stream = client.wait_for_sessions(fake.ids(50), timeout=900)
        outcomes = [outcome async for outcome in stream]
    assert len(outcomes) == 50
    polls = [str(entry.resource_id) for entry in fake.log]
    assert len(set(polls)) == 50
    for each in set(polls):
        for between in "\n".join(polls).split(each)[1:-1]:
            assert max(Counter(between.split()).values()) <= 2


async def test_sessions_that_are_not_finished_in_time() -> None:
    """The failure has the session as it was last seen, for each of them."""
    fake = FakeTransport(sessions=3, finish_within=1e6)
    begun = now()
    async with RaydocsClient(fake.token, transport=fake) as client:
        outcomes = [each async for each in client.wait_for_sessions(fake.ids(3), timeout=100)]
    assert now() - begun == pytest.approx(100)
    assert {outcome.id for outcome in outcomes} == set(fake.ids(3))
    for outcome in outcomes:
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, WaitTimeoutError)
        assert str(outcome.error.last_seen.id) == outcome.id


async def test_errors_of_single_ids() -> None:
    """A 404 and an invalid id are outcomes, and the others are waited for."""
    fake = FakeTransport(sessions=2, finish_within=60.0)
    async with RaydocsClient(fake.token, transport=fake) as client:
        stream = client.wait_for_sessions([UNKNOWN, *fake.ids(2), "x", *fake.ids(1)])
        outcomes = [outcome async for outcome in stream]
    kinds = Counter(type(outcome.error) for outcome in outcomes)
    assert kinds == {type(None): 3, NotFoundError: 1, InvalidIdError: 1}


async def test_an_outage_is_waited_out() -> None:
    """E5: however long the service is down, the sessions are handed over when it is back."""
    fake, outages = FakeTransport(sessions=40, finish_within=60.0), list[float | None]()
    async with (
        RaydocsClient(fake.token, transport=fake) as client,
        client.wait_for_sessions(fake.ids(40), timeout=3600) as stream,
    ):
        fake.script(*[Fault.status(502)] * 5000)
        asyncio.get_running_loop().call_later(900, fake.clear_script)
        asyncio.get_running_loop().call_later(600, lambda: outages.append(stream.progress.outage))
        outcomes = [outcome async for outcome in stream]
    assert [type(outcome) for outcome in outcomes] == [Fetched] * 40
    assert 900 <= now() <= 1100
    assert outages[0] == pytest.approx(600, abs=60)


@pytest.mark.parametrize("sessions", [1, 64, 500])
async def test_an_outage_until_the_deadline(sessions: int) -> None:
    """Each id has its outcome at the deadline, those not yet read included."""
    fake = FakeTransport(sessions=sessions)
    fake.script(*[Fault.status(502)] * 10**5)
    begun = now()
    async with RaydocsClient(fake.token, transport=fake) as client:
        outcomes = [
            each async for each in client.wait_for_sessions(fake.ids(sessions), timeout=100)
        ]
    assert now() - begun == pytest.approx(100)
    assert [type(outcome.error) for outcome in outcomes] == [WaitTimeoutError] * sessions


@pytest.mark.parametrize("timeout", [60.0, 61.0, 300.0])
async def test_a_session_that_finishes_just_before_the_deadline(timeout: float) -> None:
    """The last poll finds it, because that comes shortly before the deadline."""
    [session_id] = FakeTransport(sessions=1).ids(1)
    share = Schedule(1.0).duration(session_id)
    fake = FakeTransport(sessions=1, finish_within=(timeout - 3) / share)
    async with RaydocsClient(fake.token, transport=fake) as client:
        session = await client.wait_for_session(session_id, timeout=timeout)
    assert session.is_finished


@pytest.mark.parametrize(("timeout", "interval"), [(1.0, 0.2), (2.1, 0.2), (3.9, 2.0)])
async def test_a_wait_shorter_than_a_slow_reply(timeout: float, interval: float) -> None:
    """A session that finishes at once is found by the second poll, however short the wait is."""
    [session_id] = FakeTransport(sessions=1).ids(1)
    fake = FakeTransport(sessions=1, finish_within=0.1 / Schedule(1.0).duration(session_id))
    async with RaydocsClient(fake.token, transport=fake) as client:
        session = await client.wait_for_session(session_id, timeout=timeout, interval=interval)
    assert session.is_finished
    assert len(fake.log) == 2


async def test_a_rate_limit_that_ends_a_wait() -> None:
    """If no further poll is possible before the deadline, the error comes at once and says why."""
    fake = FakeTransport(1, sessions=1, finish_within=1e6)
    async with RaydocsClient(fake.token, transport=fake) as client:
        with pytest.raises(WaitTimeoutError) as caught:
            await client.wait_for_session(fake.ids(1)[0], timeout=20)
    assert now() < 1
    assert caught.value.message == (
        "not finished within 20 s; the rate limit allows no further poll in this time"
    )


async def test_closing_the_client_ends_the_wait() -> None:
    """The wait ends at once, although no poll is under way, and says why."""
    fake = FakeTransport(sessions=1, finish_within=1e6)
    client = RaydocsClient(fake.token, transport=fake)
    waiting = asyncio.create_task(client.wait_for_session(fake.ids(1)[0]))
    await asyncio.sleep(100.5)
    begun = now()
    await client.close()
    with pytest.raises(ClientClosedError, match="closed between two polls"):
        await waiting
    assert now() == begun


async def test_errors_that_would_hit_every_id() -> None:
    """A 401 ends the stream, once."""
    fake = FakeTransport(sessions=9, finish_within=60.0)
    fake.script(*[Fault.status(401)] * 50)
    async with RaydocsClient(fake.token, transport=fake) as client:
        with pytest.raises(AuthenticationError):
            [outcome async for outcome in client.wait_for_sessions(fake.ids(9))]


async def test_single_calls_go_first() -> None:
    """An interactive call does not queue behind the polls."""
    fake = FakeTransport(sessions=300, finish_within=1200.0, latency=0.1)
    async with (
        RaydocsClient(fake.token, transport=fake, rate_limit=RateLimit(reserve=5)) as client,
        client.wait_for_sessions(fake.ids(300)) as stream,
    ):
        drain = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(30)  # the first window's bulk share is used up
        begun = now()
        await client.get_session(fake.ids(1)[0])
        assert now() - begun < 1
        drain.cancel()


async def test_its_progress() -> None:
    """The stream knows how many are finished, and no estimate."""
    fake = FakeTransport(sessions=10, finish_within=600.0)
    async with (
        RaydocsClient(fake.token, transport=fake) as client,
        client.wait_for_sessions(fake.ids(10)) as stream,
    ):
        await anext(stream)
        progress = stream.progress
    assert (progress.total, progress.done, progress.in_flight) == (10, 1, 9)
    assert progress.eta is None


@pytest.mark.parametrize("bad", [{"timeout": 0}, {"interval": 0}, {"interval": None}], ids=str)
async def test_a_wait_that_makes_no_sense(bad: dict[str, float]) -> None:
    """C18: refused at once."""
    client = RaydocsClient("a-token", transport=FakeTransport())
    with pytest.raises(ConfigurationError):
        client.wait_for_sessions([UNKNOWN], **bad)
