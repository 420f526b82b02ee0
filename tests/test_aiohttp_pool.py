"""The pool of connections: dropped as a whole once one of them is distrusted."""

import asyncio
from collections.abc import Callable

import aiohttp
import pytest
from attrs import evolve

from raydocs_async._aiohttp import AiohttpTransport
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._secret import Secret
from tests.support.clients import GET, transport_for, until
from tests.support.network import black_hole
from tests.support.replies import good
from tests.support.transports import GOOD, failure_of, open_transport, response_of
from tests.support.wire import Answer, End, Received, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_ten_stale_connections_are_dropped_together() -> None:
    """N12: one stale connection drops the nine others; the next request uses a new one."""
    gate = asyncio.Event()
    first = [(gate, GOOD)] * 10
    async with (
        WireServer(*first, (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        sends = [asyncio.create_task(transport.send(GET)) for _ in range(10)]
        await until(lambda: len(server.requests) == 10)
        gate.set()
        await asyncio.gather(*sends)
        assert (await failure_of(transport)).kind is FailureKind.DISCONNECT
        await response_of(transport)
        await until(lambda: server.open_connections == 1)
    assert server.requests[-1].connection == 11


async def pooled_and_silent(
    server: WireServer, transport: AiohttpTransport, gate: asyncio.Event
) -> None:
    """Put three connections into the pool that have answered once and will not answer again."""
    sends = [asyncio.create_task(transport.send(GET)) for _ in range(3)]
    await until(lambda: len(server.requests) == 3)
    gate.set()
    await asyncio.gather(*sends)


def silent_when_pooled(gate: asyncio.Event) -> Callable[[Received], Answer]:
    """Return answers for which connections 1 to 3 answer once, and later ones always."""
    used: set[int] = set()

    def answer(received: Received) -> Answer:
        if received.connection in used and received.connection <= 3:
            return (End.HANG,)
        used.add(received.connection)
        return (gate, GOOD)

    return answer


@pytest.mark.looptime
async def test_silent_connections_are_dropped_together() -> None:
    """N12: after a pooled connection that did not answer in time, the next one is new."""
    gate = asyncio.Event()
    async with (
        WireServer(silent_when_pooled(gate)) as server,
        open_transport(server.url) as transport,
    ):
        await pooled_and_silent(server, transport, gate)
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
        await response_of(transport)
    assert server.requests[-1].connection == 4


@pytest.mark.looptime
@pytest.mark.parametrize(("waits", "is_fresh"), [(2.0, True), (0.5, False)])
async def test_a_caller_who_gives_up_on_silence(waits: float, is_fresh: bool) -> None:
    """N12: if the caller gives up after a long silence, the next connection is new."""
    gate = asyncio.Event()
    async with (
        WireServer(silent_when_pooled(gate)) as server,
        open_transport(server.url) as transport,
    ):
        await pooled_and_silent(server, transport, gate)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(waits):
                await transport.send(GET)
        await transport.send(GET)
    assert (server.requests[-1].connection == 4) is is_fresh


@pytest.mark.looptime
async def test_a_time_out_ends_no_other_exchange() -> None:
    """An exchange in flight on a distrusted pool is left to finish."""
    gate = asyncio.Event()
    async with (
        WireServer((End.HANG,), (gate, GOOD), GOOD) as server,
        open_transport(server.url) as transport,
    ):
        silent = asyncio.create_task(transport.send(GET))
        await asyncio.sleep(4)
        slow = asyncio.create_task(transport.send(GET))
        assert isinstance(await silent, Failure)
        await response_of(transport)
        gate.set()
        assert isinstance(await slow, Response)


@pytest.mark.looptime
async def test_a_connection_that_cannot_be_made_leaves_the_pool() -> None:
    """N3: a connect that takes too long leaves the pool in use."""
    with black_hole() as url:
        async with open_transport(url, attempt_timeout=60.0) as transport:
            failure, pool = await failure_of(transport), transport._pool
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, False)
    assert pool is not None


async def test_a_retired_pool_closes_after_its_last_exchange() -> None:
    """A retired pool finishes its exchanges in flight, then closes."""
    gate = asyncio.Event()
    half = (GOOD[:-9], gate, GOOD[-9:])
    async with (
        WireServer(half, (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        assert server.open_connections == 2
        gate.set()
        outcome = await slow
        await until(lambda: server.open_connections == 1)
    assert isinstance(outcome, Response)
    assert server.requests[-1].connection == 3


async def test_a_retired_pool_has_no_idle_connections() -> None:
    """E2: a retired pool with a slow exchange keeps that connection open, and no idle ones."""
    first, second, end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    answers = (end, GOOD), (first, GOOD), (first, GOOD), (second, GOOD), (End.CLOSE,)
    async with WireServer(*answers) as server, open_transport(server.url) as transport:
        sends: list[asyncio.Task[Response | Failure]] = []
        while len(sends) < 4:  # each gets the answer that is its turn's
            sends.append(asyncio.create_task(transport.send(GET)))
            await until(lambda: len(server.requests) == len(sends))
        first.set()
        await asyncio.wait(sends[1:3])
        await failure_of(transport)
        await until(lambda: server.open_connections == 2)
        second.set()
        await sends[3]
        await until(lambda: server.open_connections == 1)
        end.set()
        assert isinstance(await sends[0], Response)


async def test_two_failures_retire_one_pool_once() -> None:
    """A failure on a retired pool leaves the new pool in use."""
    gate = asyncio.Event()
    async with (
        WireServer((gate, End.CLOSE), (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        gate.set()
        await slow
        await response_of(transport)
    assert [each.connection for each in server.requests] == [1, 2, 3, 3]


async def test_closing_closes_retired_pools_too() -> None:
    """`close` closes the connections of retired pools, too."""
    gate = asyncio.Event()
    async with WireServer((gate, GOOD), (End.CLOSE,), good) as server:
        transport = transport_for(server.url)
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        await transport.close()
        gate.set()
        await slow
        await until(lambda: server.open_connections == 0)


async def test_a_distrusted_reply_drops_its_connection() -> None:
    """H19: after `distrust`, no idle connection is used again."""
    async with WireServer(good) as server, open_transport(server.url) as transport:
        await (await response_of(transport)).distrust()
        await response_of(transport)
    assert [each.connection for each in server.requests] == [1, 2]


async def test_a_distrusted_reply_drops_its_borrowed_connection() -> None:
    """H19: in a borrowed session, the connection of a distrusted reply is used up and closed."""
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        await (await response_of(transport)).distrust()
        await response_of(transport)
        await response_of(transport)
    assert [each.headers.get("connection") for each in server.requests] == [None, "close", "close"]


class Nowhere:
    """A sink that keeps nothing."""

    async def begin(self, length: int | None, media_type: str, *, is_delimited: bool) -> None:
        """Begin."""

    async def write(self, piece: bytes) -> None:
        """Drop the piece."""


async def test_a_storage_does_not_stand_in_for_a_distrusted_connection() -> None:
    """Only requests to the API close its distrusted connections, not those to a storage."""
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session, max_connections=2) as transport,
    ):
        await (await response_of(transport)).distrust()
        export = evolve(GET, sink=Nowhere())
        for request in (evolve(export, url=Secret(f"{server.url}/file")), export, GET, GET):
            assert isinstance(await transport.send(request), Response)
    closing = [each.headers.get("connection") for each in server.requests]
    assert closing == [None, None, "close", "close", None]
