"""The store in Redis: real servers, over real sockets."""

import asyncio
import sys
from functools import partial
from pathlib import Path

import attrs
import pytest

from raydocs_async._headers import Passed
from raydocs_async._limits._claim import Grant, Report
from raydocs_async._limits._clocks import Offset
from raydocs_async._limits._ledger import LEASE
from raydocs_async._limits._redis import LIFETIME
from raydocs_async._limits._values import Ticket
from tests.support import redis_servers
from tests.support.loops import now
from tests.support.peers import JOIN, KEY, Peer, claim, peers
from tests.support.redis_servers import RedisServer, redis_server, tls_server
from tests.support.windows import says

pytestmark = [
    pytest.mark.usefixtures("no_task_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="the server does not run there"),
]


@pytest.mark.every_loop
async def test_the_record_is_shared(server: RedisServer) -> None:
    """A second process finds the probe of the first one, and waits for its reply."""
    async with peers(server.url, 2) as (first, second):
        assert (await first.grant()).single == 1
        grant = await second.grant(attrs.evolve(JOIN, owner="b"))
    assert (grant.single, grant.processes) == (0, 2)


async def test_tls(tmp_path: Path) -> None:
    """Processes that trust the server's authority share the record by TLS."""
    with tls_server(tmp_path) as url:
        async with peers(f"{url}&ssl_ca_certs={tmp_path}/ca.pem", 2) as (first, second):
            assert (await first.grant()).single == 1
            assert (await second.grant(attrs.evolve(JOIN, owner="b"))).processes == 2


async def test_tls_of_a_stranger(tmp_path: Path) -> None:
    """A server whose authority is not trusted is no store, and the reason says so."""
    with tls_server(tmp_path) as url:
        async with peers(url) as (peer,):
            assert "certificate" in await peer.refusal()


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
        # It ends before its first step, so it leaves no half-open connection.
        peer.store.submit(claim("a"), now(), lambda *answer: pytest.fail("it was cancelled"))

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


async def test_a_clock_that_was_set_back_begins_anew(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record of the future would keep all waiting until then."""
    async with peers(server.url, 2) as (first, second):
        with monkeypatch.context() as patch:
            patch.setattr(Offset, "learn", lambda self, *times: setattr(self, "seconds", 1e10))
            await first.grant()
        assert (await second.grant(attrs.evolve(JOIN, owner="b"))).processes == 1


def test_a_missing_server_is_no_reason_to_skip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the server is not installed, these tests fail, and say what to install."""
    monkeypatch.setattr(redis_servers, "SERVER", "no-such-server")
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        RedisServer(tmp_path)
