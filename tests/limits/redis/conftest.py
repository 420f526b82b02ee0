"""Fixtures for the tests of the store in Redis."""

from collections.abc import Iterator

import pytest

from raydocs_async._limits import _redis
from tests.support.redis_servers import RedisServer, redis_server


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    """Run a server for all tests of this module."""
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    """Return the server, empty."""
    with running.admin() as redis:
        redis.flushall()
    return running


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a machine that is busy with other tests take its time."""
    monkeypatch.setattr(_redis, "TIMEOUT", 10.0)
    monkeypatch.setattr(_redis, "SLOW", 5.0)
