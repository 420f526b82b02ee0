"""The running sandbox's faults: scripted or random replies, cuts, resets and stalls."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from raydocs_async.sandbox import Chaos, Fault, Sandbox
from tests.support.clients import UNKNOWN
from tests.support.plain_http import Connect, exchange, get, statuses


@pytest.mark.looptime
async def test_fault_latency(connect: Connect) -> None:
    """A late reply comes later by the scripted seconds, and is correct."""
    async with Sandbox() as api:
        http = connect(api)
        api.script(Fault.latency(20))
        start = asyncio.get_running_loop().time()
        assert await statuses(http, *api.ids(1)) == [200]
        assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.5)


async def test_script(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Scripted faults hit the next requests, or those for one session."""
    first, second = api.ids(2)
    api.script(Fault.status(500), Fault.status(503, retry_after="2"))
    api.script_for(second, Fault.status(502))
    assert await statuses(http, first, second, first, first) == [500, 502, 503, 200]


async def test_a_script_can_be_cleared(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """`clear_script` removes the faults that have not hit yet, for one session and for all."""
    first, second = api.ids(2)
    api.script(Fault.status(500))
    api.script_for(second, Fault.status(502))
    api.clear_script()
    assert await statuses(http, first, second) == [200, 200]


async def test_chaos(connect: Connect) -> None:
    """Random faults hit some of the requests."""
    async with Sandbox(chaos=Chaos(0.5, (Fault.status(500),), seed=1)) as api:
        seen = Counter(await statuses(connect(api), *api.ids(50)))
    assert seen[200] + seen[500] == 50
    assert seen[500] == api.stats.faults > 10


@pytest.mark.parametrize("status", [204, 304, 418, 600, 999])
async def test_odd_status(api: Sandbox, http: aiohttp.ClientSession, status: int) -> None:
    """An unexpected status, or one without a body, is sent as scripted."""
    api.script(Fault.status(status))
    assert await statuses(http, UNKNOWN, *api.ids(1)) == [status, 200]


async def test_scripted_body(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A scripted body arrives byte for byte."""
    api.script(Fault.body(b"\xff<html>", content_type="text/html"))
    async with http.get(UNKNOWN) as response:
        assert await response.read() == b"\xff<html>"
        assert response.content_type == "text/html"


async def test_cut(api: Sandbox) -> None:
    """A cut reply promises the whole body, and ends after half of it."""
    api.script(Fault.cut())
    (session_id,) = api.ids(1)
    whole = await asyncio.wait_for(exchange(api, session_id), 5)
    head, _, body = whole.partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"X-RateLimit-Remaining: 99" in head
    assert len(body) == promised // 2


async def test_reset(api: Sandbox) -> None:
    """A reset connection is a RST before any byte, not a FIN."""
    api.script(Fault.reset())
    with pytest.raises(ConnectionResetError):
        await exchange(api, UNKNOWN)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until the condition holds."""
    while not condition():  # noqa: ASYNC110 - what it waits for has no event
        await asyncio.sleep(0.001)


async def test_stall_ends_with_the_client(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A stalled request ends as soon as its client has gone."""
    api.script(Fault.stall())
    request = asyncio.create_task(get(http, UNKNOWN))
    await until(lambda: api.stats.faults)
    assert not api.log
    request.cancel()
    await until(lambda: api.log)
    assert api.log[0].status is None
    assert not api.stats.statuses


@pytest.mark.looptime
async def test_close_ends_a_stall(connect: Connect) -> None:
    """Closing breaks the connections of stalled and late requests at once."""
    loop = asyncio.get_running_loop()
    async with Sandbox() as api:
        http = connect(api)
        api.script(Fault.stall(), Fault.latency(60))
        requests = [asyncio.create_task(get(http, id_)) for id_ in api.ids(2)]
        await until(lambda: api.stats.faults == 2)
        start = loop.time()
    assert loop.time() - start < 0.01
    results = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results)


async def test_close_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """After closing there is no task, and no warning in the log."""
    caplog.set_level(logging.WARNING)
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no complaint
    tasks = asyncio.all_tasks()
    faults = (Fault.stall(), Fault.cut(), Fault.reset(), Fault.latency(60))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Sandbox())
        api.script(*faults)
        clients = [asyncio.create_task(exchange(api, id_)) for id_ in api.ids(len(faults) + 1)]
        await until(lambda: api.stats.requests == len(clients))
    assert asyncio.all_tasks() - set(clients) == tasks
    await asyncio.gather(*clients, return_exceptions=True)
    assert not caplog.records
