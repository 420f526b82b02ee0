"""Waiting for many sessions: how long after its end each is told, and with how many requests.

    python bench/waiting.py

Sessions finish at random within a time; the rate limit is the documented one. A request takes
0.2 s. Time is virtual, so that it takes seconds.
"""

import asyncio
from collections import Counter
from statistics import median, quantiles

import looptime

from raydocs_async import Fetched, RaydocsClient
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.testing import FakeTransport

LIMIT, WINDOW = 100, 60.0
CASES = ((1, 600.0), (20, 600.0), (100, 1200.0), (500, 1200.0), (2000, 3600.0))
"""Sessions, and the seconds within which they finish."""


async def run(sessions: int, within: float) -> None:
    """Wait for so many sessions, and print the row."""
    fake = FakeTransport(
        LIMIT, WINDOW, sessions=sessions, finish_within=within, latency=0.2, log_size=10**6
    )
    ids = fake.ids(sessions)
    durations = {each: Schedule(within).duration(each) for each in ids}
    loop = asyncio.get_running_loop()
    begun, delays = loop.time(), list[float]()
    async with RaydocsClient(fake.token, transport=fake) as client:
        async for outcome in client.wait_for_sessions(ids, timeout=2 * within):
            if isinstance(outcome, Fetched):
                delays.append(loop.time() - begun - durations[str(outcome.id)])
    busiest = max(Counter(entry.window for entry in fake.log).values())
    late = quantiles(delays, n=10)[-1] if len(delays) > 1 else delays[0]
    print(
        f"{sessions:8} {within / 60:7.0f} min {len(delays):6} {fake.stats.requests:9} "
        f"{busiest:8} {fake.stats.throttled:4} {median(delays):8.1f} s {late:8.1f} s "
        f"{median(delays) / WINDOW:8.2f}"
    )


async def main() -> None:
    """Print the table."""
    print(
        "sessions  finish within  told  requests  busiest  429s    median   9 of 10  windows\n"
        "                                          window                            (median)"
    )
    for sessions, within in CASES:
        await run(sessions, within)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())
