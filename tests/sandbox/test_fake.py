"""The sandbox as a transport, without sockets and in virtual time."""

import asyncio
from uuid import uuid4

import pytest

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    NotFoundError,
    RaydocsClient,
    RetryPolicy,
)
from raydocs_async.sandbox import Fault
from raydocs_async.sandbox._fake import FakeTransport
from raydocs_async.testing import build_session_json
from tests.support.clients import ONCE, SESSION_ID

virtual = pytest.mark.looptime


def fake_client(fake: FakeTransport, **options: object) -> RaydocsClient:
    """A client on `fake`."""
    return RaydocsClient(fake.token, transport=fake, **options)  # type: ignore[arg-type]


async def test_a_session_without_a_socket() -> None:
    """The fake has the sandbox's sessions, and what was put there."""
    fake = FakeTransport()
    fake.put(build_session_json(SESSION_ID, name="Mine"))
    async with fake_client(fake) as client:
        assert (await client.get_session(SESSION_ID)).name == "Mine"
        assert (await client.get_session(fake.ids(1)[0])).name.startswith("Invoices")
    assert fake.stats.statuses == {200: 2}


async def test_an_unknown_session() -> None:
    """As at the service, it is a 404."""
    async with fake_client(FakeTransport()) as client:
        with pytest.raises(NotFoundError):
            await client.get_session(uuid4())


@virtual
@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        pytest.param(Fault.status(401), AuthenticationError, 0, id="a status"),
        pytest.param(Fault.cut(), APIConnectionError, 0, id="a cut"),
        pytest.param(Fault.reset(), APIConnectionError, 0, id="a reset"),
        pytest.param(Fault.stall(), APITimeoutError, 60, id="a stall"),
        pytest.param(Fault.body(b"[]"), APIResponseValidationError, 0, id="a body"),
    ],
)
async def test_faults(fault: Fault, error: type[Exception], seconds: float) -> None:
    """What is scripted happens, as it does on a socket."""
    fake = FakeTransport()
    fake.script(fault)
    started = asyncio.get_running_loop().time()
    async with fake_client(fake, retry=ONCE) as client:
        with pytest.raises(error):
            await client.get_session(fake.ids(1)[0])
    assert asyncio.get_running_loop().time() - started == pytest.approx(seconds)
    assert fake.stats.faults == 1


@virtual
async def test_the_throttle_and_the_clock() -> None:
    """The limit is the sandbox's, and a virtual clock brings the next window."""
    fake = FakeTransport(limit=2, window=60)
    started = asyncio.get_running_loop().time()
    async with fake_client(fake) as client:
        await client.get_sessions(fake.ids(5))
    assert asyncio.get_running_loop().time() - started == pytest.approx(120, abs=2)
    assert fake.stats.throttled == 0


@virtual
async def test_latency() -> None:
    """Each reply takes as long as it is told to, and longer by its fault."""
    fake = FakeTransport(latency=3)
    fake.script(Fault.latency(4))
    started = asyncio.get_running_loop().time()
    async with fake_client(fake) as client:
        await client.get_session(fake.ids(1)[0])
    assert asyncio.get_running_loop().time() - started == pytest.approx(7)


@virtual
async def test_an_answer_about_another_session() -> None:
    """It is not taken for the one that was asked for."""
    fake = FakeTransport()
    asked, other = fake.ids(2)
    fake.script(*[Fault.status(200, body=fake.session(other))] * 2)
    async with fake_client(fake, retry=RetryPolicy(attempts=2)) as client:
        with pytest.raises(APIConnectionError, match="another session"):
            await client.get_session(asked)


def test_one_fake_for_several_event_loops() -> None:
    """A fake can be a module's, while each test has a loop of its own."""
    fake = FakeTransport()

    async def fetch() -> None:
        async with fake_client(fake) as client:
            await client.get_session(fake.ids(1)[0])

    asyncio.run(fetch())
    asyncio.run(fetch())
    assert fake.stats.statuses[200] == 2
