"""A store in Redis that cannot be used: no server, a slow or full one, another key, a password."""

import sys
from pathlib import Path

import pytest

from raydocs_async._limits import _redis
from raydocs_async._limits._redis import SLOW, SLOW_TRIPS
from tests.support.peers import KEY, claim, peers
from tests.support.redis_servers import RedisServer, redis_server, slow_way

pytestmark = [
    pytest.mark.usefixtures("no_task_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="the server does not run there"),
]


async def test_no_server(tmp_path: Path) -> None:
    """The reason names the server."""
    async with peers(f"unix://{tmp_path}/missing") as (peer,):
        assert f"{tmp_path}/missing" in await peer.refusal()


@pytest.mark.parametrize("server", ["rediss://127.0.0.1:1", "unix:///missing"])
async def test_an_option_that_the_library_refuses(server: str) -> None:
    """An unknown option makes the claim fail with its name, and nothing else."""
    async with peers(f"{server}?ssl_nonsense=1") as (peer,):
        assert "ssl_nonsense" in await peer.refusal()


async def test_a_server_that_is_silent(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts a connection and says nothing is not waited for."""
    monkeypatch.setattr(_redis, "TIMEOUT", 0.05)
    async with slow_way(server, 60) as way, peers(way.url) as (peer,):
        assert await peer.refusal() == f"{way.url}: no answer within 0.05 seconds"


async def test_a_slow_server_is_not_joined(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes too long for a round trip is no help; the record stays as it was."""
    monkeypatch.setattr(_redis, "SLOW", SLOW)
    async with slow_way(server, 0.1) as way, peers(way.url) as (peer,):
        assert await peer.refusal() == f"{way.url}: it takes longer than 75 ms to answer"
    with server.admin() as redis:
        assert redis.keys() == []


async def test_a_server_that_becomes_slow_is_left(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single slow answer may be due to a busy process; several in a row are the server's."""
    async with slow_way(server, 0) as way, peers(way.url) as (peer,):
        await peer.grant()
        monkeypatch.setattr(_redis, "SLOW", SLOW)
        way.delay = 0.1
        for _ in range(SLOW_TRIPS):
            await peer.grant(claim("a"))
        assert "longer than 75 ms" in await peer.refusal(claim("a"))


async def test_a_full_server(server: RedisServer) -> None:
    """A server without memory for the record says so."""
    async with peers(server.url) as (peer,):
        with server.admin() as redis:
            redis.config_set("maxmemory", 1)
            try:
                assert "maxmemory" in await peer.refusal()
            finally:
                redis.config_set("maxmemory", 0)
        assert (await peer.grant()).single == 1


async def test_a_key_of_another_type(server: RedisServer) -> None:
    """A key that holds a list is named, and left alone."""
    with server.admin() as redis:
        redis.lpush(KEY, "the only copy")
        async with peers(server.url) as (peer,):
            assert "WRONGTYPE" in await peer.refusal()
        assert redis.lrange(KEY, 0, -1) == [b"the only copy"]


@pytest.mark.parametrize("value", [b"the only copy", b"raydocs limit 1\n and something else"])
async def test_a_key_with_something_else(server: RedisServer, value: bytes) -> None:
    """A value that is no record is named, and left alone."""
    with server.admin() as redis:
        redis.set(KEY, value)
        async with peers(server.url) as (peer,):
            assert server.socket in await peer.refusal()
        assert redis.get(KEY) == value


async def test_passwords() -> None:
    """A password is sent, and a refused one is not shown."""
    with redis_server(password="hunter2") as server:
        async with peers(server.url) as (peer,):
            assert (await peer.grant()).single == 1
        async with peers(server.url.replace("hunter2", "swordfish")) as (peer,):
            refusal = await peer.refusal()
        assert "swordfish" not in f"{refusal} {peer.store.name}"
        assert "invalid username-password pair" in refusal
