"""The contenders of the rate-limit benchmark, each of them set up as its documentation has it.

    python bench/ratelimit_contenders.py NAME FIRST COUNT

It says when it is ready, and begins when it is given the server's URL as a line on its standard
input; then it prints an `Outcome` as JSON. All are given the ids in the same way, by 32 workers
that each ask for one session after the other, and what becomes of a session is noted by its id.
None may look at the clock of the server, and all are told the same: at most 100 requests in 3
seconds, if they have a place to tell it to.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import attrs
from aiohttp_retry import ExponentialRetry, RetryClient
from aiolimiter import AsyncLimiter
from elastic_transport import AsyncTransport, NodeConfig
from openai import AsyncOpenAI
from ratelimit_server import TOKEN
from tenacity import retry, stop_after_attempt, wait_random_exponential

from raydocs_async import RateLimit, RaydocsClient
from raydocs_async.sandbox._ids import session_id

LIMIT = 100
WINDOW = 3.0
WORKERS = 32
SHARED = "RATELIMIT_SHARED"
"""The environment variable with the file or the URL by which the processes of a run share."""
ASKED = 15
"""Interactive requests of a web worker."""
EVERY = 1.2
"""Seconds between two of them, so that four workers ask for ten in a window."""
RESERVE = 10
PATIENCE = 2.0
"""Seconds after which nobody waits for an interactive request any more."""
BEARER = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}

Fetch = Callable[[str], Awaitable[str]]
"""Takes the id of a session and returns the one that is in the reply."""
Contender = Callable[[str], AbstractAsyncContextManager[Fetch]]


@attrs.frozen
class Outcome:
    """What a contender came to, by its own account."""

    started: float
    """In seconds of the clock that all processes share."""
    ended: float
    done: int
    errors: dict[str, int]
    """Why sessions were lost, and how often."""
    cpu: float
    """Seconds of the processor from the start to the end."""


class RefusedError(Exception):
    """The 429 of a tool that returns it instead of raising something."""


def path(asked: str) -> str:
    """Where a session is."""
    return f"/extractions/sessions/{asked}"


@asynccontextmanager
async def told(base: str) -> AsyncIterator[Fetch]:
    """raydocs_async, told the limit."""
    known = RateLimit(requests=LIMIT, per=WINDOW)
    async with RaydocsClient(TOKEN, base_url=base, rate_limit=known) as client:
        yield by(client)


@asynccontextmanager
async def sharing(base: str) -> AsyncIterator[Fetch]:
    """raydocs_async, told the limit, which all processes of a run share."""
    known = RateLimit(requests=LIMIT, per=WINDOW, shared=os.environ[SHARED])
    async with RaydocsClient(TOKEN, base_url=base, rate_limit=known) as client:
        yield by(client)


@asynccontextmanager
async def told_nothing(base: str) -> AsyncIterator[Fetch]:
    """raydocs_async, left to find the limit out."""
    async with RaydocsClient(TOKEN, base_url=base, rate_limit=None) as client:
        yield by(client)


@asynccontextmanager
async def as_it_comes(base: str) -> AsyncIterator[Fetch]:
    """raydocs_async with its defaults, which are the service's: 100 requests in 60 seconds."""
    async with RaydocsClient(TOKEN, base_url=base) as client:
        yield by(client)


def by(client: RaydocsClient) -> Fetch:
    """One session from raydocs_async."""

    async def fetch(asked: str) -> str:
        session = await client.get_session(asked)
        return str(session.id)

    return fetch


@asynccontextmanager
async def with_aiohttp_retry(base: str) -> AsyncIterator[Fetch]:
    """aiohttp_retry with ``ExponentialRetry`` as it comes, and 429 among the statuses to retry.

    By default that is 3 attempts, 0.2 and 0.4 seconds apart; it does not read Retry-After.
    """
    options = ExponentialRetry(statuses={429})
    async with RetryClient(
        retry_options=options, raise_for_status=True, base_url=base, headers=BEARER
    ) as client:

        async def fetch(asked: str) -> str:
            async with client.get(path(asked)) as reply:
                return the_id(await reply.json())

        yield fetch


@asynccontextmanager
async def with_openai(base: str) -> AsyncIterator[Fetch]:
    """The transport of ``AsyncOpenAI`` as it comes, on a path of our own.

    By default it retries twice, after Retry-After where that is above 0, and else after about
    0.5 and 1 seconds.
    """
    async with AsyncOpenAI(base_url=base, api_key=TOKEN) as client:

        async def fetch(asked: str) -> str:
            return the_id(await client.get(path(asked), cast_to=object))

        yield fetch


@asynccontextmanager
async def with_elastic(base: str) -> AsyncIterator[Fetch]:
    """elastic-transport as it comes, on its aiohttp node.

    By default it retries a 429 three times, at once, and has 10 connections; it returns the last
    429. Its warnings, one a retry, are off.
    """
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    where = urlsplit(base)
    assert where.hostname
    assert where.port
    transport = AsyncTransport([NodeConfig("http", where.hostname, where.port)])

    async def fetch(asked: str) -> str:
        meta, body = await transport.perform_request("GET", path(asked), headers=BEARER)
        if meta.status == 429:
            raise RefusedError
        return the_id(body)

    yield fetch
    await transport.close()


@asynccontextmanager
async def with_aiolimiter(base: str) -> AsyncIterator[Fetch]:
    """aiolimiter, told the limit, and tenacity around it as in the OpenAI Cookbook's guide.

    That is 6 attempts, with random exponential waits of 1 to 60 seconds in between.
    """
    limiter = AsyncLimiter(LIMIT, WINDOW)
    async with aiohttp.ClientSession(base, headers=BEARER, raise_for_status=True) as http:

        @retry(
            wait=wait_random_exponential(min=1, max=60), stop=stop_after_attempt(6), reraise=True
        )
        async def fetch(asked: str) -> str:
            async with limiter, http.get(path(asked)) as reply:
                return the_id(await reply.json())

        yield fetch


@asynccontextmanager
async def by_hand(base: str) -> AsyncIterator[Fetch]:
    """A loop around aiohttp that sleeps for Retry-After on a 429, until there is something else.

    The 32 workers are its semaphore.
    """
    async with aiohttp.ClientSession(base, headers=BEARER) as http:

        async def fetch(asked: str) -> str:
            while True:
                async with http.get(path(asked)) as reply:
                    if reply.status != 429:
                        reply.raise_for_status()
                        return the_id(await reply.json())
                    seconds = int(reply.headers["Retry-After"])
                await asyncio.sleep(seconds)

        yield fetch


def the_id(body: Any) -> str:
    """The id of a parsed session."""
    return str(body["id"])


CONTENDERS: dict[str, Contender] = {
    "told": told,
    "sharing": sharing,
    "told nothing": told_nothing,
    "as it comes": as_it_comes,
    "aiohttp_retry": with_aiohttp_retry,
    "openai": with_openai,
    "elastic-transport": with_elastic,
    "aiolimiter": with_aiolimiter,
    "by hand": by_hand,
}


WEB = {"web": False, "web sharing": True}
"""Web workers: do they share the limit?"""


async def run(contender: Contender, base: str, ids: Sequence[str]) -> Outcome:
    """Fetch everything; a session that does not come is lost, and the others go on."""
    started, errors, done = time.monotonic(), Counter[str](), Counter[str]()
    cpu = time.process_time()
    queue = iter(ids)

    async def work(fetch: Fetch) -> None:
        for asked in queue:
            try:
                done[await fetch(asked)] += 1
            except Exception as error:
                errors[type(error).__name__] += 1

    async with contender(base) as fetch:
        await asyncio.gather(*(work(fetch) for _ in range(WORKERS)))
        ended, cpu = time.monotonic(), time.process_time() - cpu
    assert set(done) <= set(ids)
    return Outcome(started, ended, len(done), dict(errors), cpu)


async def run_web(shared: str, base: str, ids: Sequence[str]) -> Outcome:
    """Answer interactive requests as a web worker does, and fetch the other ids in bulk."""
    started, errors, done = time.monotonic(), Counter[str](), Counter[str]()
    cpu = time.process_time()
    known = RateLimit(requests=LIMIT, per=WINDOW, reserve=RESERVE, shared=shared)

    async def ask(client: RaydocsClient, asked: str, at: float) -> None:
        await asyncio.sleep(at)
        try:
            session = await client.get_session(asked, timeout=PATIENCE)
            done[str(session.id)] += 1
        except Exception as error:
            errors[type(error).__name__] += 1

    async def job(client: RaydocsClient) -> None:
        async for outcome in client.stream_sessions(ids[ASKED:]):
            if outcome.error is None:
                done[outcome.id] += 1
            else:
                errors[type(outcome.error).__name__] += 1

    start = int(ids[0][-4:], 16) % 4 * EVERY / 4
    async with RaydocsClient(TOKEN, base_url=base, rate_limit=known) as client:
        questions = (ask(client, each, start + EVERY * n) for n, each in enumerate(ids[:ASKED]))
        await asyncio.gather(job(client), *questions)
        ended, cpu = time.monotonic(), time.process_time() - cpu
    return Outcome(started, ended, len(done), dict(errors), cpu)


def main(name: str, first: int, count: int) -> None:
    """Wait for the URL, fetch, and report."""
    ids = [session_id(index) for index in range(first, first + count)]
    if os.environ[SHARED].startswith("unix:"):
        import_module("redis.asyncio")  # the others' libraries are imported by now, too
    print("ready", flush=True)
    base = sys.stdin.readline().strip()
    if name in WEB:
        running = run_web(os.environ[SHARED] if WEB[name] else "", base, ids)
    else:
        running = run(CONTENDERS[name], base, ids)
    print(json.dumps(attrs.asdict(asyncio.run(running))), flush=True)
    os._exit(0)  # tidying up takes a tenth of a second of CPU, from those that still run


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
