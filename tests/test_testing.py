"""The kit for users' own tests."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from raydocs_async import APIResponseValidationError, SessionStatus
from raydocs_async.sandbox._fake import FakeTransport as Home
from raydocs_async.testing import FakeTransport, build_session, build_session_json
from tests.support.clients import SESSION_ID

TESTS_OF_A_USER = """
import asyncio
import os

import pytest

from raydocs_async import NotFoundError, RaydocsClient
from raydocs_async.sandbox import Sandbox


async def fetch(session_id):
    async with RaydocsClient() as client:
        return await client.get_session(session_id)


def test_found(raydocs_sandbox: Sandbox):
    (session_id,) = raydocs_sandbox.ids(1)
    assert str(asyncio.run(fetch(session_id)).id) == session_id


def test_no_shared_limit(raydocs_sandbox: Sandbox):
    assert "RAYDOCS_SHARED_LIMIT" not in os.environ


def test_not_found(raydocs_sandbox: Sandbox):
    assert raydocs_sandbox.stats.requests == 0
    with pytest.raises(NotFoundError):
        asyncio.run(fetch("770e8400-e29b-41d4-a716-446655440000"))
"""


def test_the_fixture(tmp_path: Path) -> None:
    """A user's own suite gets a fresh sandbox for each test, found by the environment."""
    (tmp_path / "pytest.ini").touch()  # or this project's own would be found
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["raydocs_async.testing"]\n')
    (tmp_path / "test_theirs.py").write_text(TESTS_OF_A_USER)
    command = [sys.executable, "-m", "pytest", "-q"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    alone["RAYDOCS_SHARED_LIMIT"] = str(tmp_path / "limit")
    done = subprocess.run(
        command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


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
    """A built session depends on nothing but the arguments."""
    assert build_session(SESSION_ID, data=[1]) == build_session(UUID(SESSION_ID), data=[1])


def test_a_change_that_does_not_fit() -> None:
    """A session that the service could not send is refused as if it had."""
    with pytest.raises(APIResponseValidationError, match=r"\$\.results is an integer"):
        build_session(results=3)


def test_the_fake_is_the_sandboxs_own() -> None:
    """The kit has the fake transport that the sandbox defines."""
    assert FakeTransport is Home


def test_what_is_built_can_be_put() -> None:
    """A fake serves a session that was built for it."""
    fake, session = FakeTransport(), build_session_json(SESSION_ID, name="Mine")
    fake.put(session)
    assert fake.session(SESSION_ID) == session
