"""The store in Redis: real servers, over real sockets."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest

from raydocs_async._headers import Passed
from raydocs_async._limits import _address, _redis
from raydocs_async._limits._claim import Claim, Configuration, Grant, Report
from raydocs_async._limits._clocks import Offset
from raydocs_async._limits._ledger import LEASE
from raydocs_async._limits._redis import LIFETIME, SLOW_TRIPS, RedisStore
from raydocs_async._limits._store import StoreError
from raydocs_async._limits._values import Ticket
from tests.support import redis_servers
from tests.support.loops import now
from tests.support.redis_servers import RedisServer, redis_server, slow_way
from tests.support.windows import says

pytestmark = [
    pytest.mark.usefixtures("no_task_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="the server does not run there"),
]

JOIN = Claim(owner="a", single=1, joins=Configuration(100, 60.0))
KEY = "raydocs-async:{office}:limit"


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


@attrs.define
class Peer:
    """A process, and its claims."""

    url: str
    wakes: int = 0
    """Answers so far."""
    store: RedisStore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        address = _address.parse(self.url)
        assert address is not None
        self.store = RedisStore(address, self.wake)

    def wake(self) -> None:
        """Count an answer."""
        self.wakes += 1

    async def answer(self, claim: Claim) -> tuple[Claim, Grant | StoreError | None]:
        """Settle a claim, and wait for its answer."""
        answers: list[tuple[Claim, Grant | StoreError | None]] = []
        before = self.wakes
        self.store.submit(claim, now(), lambda claim, grant, at: answers.append((claim, grant)))
        assert self.store.pending
        await self.store.wait()
        assert self.wakes == before + 1
        (answer,) = answers
        return answer

    async def grant(self, claim: Claim = JOIN) -> Grant:
        """Settle a claim that must succeed."""
        _, grant = await self.answer(claim)
        assert isinstance(grant, Grant), grant
        return grant

    async def refusal(self, claim: Claim = JOIN) -> str:
        """Return why a claim has failed."""
        _, error = await self.answer(claim)
        assert isinstance(error, StoreError)
        return str(error)


@asynccontextmanager
async def peers(url: str, count: int = 1) -> AsyncIterator[list[Peer]]:
    """Return processes at a server, and close their connections afterwards."""
    made = [Peer(url) for _ in range(count)]
    yield made
    for each in made:
        await each.store.close()


def claim(owner: str, **values: object) -> Claim:
    """Return the claim of a process that has joined."""
    return attrs.evolve(JOIN, owner=owner, joins=None, **values)  # type: ignore[arg-type]


@pytest.mark.every_loop
async def test_the_record_is_shared(server: RedisServer) -> None:
    """A second process finds the probe of the first one, and waits for its reply."""
    async with peers(server.url, 2) as (first, second):
        assert (await first.grant()).single == 1
        grant = await second.grant(attrs.evolve(JOIN, owner="b"))
    assert (grant.single, grant.processes) == (0, 2)


async def test_times_are_those_of_the_event_loop(server: RedisServer) -> None:
    """Grants and the window come back in the caller's seconds, and a little late at most."""
    async with peers(server.url, 2) as (first, second):
        began = now()
        grant = await first.grant()
        assert began <= grant.tracker.window.probed_at <= now()
        assert began + LEASE <= grant.expires_at <= now() + LEASE
        ticket, at = Ticket(now()), now() + 0.01
        report = Report(ticket=ticket, observation=Passed(says(99)), at=at, pause=float)
        await first.grant(claim("a", reports=(report,)))
        ends = (await second.grant(attrs.evolve(JOIN, owner="b"))).tracker.window.ends
        assert ends.low == pytest.approx(ticket.sent_at + 60, abs=0.05)
        assert ends.high == pytest.approx(at + 60, abs=0.05)


async def test_claims_at_the_same_time_are_settled_one_after_another(server: RedisServer) -> None:
    """Eight processes that claim at once get each hit of the window once."""
    async with peers(server.url, 8) as made:
        report = partial(Report, observation=Passed(says(99)), pause=float)
        await made[0].grant()
        await made[0].grant(claim("0", single=0, reports=(report(ticket=Ticket(now()), at=now()),)))
        joins = [attrs.evolve(JOIN, owner=str(number), single=0) for number in range(8)]
        await asyncio.gather(*(each.grant(join) for each, join in zip(made, joins, strict=True)))
        hits = 0
        for turn in range(1, 4):
            claims = [claim(str(number), single=5, in_flight=5 * turn - 5) for number in range(8)]
            grants = await asyncio.gather(*map(Peer.grant, made, claims))
            hits += sum(grant.hits for grant in grants)
        assert hits == 98


async def test_a_look_changes_nothing(server: RedisServer) -> None:
    """A look returns what a claim would get, and leaves the value as it is."""
    async with peers(server.url, 2) as (first, second):
        await first.grant()
        with server.admin() as redis:
            before = redis.get(KEY)
            looked, grant = await second.answer(claim("b", looks=True))
            assert redis.get(KEY) == before
    assert looked.looks
    assert isinstance(grant, Grant)
    assert grant.hits == 0


async def test_a_look_that_finds_hits_takes_them(server: RedisServer) -> None:
    """A look that finds hits is a claim, and says so."""
    async with peers(server.url, 1) as (peer,):
        looked, grant = await peer.answer(claim("a", looks=True))
        assert not looked.looks
        assert isinstance(grant, Grant)
        assert grant.hits == 1
        assert (await peer.grant(claim("b"))).processes == 2


async def test_the_key_has_a_hash_tag_and_expires(server: RedisServer) -> None:
    """In a cluster the key is in one slot; a record that nobody uses goes away."""
    async with peers(server.url) as (peer,):
        await peer.grant()
        with server.admin() as redis:
            assert redis.keys() == [KEY.encode()]
            assert 0 < redis.ttl(KEY) <= LIFETIME


async def test_a_client_has_one_connection(server: RedisServer) -> None:
    """Claims go one after another over one connection, and closing closes it."""
    async with peers(server.url) as (peer,):
        before = server.connections()
        await peer.grant()
        await peer.grant(claim("a"))
        assert server.connections() == before + 2
        await peer.store.close()
        assert (await peer.grant(claim("a"))).processes == 1
        assert server.connections() == before + 4


async def test_closing_waits_for_the_claim_on_its_way(server: RedisServer) -> None:
    """A claim that was submitted reaches the server before the connection is closed."""
    async with peers(server.url) as (peer,):
        peer.store.submit(JOIN, now(), lambda *answer: None)
        await peer.store.close()
        assert peer.wakes
    with server.admin() as redis:
        assert redis.exists(KEY)


def test_another_event_loop_has_another_connection(server: RedisServer) -> None:
    """A claim that a closed event loop has left on its way is not waited for."""
    peer = Peer(server.url)

    async def leave_a_claim() -> None:
        await peer.grant()
        await peer.store.close()
        peer.store.submit(claim("a"), now(), lambda *answer: pytest.fail("it was cancelled"))
        await asyncio.sleep(0)

    async def settle() -> None:
        await peer.grant(claim("a"))
        await peer.store.close()

    asyncio.run(leave_a_claim())
    assert not peer.store.pending
    assert peer.wakes == 1
    asyncio.run(settle())
    assert peer.wakes == 2


async def test_a_server_that_lost_its_scripts_gets_them_again(server: RedisServer) -> None:
    """A server forgets scripts when it restarts."""
    async with peers(server.url) as (peer,):
        await peer.grant()
        with server.admin() as redis:
            redis.script_flush()
        assert (await peer.grant(claim("b"))).processes == 2


async def test_a_server_that_restarts_empty_begins_anew() -> None:
    """The connection is lost with the server; the next claim finds an empty one."""
    with redis_server() as server:
        async with peers(server.url) as (peer,):
            await peer.grant()
            server.kill()
            assert server.socket in await peer.refusal(claim("b"))
            server.start()
            assert (await peer.grant(attrs.evolve(JOIN, owner="b"))).processes == 1


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
    monkeypatch.setattr(_redis, "TIMEOUT", 5.0)
    async with slow_way(server, 0.1) as way, peers(way.url) as (peer,):
        assert await peer.refusal() == f"{way.url}: it takes longer than 75 ms to answer"
    with server.admin() as redis:
        assert redis.keys() == []


async def test_a_server_that_becomes_slow_is_left(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single slow answer may be due to a busy process; several in a row are the server's."""
    monkeypatch.setattr(_redis, "TIMEOUT", 5.0)
    async with slow_way(server, 0) as way, peers(way.url) as (peer,):
        await peer.grant()
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


async def test_a_clock_that_was_set_back_begins_anew(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of the future would keep all waiting until then."""
    async with peers(server.url, 2) as (first, second):
        with monkeypatch.context() as patch:
            patch.setattr(Offset, "learn", lambda self, *times: setattr(self, "seconds", 1e10))
            await first.grant()
        assert (await second.grant(attrs.evolve(JOIN, owner="b"))).processes == 1


async def test_passwords() -> None:
    """A password is sent, and a refused one is not shown."""
    with redis_server(password="hunter2") as server:
        async with peers(server.url) as (peer,):
            assert (await peer.grant()).single == 1
        async with peers(server.url.replace("hunter2", "swordfish")) as (peer,):
            refusal = await peer.refusal()
        assert "swordfish" not in f"{refusal} {peer.store.name}"
        assert "invalid username-password pair" in refusal


def test_a_missing_server_is_no_reason_to_skip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the server is not installed, these tests fail, and say what to install."""
    monkeypatch.setattr(redis_servers, "SERVER", "no-such-server")
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        RedisServer(tmp_path)
