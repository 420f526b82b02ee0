"""A process that fetches sessions within a shared limit.

    python tests/support/sharer.py URL FILE LIMIT WINDOW FIRST COUNT

It prints a line when it is ready, begins when it gets a line, and then prints a line a session;
at the end it prints its warnings and exits with 1 if a session is missing.
"""

import asyncio
import logging
import sys

from raydocs_async import RateLimit, RaydocsClient
from raydocs_async.sandbox._ids import session_id


async def fetch(url: str, known: RateLimit, ids: list[str]) -> int:
    """Fetch the sessions, and print each; return the number of those that are missing."""
    missing = len(ids)
    async with RaydocsClient("sandbox-token", base_url=url, rate_limit=known) as client:
        async for outcome in client.stream_sessions(ids):
            missing -= outcome.error is None
            print(outcome.id, flush=True)
    return missing


def main(url: str, file: str, *numbers: str) -> int:
    """Wait for the start, and fetch."""
    logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
    limit, window, first, count = map(float, numbers)
    known = RateLimit(requests=int(limit), per=window, shared=file)
    ids = [session_id(int(first) + number) for number in range(int(count))]
    print("ready", flush=True)
    sys.stdin.readline()
    return int(asyncio.run(fetch(url, known, ids)) > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
