"""The contenders of the throughput benchmark, each set up as its documentation has it.

    python bench/throughput_contenders.py NAME URL SESSIONS CONCURRENCY LOOP

Fetches so many sessions after a warm-up, so many at a time, on ``asyncio`` or ``uvloop``, and
prints a `Cost` as JSON. Each is a process of its own and imports its own tools, so that nobody pays
for what another one needs.
"""

import asyncio
import json
import math
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from obvious_models import Session

if TYPE_CHECKING:
    from raydocs_async import RaydocsClient

WARM_UP = 300
TOKEN = "bench-token"
BEARER = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}

Fetch = Callable[[str], Awaitable[Any]]
FetchAll = Callable[[Iterable[str]], Awaitable[None]]
Contender = Callable[[str, int], AbstractAsyncContextManager[FetchAll]]
"""Takes the server's URL, and how many sessions to fetch at a time."""


class Cost(NamedTuple):
    """What a contender's run came to."""

    seconds: float
    """From the first request to the last reply."""
    cpu: float
    """Seconds of CPU time in between, the client's alone."""
    peak: float
    """Megabytes of memory at most, the interpreter's and all imports' included."""


def path(asked: str) -> str:
    """Where a session is."""
    return f"/extractions/sessions/{asked}"


def by_workers(fetch: Fetch, concurrency: int) -> FetchAll:
    """Workers that each ask for one session after the other."""

    async def fetch_all(ids: Iterable[str]) -> None:
        queue = iter(ids)

        async def work() -> None:
            for asked in queue:
                await fetch(asked)

        await asyncio.gather(*(work() for _ in range(concurrency)))

    return fetch_all


def unlimited(base: str, concurrency: int) -> "RaydocsClient":
    """Make this library's client, without a configured limit."""
    from raydocs_async import RaydocsClient

    return RaydocsClient(TOKEN, base_url=base, rate_limit=None, max_connections=concurrency)


@asynccontextmanager
async def plain(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Aiohttp and ``await r.json()``: dictionaries, no retries, no limit."""
    import aiohttp

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(base, headers=BEARER, connector=connector) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(path(asked)) as reply:
                return await reply.json()

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_orjson(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Aiohttp and orjson: dictionaries, no retries, no limit."""
    import aiohttp
    import orjson

    async with aiohttp.ClientSession(base, headers=BEARER) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(path(asked)) as reply:
                return orjson.loads(await reply.read())

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_msgspec(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Aiohttp without all that this library leaves out, and msgspec: dictionaries.

    This is what would be left if types, retries and the limit cost nothing.
    """
    import aiohttp
    import msgspec

    parse = msgspec.json.Decoder().decode
    async with aiohttp.ClientSession(
        base,
        headers=BEARER,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(path(asked), allow_redirects=False) as reply:
                return parse(await reply.read())

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_pydantic(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Aiohttp and pydantic, on the obvious models: typed, no retries, no limit."""
    import aiohttp
    from pydantic import TypeAdapter

    read = TypeAdapter(Session).validate_json
    async with aiohttp.ClientSession(base, headers=BEARER) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(path(asked)) as reply:
                return read(await reply.read())

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_cattrs(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Tenacity's decorator, ``await r.json()`` and cattrs as it comes: typed, no limit."""
    import aiohttp
    import cattrs
    import tenacity

    converter = cattrs.Converter()
    converter.register_structure_hook(UUID, lambda value, _: UUID(value))
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    async with aiohttp.ClientSession(base, headers=BEARER, raise_for_status=True) as http:

        @tenacity.retry(
            stop=tenacity.stop_after_attempt(5),
            wait=tenacity.wait_random_exponential(0.5, 20),
            retry=tenacity.retry_if_exception_type((aiohttp.ClientError, TimeoutError)),
        )
        async def fetch(asked: str) -> Any:
            async with http.get(path(asked)) as reply:
                return converter.structure(await reply.json(), Session)

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_openai(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """The transport of ``AsyncOpenAI``: dictionaries, with retries."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=base, api_key=TOKEN) as client:
        yield by_workers(lambda asked: client.get(path(asked), cast_to=object), concurrency)


@asynccontextmanager
async def with_httpx(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Httpx and ``r.json()``: dictionaries, no retries, no limit."""
    import httpx

    async with httpx.AsyncClient(base_url=base, headers=BEARER) as client:

        async def fetch(asked: str) -> Any:
            return (await client.get(path(asked))).raise_for_status().json()

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_httpx2(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Httpx's successor and ``r.json()``: dictionaries, no retries, no limit."""
    import httpx2

    async with httpx2.AsyncClient(base_url=base, headers=BEARER) as client:

        async def fetch(asked: str) -> Any:
            return (await client.get(path(asked))).raise_for_status().json()

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_pyreqwest(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """A client in Rust, and its ``r.json()``: dictionaries, no retries, no limit."""
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().base_url(base).default_headers(BEARER).error_for_status(True)
    limits = builder.max_connections(concurrency).timeout(timedelta(seconds=60))
    async with limits.build() as client:

        async def fetch(asked: str) -> Any:
            return await (await client.get(path(asked)).build().send()).json()

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def with_elastic(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """elastic-transport on its aiohttp node: dictionaries, with retries."""
    from elastic_transport import AiohttpHttpNode, AsyncTransport, NodeConfig

    where = urlsplit(base)
    assert where.hostname
    assert where.port
    node = NodeConfig("http", where.hostname, where.port, connections_per_node=concurrency)
    transport = AsyncTransport([node], node_class=AiohttpHttpNode)

    async def fetch(asked: str) -> Any:
        return await transport.perform_request("GET", path(asked), headers=BEARER)

    yield by_workers(fetch, concurrency)
    await transport.close()


@asynccontextmanager
async def bare(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Aiohttp without all that this library leaves out: bytes."""
    import aiohttp

    async with aiohttp.ClientSession(
        base,
        headers=BEARER,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as http:

        async def fetch(asked: str) -> Any:
            async with http.get(path(asked), allow_redirects=False) as reply:
                return await reply.read()

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def by_transport(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """The library's transport alone: bytes, with a deadline and all failures as values."""
    from raydocs_async._endpoints import SESSION

    async with unlimited(base, concurrency) as client:
        transport = client._engine._transport

        async def fetch(asked: str) -> Any:
            return await transport.send(SESSION.request(asked), math.inf)

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def by_limiter(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """The transport within the rate limiter."""
    from raydocs_async import RateLimiter
    from raydocs_async._classify import observe
    from raydocs_async._endpoints import SESSION
    from raydocs_async._limits._values import Lane, Ticket

    limiter = RateLimiter(None, max_in_flight=concurrency)
    async with unlimited(base, concurrency) as client:
        transport = client._engine._transport

        async def fetch(asked: str) -> Any:
            ticket = await limiter.acquire(Lane.SINGLE, math.inf)
            assert isinstance(ticket, Ticket)
            reply = await transport.send(SESSION.request(asked), math.inf)
            limiter.settle(ticket, observe(reply))

        yield by_workers(fetch, concurrency)


@asynccontextmanager
async def without_models(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """Whole calls, with retries and history, but dictionaries in the place of models."""
    from raydocs_async._endpoints import SESSION, Endpoint

    def accept(_: Any, __: Any) -> bool:
        return True

    raw: Endpoint[Any] = Endpoint(SESSION.noun, SESSION.path, Any, accept)
    async with unlimited(base, concurrency) as client:
        yield by_workers(lambda asked: client._fetch(raw, asked), concurrency)


@asynccontextmanager
async def one_by_one(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """raydocs_async, a ``get_session`` for each: typed, lossless, with retries and the limit."""
    async with unlimited(base, concurrency) as client:
        yield by_workers(client.get_session, concurrency)


@asynccontextmanager
async def in_bulk(base: str, concurrency: int) -> AsyncIterator[FetchAll]:
    """raydocs_async, by ``stream_sessions``: the same, and every id's outcome."""
    async with unlimited(base, concurrency) as client:

        async def fetch_all(ids: Iterable[str]) -> None:
            async with client.stream_sessions(ids, concurrency=concurrency) as stream:
                async for outcome in stream:
                    assert outcome.error is None

        yield fetch_all


CONTENDERS: dict[str, Contender] = {
    "aiohttp + r.json()": plain,
    "aiohttp + orjson": with_orjson,
    "aiohttp, pared down + msgspec": with_msgspec,
    "aiohttp + pydantic": with_pydantic,
    "tenacity + r.json() + cattrs": with_cattrs,
    "AsyncOpenAI().get": with_openai,
    "httpx + r.json()": with_httpx,
    "httpx2 + r.json()": with_httpx2,
    "elastic-transport": with_elastic,
    "pyreqwest + r.json()": with_pyreqwest,
    "raydocs_async, get_session": one_by_one,
    "raydocs_async, stream_sessions": in_bulk,
}
LAYERS: dict[str, Contender] = {
    "aiohttp, pared down, bytes": bare,
    "the transport, bytes": by_transport,
    "+ the rate limiter": by_limiter,
    "+ the engine, dictionaries": without_models,
    "+ models: get_session": one_by_one,
    "+ bulk work: stream_sessions": in_bulk,
}
"""Each row does what the row above does, and more."""


async def measure(contender: Contender, base: str, sessions: int, concurrency: int) -> Cost:
    """Fetch `sessions` sessions, and some more before that do not count."""
    ids = [str(UUID(int=index)) for index in range(WARM_UP + sessions)]
    async with contender(base, concurrency) as fetch_all:
        await fetch_all(ids[:WARM_UP])
        started, cpu = time.perf_counter(), time.process_time()
        await fetch_all(ids[WARM_UP:])
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(seconds, cpu, peak / (1e6 if sys.platform == "darwin" else 1e3))


def main(name: str, base: str, sessions: int, concurrency: int, loop: str) -> None:
    """Measure one, and report."""
    new_loop = None
    if loop == "uvloop":
        import uvloop

        new_loop = uvloop.new_event_loop
    contender = (CONTENDERS | LAYERS)[name]
    with asyncio.Runner(loop_factory=new_loop) as runner:
        cost = runner.run(measure(contender, base, sessions, concurrency))
    print(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
