"""A job over many addresses, on a virtual clock: how near it comes to what the limits allow.

Each address is a stand-in for the service with a window of its own, and a client that knows nothing
of the others. The ids are cut into blocks, and the next idle client takes the next one, as the
fetchers of `raydocs_async.ray` do.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import Iterator

import looptime

from raydocs_async import Failed, RateLimit, RaydocsClient
from raydocs_async.testing import FakeTransport

LIMIT, PER, LATENCY = 100, 60.0, 0.03


async def fetch_blocks(fake: FakeTransport, blocks: Iterator[list[str]]) -> int:
    """Fetch blocks until none is left, and return how many sessions failed."""
    failed = 0
    limit = RateLimit(requests=LIMIT, per=PER)
    async with RaydocsClient(fake.token, transport=fake, rate_limit=limit) as client:
        for block in blocks:
            async with client.stream_sessions(block) as outcomes:
                async for outcome in outcomes:
                    failed += isinstance(outcome, Failed)
    return failed


async def run(ids: int, addresses: int, block: int) -> None:
    """Run the job, and print what it took."""
    fakes = [FakeTransport(LIMIT, PER, latency=LATENCY, sessions=None) for _ in range(addresses)]
    known = fakes[0].ids(block)
    # The same ids in each block: a million of them would take longer to make than to fetch.
    blocks = iter([known] * (ids // block))
    clock = asyncio.get_running_loop().time
    ends = []

    async def fetch(fake: FakeTransport) -> int:
        failed = await fetch_blocks(fake, blocks)
        ends.append(clock())
        return failed

    start, cpu = clock(), time.process_time()
    failed = sum(await asyncio.gather(*map(fetch, fakes)))
    took, cpu = clock() - start, time.process_time() - cpu
    floor = (ids / addresses / LIMIT - 1) * PER
    requests = sum(fake.stats.requests for fake in fakes)
    refused = sum(fake.stats.throttled for fake in fakes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{ids} ids, {addresses} addresses, blocks of {block}: {took / 3600:.2f} hours,")
    print(f"{took / floor:.3f} x the floor of {floor / 3600:.2f}; {requests} requests, ")
    print(f"{refused} 429s, {failed} failed; the first address was done after")
    print(f"{min(ends) / max(ends):.3f} of the time; {cpu:.0f} s of CPU, {peak} MB at the peak")


def main() -> None:
    """Read the arguments, and run on a virtual clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=1_000_000)
    parser.add_argument("--addresses", type=int, default=50)
    parser.add_argument("--block", type=int, default=250)
    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(run(**vars(parser.parse_args())))
    finally:
        loop.close()


if __name__ == "__main__":
    main()
