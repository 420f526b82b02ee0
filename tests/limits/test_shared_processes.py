"""Real processes that share a limit by a file or by Redis, and what may happen to them."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from raydocs_async.sandbox import Sandbox
from tests.support import sharer
from tests.support.redis_servers import redis_server, slow_way

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

LIMIT, WINDOW = 60, 1.0
LONG = 120
"""Sessions of a process; more than it can have got in two windows, when another has got 20."""
WARNINGS = {1, 2}
"""Warnings of a process whose server has gone: on a busy machine, one could seem slow before."""
Process = asyncio.subprocess.Process

HOLDER = """
import fcntl, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


async def spawn(*arguments: object) -> Process:
    """Start a process of Python."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def line(process: Process) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def sharers(
    api: Sandbox, place: object, count: int, each: int
) -> AsyncIterator[list[Process]]:
    """Run processes that share a limit, started together; kill those that are left."""
    processes = [
        await spawn(sharer.__file__, api.url, place, LIMIT, WINDOW, number * each, each)
        for number in range(count)
    ]
    try:
        for process in processes:
            assert await line(process) == "ready"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        yield processes
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def output(process: Process) -> list[str]:
    """Wait for the end of a process that fetches everything; return its lines."""
    printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return printed.decode().splitlines()


async def fetched(process: Process) -> list[str]:
    """Return the lines of a process without its warnings, which another one's end may cause."""
    return [each for each in await output(process) if not each.startswith("WARNING")]


@pytest.fixture(params=["file", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the place of the shared limit: a file, or a key of a server."""
    if request.param == "file":
        yield str(tmp_path / "limit")
    else:
        with redis_server() as server:
            yield server.url


def sandbox() -> Sandbox:
    """Return a server with a short window."""
    return Sandbox(limit=LIMIT, window=WINDOW, sessions=500, latency=0.01, token="sandbox-token")


async def test_processes_share_a_window_without_a_single_refusal(place: str) -> None:
    """Four processes get 300 sessions in five windows, and the server refuses none of them."""
    async with sandbox() as api, sharers(api, place, 4, 75) as processes:
        lines = [await fetched(process) for process in processes]
        assert [len(each) for each in lines] == [75] * 4
        assert api.stats.throttled == 0
        assert api.stats.accepted == 300


@pytest.mark.parametrize("seed", range(3))
async def test_a_process_killed_at_any_moment_leaves_no_lock_and_no_debt(
    place: str, seed: int
) -> None:
    """The others fetch everything, with a refusal at most for what the dead one held."""
    async with sandbox() as api, sharers(api, place, 3, 75) as processes:
        victim, *others = processes
        for _ in range(random.Random(seed).randrange(1, 60)):
            await line(victim)
        victim.send_signal(signal.SIGKILL)
        lines = [await fetched(process) for process in others]
        assert [len(each) for each in lines] == [75] * 2
        assert api.stats.throttled <= 1


@pytest.mark.parametrize("seed", range(2))
async def test_a_process_stopped_at_any_moment_goes_on(place: str, seed: int) -> None:
    """The others do not wait for it, and it finishes its own work after them."""
    async with sandbox() as api, sharers(api, place, 3, 75) as processes:
        victim, *others = processes
        for _ in range(random.Random(seed).randrange(1, 60)):
            await line(victim)
        victim.send_signal(signal.SIGSTOP)
        lines = [await fetched(process) for process in others]
        victim.send_signal(signal.SIGCONT)
        await output(victim)
        assert [len(each) for each in lines] == [75] * 2
        assert api.stats.throttled <= 2


async def test_a_stopped_holder_of_the_lock_stops_nobody(tmp_path: Path) -> None:
    """The process goes on by the headers alone, and says so once."""
    file = tmp_path / "limit"
    file.touch()
    holder = await spawn("-c", HOLDER, file)
    try:
        assert await line(holder) == "locked"
        holder.send_signal(signal.SIGSTOP)
        async with sandbox() as api, sharers(api, file, 1, 75) as processes:
            lines = await output(processes[0])
            warnings = [each for each in lines if each.startswith("WARNING")]
            assert len(lines) == 75 + len(warnings)
            assert len(warnings) == 1
            assert "by the server's headers alone" in warnings[0]
            assert "another process holds its lock" in warnings[0]
    finally:
        holder.kill()
        await holder.communicate()


def split(lines: list[str]) -> tuple[list[str], list[str]]:
    """Return the sessions and the warnings in a process's lines."""
    warnings = [each for each in lines if each.startswith("WARNING")]
    return [each for each in lines if each not in warnings], warnings


async def test_a_server_that_restarts_empty_costs_a_warning() -> None:
    """The processes go on by the headers alone, and share again as soon as the server is back."""
    with redis_server() as server:
        async with sandbox() as api, sharers(api, server.url, 3, LONG) as processes:
            for _ in range(20):
                await line(processes[0])
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
            printed = [split(await output(process)) for process in processes]
            with server.admin() as redis:
                assert redis.keys() != []
    assert {len(warnings) for _, warnings in printed} <= WARNINGS
    assert sum(len(sessions) for sessions, _ in printed) == 3 * LONG - 20


@pytest.mark.parametrize("delay", [0.1, 60], ids=["slow", "silent"])
async def test_a_server_that_is_slow_or_silent_costs_a_warning(delay: float) -> None:
    """A process goes on by the headers alone, and says so once."""
    with redis_server() as server:
        async with (
            slow_way(server, delay) as way,
            sandbox() as api,
            sharers(api, way.url, 1, 75) as (process,),
        ):
            sessions, warnings = split(await output(process))
    assert len(sessions) == 75
    (warning,) = warnings
    assert f"by the server's headers alone: {way.url}: " in warning


async def test_a_stopped_server_stops_nobody() -> None:
    """A server that stops in the middle of the work costs half a second and a warning."""
    with redis_server() as server:
        async with sandbox() as api, sharers(api, server.url, 2, LONG) as processes:
            for _ in range(20):
                await line(processes[0])
            server.send_signal(signal.SIGSTOP)
            printed = [split(await output(process)) for process in processes]
    assert sum(len(sessions) for sessions, _ in printed) == 2 * LONG - 20
    assert {len(warnings) for _, warnings in printed} <= WARNINGS
