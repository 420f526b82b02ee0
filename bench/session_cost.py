"""CPU time a session: the bare minimum, the obvious way, and this library.

    python bench/session_cost.py

The server runs in a process of its own. The contenders take turns in this one, so that a machine
whose speed drifts drifts for all of them; what counts is the ratio to the first, round by round.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import cattrs
import tenacity
from obvious_models import Session
from server import BODY

from raydocs_async import RaydocsClient, RetryPolicy
from raydocs_async.sandbox._sessions import session_id

SESSIONS = 1000
ROUNDS = 9
CONCURRENCY = 32
TOKEN = "bench-token"

Fetch = Callable[[str], Awaitable[Any]]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The server's base URL."""
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def url(base: str, asked: str) -> str:
    """Where a session is."""
    return f"{base}/extractions/sessions/{asked}"


@contextlib.asynccontextmanager
async def plain(base: str) -> AsyncIterator[Fetch]:
    """Aiohttp and ``await r.json()``: dictionaries, no retries, no limit."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(url(base, asked)) as reply:
                return await reply.json()

        yield fetch


@contextlib.asynccontextmanager
async def obvious(base: str) -> AsyncIterator[Fetch]:
    """Tenacity's decorator, ``await r.json()`` and cattrs as it comes."""
    converter = cattrs.Converter()
    converter.register_structure_hook(UUID, lambda value, _: UUID(value))
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as http:

        @tenacity.retry(
            stop=tenacity.stop_after_attempt(5),
            wait=tenacity.wait_random_exponential(0.5, 20),
            retry=tenacity.retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
        )
        async def fetch(asked: str) -> Any:
            async with http.get(url(base, asked), raise_for_status=True) as reply:
                return converter.structure(await reply.json(), Session)

        yield fetch


@contextlib.asynccontextmanager
async def library(base: str) -> AsyncIterator[Fetch]:
    """raydocs_async as it comes, but for a limit that this server does not have."""
    async with RaydocsClient(TOKEN, base_url=base, rate_limit=None, retry=RetryPolicy()) as client:
        yield client.get_session


async def cost(fetch: Fetch, ids: list[str]) -> float:
    """CPU microseconds a session, with `CONCURRENCY` of them at a time."""
    queue = iter(ids)

    async def worker() -> None:
        for asked in queue:
            await fetch(asked)

    started = time.process_time()
    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return (time.process_time() - started) / len(ids) * 1e6


async def measure(base: str) -> dict[str, list[float]]:
    """Every contender in turn, `ROUNDS` times after a warm-up."""
    ids = [session_id(index) for index in range(SESSIONS)]
    costs: dict[str, list[float]] = {}
    async with contextlib.AsyncExitStack() as stack:
        contenders = {
            "aiohttp + r.json()": await stack.enter_async_context(plain(base)),
            "tenacity + r.json() + cattrs": await stack.enter_async_context(obvious(base)),
            "raydocs_async": await stack.enter_async_context(library(base)),
        }
        for lap in range(ROUNDS + 1):
            for name, fetch in contenders.items():
                micros = await cost(fetch, ids)
                if lap:
                    costs.setdefault(name, []).append(micros)
    return costs


def main() -> None:
    """Print the table."""
    with server() as base:
        costs = asyncio.run(measure(base))
    first = next(iter(costs.values()))
    print(f"{len(BODY)} bytes a session, {SESSIONS} sessions, {ROUNDS} rounds, CPU of the client")
    print(f"{'':30} {'µs a session':>12} {'ratio':>6}  min-max of the rounds' ratios")
    for name, values in costs.items():
        ratios = [value / base for value, base in zip(values, first, strict=True)]
        print(
            f"{name:30} {statistics.median(values):12.0f} {statistics.median(ratios):6.2f}"
            f"  {min(ratios):.2f}-{max(ratios):.2f}"
        )


if __name__ == "__main__":
    assert isinstance(json.loads(BODY), dict)
    main()
