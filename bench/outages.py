"""Failures in a bulk job: how many ids are lost, and what that costs in requests and time.

    python bench/outages.py

Time is virtual, so that it takes seconds; a reply takes 0.15 s, and there is no rate limit.
"""

import asyncio
from collections.abc import Iterable

import looptime

from raydocs_async import RaydocsClient
from raydocs_async.sandbox import Chaos, Fault
from raydocs_async.testing import FakeTransport

IDS = 1500
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
OUTAGES = ((0.3, 1.0), (3.0, 20.0), (25.0, 5.0))
"""When each begins, and how long it lasts, in seconds."""


async def run(name: str, fake: FakeTransport, concurrency: int) -> None:
    """Run one job, and print its row."""
    begun = asyncio.get_running_loop().time()
    async with RaydocsClient(fake.token, transport=fake, rate_limit=None) as client:
        stream = client.stream_sessions(fake.ids(IDS), concurrency=concurrency)
        lost = len([outcome async for outcome in stream if outcome.error is not None])
    seconds = asyncio.get_running_loop().time() - begun
    print(f"{name:12} {concurrency:11} {lost:5} {fake.stats.requests:9} {seconds:8.0f} s")


def fake_with(share: float) -> FakeTransport:
    """A service that answers a share of all requests with 503."""
    faults = Chaos(rate=share, faults=(Fault.status(503),))
    return FakeTransport(limit=None, sessions=IDS, latency=0.15, chaos=faults)


def schedule(fake: FakeTransport, outages: Iterable[tuple[float, float]]) -> None:
    """Let nothing get through at these times."""
    loop = asyncio.get_running_loop()
    for begins, seconds in outages:
        loop.call_later(begins, fake.script, *[Fault.status(502)] * 5000)
        loop.call_later(begins + seconds, fake.clear_script)


async def main() -> None:
    """Print the table."""
    print("failures     concurrency  lost  requests  virtual time")
    for share in SHARES:
        await run(f"{share:.0%} 503", fake_with(share), 32)
    for concurrency in (1, 8, 32):
        fake = fake_with(0.0)
        schedule(fake, OUTAGES)
        await run("3 outages", fake, concurrency)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(main())
