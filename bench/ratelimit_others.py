"""Other traffic from the same address, half a window of it, for the rate-limit benchmark.

    python bench/ratelimit_others.py {evenly,greedily} LIMIT WINDOW

It says when it is ready, begins when it is given the server's URL as a line on its standard input,
and goes on until it is ended. What is refused is given up.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
from ratelimit_contenders import BEARER, path
from ratelimit_server import FOREIGN_ID

IMPATIENCE = 0.005
"""Seconds between two attempts of the greedy to be first."""

Hit = Callable[[], Awaitable[bool]]
"""Sends a request, and tells whether it was let in."""


async def evenly(hit: Hit, hits: int, window: float) -> None:
    """One after the other, all the time."""
    async with asyncio.TaskGroup() as tasks:
        while True:
            tasks.create_task(_forget(hit))
            await asyncio.sleep(window / hits)


async def greedily(hit: Hit, hits: int, window: float) -> None:
    """All at once, as soon as a window opens."""
    while True:
        opened = time.monotonic()
        if not await hit():
            await asyncio.sleep(IMPATIENCE)
            continue
        await asyncio.gather(*(hit() for _ in range(hits - 1)))
        await asyncio.sleep(opened + window - time.monotonic() - IMPATIENCE)


async def _forget(hit: Hit) -> None:
    await hit()


WAYS = {"evenly": evenly, "greedily": greedily}


async def main(way: str, hits: int, window: float) -> None:
    """Go on until ended."""
    print("ready", flush=True)
    base = sys.stdin.readline().strip()
    async with aiohttp.ClientSession(base, headers=BEARER) as http:

        async def hit() -> bool:
            async with http.get(path(FOREIGN_ID)) as reply:
                await reply.read()
                return reply.status != 429

        await WAYS[way](hit, hits, window)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
