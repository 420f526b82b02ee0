"""Too much of everything: calls, connections, bytes, and one loop that has to turn meanwhile."""

import asyncio
import gc
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from raydocs_async import APIConnectionError, RateLimit
from tests.support.clients import SESSION_ID, client_for, until
from tests.support.replies import GZIP, bomb, good, reply, session_json
from tests.support.wire import End, Received, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]

KIB, MIB = 2**10, 2**20


@pytest.fixture
async def quiet_loop() -> None:
    """Debug mode, which keeps a traceback of each task, is off."""
    asyncio.get_running_loop().set_debug(False)


def open_files() -> int:
    """How many this process has."""
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.looptime  # or a second probe goes out while they are made
@pytest.mark.usefixtures("quiet_loop")
async def test_pending_calls_cost_little() -> None:
    """E1: a call that waits costs some kilobytes, and no file but those of the requests sent."""
    waiting, files = 2000, open_files()
    most = 6 * KIB if sys.gettrace() is None else 8 * KIB  # a tracer keeps something of each frame
    async with (
        WireServer((End.HANG,)) as server,
        client_for(server.url, rate_limit=RateLimit(requests=1), timeout=None) as client,
    ):
        tracemalloc.start()
        try:
            calls = [asyncio.create_task(client.get_session(SESSION_ID)) for _ in range(waiting)]
            await until(lambda: client.rate_limit_status.waiting == waiting - 1)
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert used / waiting < most
        assert open_files() - files < 10
        await client.close()
        await asyncio.gather(*calls, return_exceptions=True)


FEW_FILES = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from raydocs_async import RaydocsClient

async def main():
    async with RaydocsClient("token", base_url=sys.argv[1], rate_limit=None) as client:
        await client.get_session(sys.argv[2])
        await asyncio.gather(*(client.get_session(sys.argv[2]) for _ in range(300)))

{run}
"""


async def test_few_file_descriptors_are_enough(request: pytest.FixtureRequest) -> None:
    """E2: with 64 file descriptors in all, three hundred calls at a time succeed."""
    uvloop = "uvloop" in request.node.name
    run = "import uvloop; uvloop.run(main())" if uvloop else "asyncio.run(main())"
    async with WireServer(good) as server:
        script = FEW_FILES.format(run=run)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script, server.url, SESSION_ID), stderr=asyncio.subprocess.PIPE
        )
        _, complaints = await child.communicate()
    assert (child.returncode, complaints.decode()) == (0, "")
    assert len(server.requests) == 301
    assert server.connections <= 32


@pytest.mark.usefixtures("quiet_loop")
async def test_large_bodies_are_held_one_a_worker() -> None:
    """E3: of many bodies of 6 MB, no more are in memory than are asked for at a time."""
    large = "x" * 6 * MIB

    def answer(received: Received) -> bytes:
        return reply(session_json(received.session_id, settings={"a": large}))

    ids = [f"770e8400-e29b-41d4-a716-{number:012}" for number in range(12)]
    async with WireServer(answer) as server, client_for(server.url) as client:
        tracemalloc.start()
        try:
            async with client.stream_sessions(ids, concurrency=2) as stream:
                found = [outcome.error async for outcome in stream]
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == [None] * len(ids)
    assert peak < 2 * 6 * (6 * MIB)  # each is there as chunks, as one, as text; and at the server


@pytest.mark.usefixtures("quiet_loop")
async def test_calls_in_a_row_leave_nothing() -> None:
    """E4: hundreds of calls leave one connection, and no task, timer or other object behind."""
    async with WireServer(good) as server, client_for(server.url) as client:

        async def calls(count: int) -> int:
            for _ in range(count):
                await client.get_session(SESSION_ID)
            server.requests.clear()
            gc.collect()
            return len(gc.get_objects())

        await calls(50)
        before, tasks = await calls(50), len(asyncio.all_tasks())
        assert await calls(300) - before < 100
        assert len(asyncio.all_tasks()) == tasks
        assert server.connections == 1


async def test_a_gzip_bomb_does_not_stop_the_loop() -> None:
    """B6: while half a gigabyte is inflated, and refused, the loop goes on turning."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()  # not of the clock: other processes have their share of it
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    async with (
        WireServer(reply(bomb(512), headers=GZIP)) as server,
        client_for(server.url) as client,
    ):
        watcher = asyncio.create_task(watch())
        with pytest.raises(APIConnectionError, match="max_response_bytes"):
            await client.get_session(SESSION_ID)
        watcher.cancel()
        await asyncio.wait([watcher])
    assert longest < 0.5
