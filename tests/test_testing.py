"""What users' own tests are given."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    NotFoundError,
    RaydocsClient,
    RetryPolicy,
    SessionStatus,
)
from raydocs_async.sandbox import Fault
from raydocs_async.testing import FakeTransport, build_session, build_session_json
from tests.support.clients import ONCE, SESSION_ID

virtual = pytest.mark.looptime

TESTS_OF_A_USER = """
import asyncio

import pytest

from raydocs_async import NotFoundError, RaydocsClient
from raydocs_async.sandbox import Sandbox


async def fetch(session_id):
    async with RaydocsClient() as client:
        return await client.get_session(session_id)


def test_found(raydocs_sandbox: Sandbox):
    (session_id,) = raydocs_sandbox.ids(1)
    assert str(asyncio.run(fetch(session_id)).id) == session_id


def test_not_found(raydocs_sandbox: Sandbox):
    assert raydocs_sandbox.stats.requests == 0
    with pytest.raises(NotFoundError):
        asyncio.run(fetch("770e8400-e29b-41d4-a716-446655440000"))
"""


def fake_client(fake: FakeTransport, **options: object) -> RaydocsClient:
    """A client on `fake`."""
    return RaydocsClient(fake.token, transport=fake, **options)  # type: ignore[arg-type]


def test_the_fixture(tmp_path: Path) -> None:
    """A user's own suite gets a fresh sandbox for each test, found by the environment."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["raydocs_async.testing"]\n')
    (tmp_path / "test_theirs.py").write_text(TESTS_OF_A_USER)
    command = [sys.executable, "-m", "pytest", "-q"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


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


def test_built_sessions_have_what_was_asked_for() -> None:
    """Data makes results, and a keyword makes, or replaces, a top-level key."""
    built = build_session(SESSION_ID, data=[{"total": 12}, [1]], status="processing", novel=1)
    assert [result.data for result in built.results] == [{"total": 12}, [1]]
    assert built.status is SessionStatus.PROCESSING
    assert built.id == UUID(SESSION_ID)
    assert built.extra == {"novel": 1}


def test_built_sessions_are_new_ones() -> None:
    """Without an id, each has its own, and two results."""
    one, other = build_session(), build_session()
    assert one.id != other.id
    assert len(one.results) == 2


def test_the_same_id_is_the_same_session() -> None:
    """What is built depends on nothing but its arguments."""
    assert build_session(SESSION_ID, data=[1]) == build_session(UUID(SESSION_ID), data=[1])


def test_a_change_that_does_not_fit() -> None:
    """A session that the service could not send is refused as if it had."""
    with pytest.raises(APIResponseValidationError, match=r"\$\.results is an integer"):
        build_session(results=3)
