"""A job on two addresses by Ray, beside the same job by two plain processes.

The server is a process of its own, and allows each address so many requests a second. Ray's time
is that of the job, without the start of its cluster.
"""

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from ray.cluster_utils import Cluster
from ray.data import DataContext

from raydocs_async import Fetched, RateLimit, RaydocsClient, converter
from raydocs_async.ray import fetch_sessions
from raydocs_async.sandbox import Sandbox

ADDRESSES = ("127.0.0.1", "127.0.0.2")
TOKEN = "sandbox-token"


def build_client() -> RaydocsClient:
    """Return a client at the address, and for the server, that its process's environment names."""
    connector = aiohttp.TCPConnector(local_addr=(os.environ["BENCH_ADDRESS"], 0))
    return RaydocsClient(
        TOKEN,
        base_url=os.environ["BENCH_URL"],
        rate_limit=RateLimit(requests=int(os.environ["BENCH_RATE"]), per=1.0),
        http_session=aiohttp.ClientSession(connector=connector),
    )


async def serve(rate: int) -> None:
    """Serve, and tell the URL."""
    async with Sandbox(rate, 1.0, sessions=None, token=TOKEN) as api:
        print(api.url, flush=True)
        await asyncio.Event().wait()


async def fetch_part(ids: Path, part: int) -> None:
    """Fetch every other id into a file of JSON Lines."""
    mine = pq.read_table(ids)["session_id"].to_pylist()[part :: len(ADDRESSES)]
    with ids.with_name(f"part-{part}.jsonl").open("wb") as file:
        async with build_client() as client, client.stream_sessions(mine) as outcomes:
            async for outcome in outcomes:
                assert isinstance(outcome, Fetched), outcome.error
                file.write(converter.dumps(outcome.value) + b"\n")


def run_plain(ids: Path) -> float:
    """Run two plain processes, and return the seconds that they took."""
    start = time.perf_counter()
    parts = [
        subprocess.Popen(
            [sys.executable, __file__, "--part", str(part), "--file", str(ids)],
            env=os.environ | {"BENCH_ADDRESS": address},
        )
        for part, address in enumerate(ADDRESSES)
    ]
    assert [part.wait() for part in parts] == [0] * len(parts)
    return time.perf_counter() - start


def run_ray(ids: Path) -> float:
    """Run the job on a cluster of two nodes, and return the seconds that it took."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    for address in ADDRESSES:
        node = {"BENCH_ADDRESS": address}
        cluster.add_node(num_cpus=0, resources={"raydocs": 1}, env_vars=node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    DataContext.get_current().enable_progress_bars = False
    try:
        start = time.perf_counter()
        fetch_sessions(
            ray.data.read_parquet(str(ids)),
            client=build_client,
            address_resource="raydocs",
            rows_per_block=2500,
        ).write_parquet(str(ids.with_name("sessions")))
        return time.perf_counter() - start
    finally:
        ray.shutdown()
        cluster.shutdown()


def compare(count: int, rate: int) -> None:
    """Run both, and print their times."""
    os.environ["BENCH_RATE"] = str(rate)
    command = [sys.executable, __file__, "--serve", "--rate", str(rate)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory() as folder, server:
        assert server.stdout is not None
        os.environ["BENCH_URL"] = server.stdout.readline().strip()
        ids = Path(folder, "ids.parquet")
        known = Sandbox(sessions=None).ids(count)
        pq.write_table(pa.table({"session_id": pa.array(known, pa.string())}), ids)
        plain, by_ray = run_plain(ids), run_ray(ids)
        found = pq.read_table(ids.with_name("sessions"), columns=["session_id", "error"])
        assert sorted(found["session_id"].to_pylist()) == sorted(known)
        assert found["error"].null_count == count
        print(f"{count} ids, {rate} a second at each of {len(ADDRESSES)} addresses:")
        print(f"two plain processes {plain:.1f} s, Ray {by_ray:.1f} s, {by_ray / plain:.2f} x")
        server.kill()


def main() -> None:
    """Read the arguments; the server and the plain processes are this script, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ids", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.rate))
    elif options.part is not None:
        asyncio.run(fetch_part(options.file, options.part))
    else:
        compare(options.ids, options.rate)


if __name__ == "__main__":
    main()
