"""What a session costs: this library beside what people use instead.

    python bench/throughput.py [ROUNDS] [--concurrency N] [--loop uvloop]

The server is a process on one core, each contender a fresh process on another. They take turns,
round by round, so that a machine whose speed drifts drifts for all of them; what counts is the
ratio to the first one, taken within each round. CPU time is the contender's alone. The second table
has a row for each layer of this library, which does what the rows above it do, and more.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from server import BODY
from throughput_contenders import CONTENDERS, LAYERS, Cost

SESSIONS = 2000
ROUNDS = 7
HERE = Path(__file__).parent
PACKAGES = (
    "raydocs-async",
    "aiohttp",
    "cattrs",
    "elastic-transport",
    "httpx",
    "httpx2",
    "openai",
    "orjson",
    "pydantic",
    "pyreqwest",
    "tenacity",
)


def on_core(index: int, command: Sequence[str]) -> list[str]:
    """The command of a process that keeps to one core, where the system lets us say so."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    pin = ["taskset", "--cpu-list", str(cores[index])] if len(cores) > 1 else []
    return [*pin, sys.executable, *command]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The server's base URL."""
    command = on_core(0, [str(HERE / "server.py")])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


def run(name: str, base: str, concurrency: int, loop: str) -> Cost:
    """One contender's run, on the other core."""
    arguments = [name, base, str(SESSIONS), str(concurrency), loop]
    command = on_core(1, [str(HERE / "throughput_contenders.py"), *arguments])
    reply = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Cost(*json.loads(reply.stdout))


def row(name: str, costs: Sequence[Cost], firsts: Sequence[Cost]) -> str:
    """A line of the table: medians, and between which ratios they lie."""
    ratios = [cost.cpu / first.cpu for cost, first in zip(costs, firsts, strict=True)]
    a_second = statistics.median(SESSIONS / cost.seconds for cost in costs)
    micros = statistics.median(cost.cpu / SESSIONS * 1e6 for cost in costs)
    peak = statistics.median(cost.peak for cost in costs)
    return (
        f"| {name:30} | {a_second:8.0f} | {micros:6.0f} | {statistics.median(ratios):5.2f} "
        f"| {min(ratios):.2f}-{max(ratios):.2f} | {peak:7.0f} |"
    )


def table(names: Iterable[str], costs: Mapping[str, Sequence[Cost]]) -> None:
    """Print a line for each of `names`."""
    print("|                                | per second | CPU µs | ratio | of rounds | peak MB |")
    print("| ------------------------------ | ---------: | -----: | ----: | --------: | ------: |")
    for name in names:
        print(row(name, costs[name], costs[next(iter(CONTENDERS))]))


def main(rounds: int, concurrency: int, loop: str) -> None:
    """Run everything, and print the tables."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    costs: dict[str, list[Cost]] = {name: [] for name in CONTENDERS | LAYERS}
    with server() as base:
        for _ in range(rounds):
            for name, runs in costs.items():
                runs.append(run(name, base, concurrency, loop))
    print(f"CPython {platform.python_version()}, {loop}, {packages}.")
    print(f"{len(BODY)} bytes a session, {SESSIONS} sessions, {concurrency} at a time,")
    print(f"medians of {rounds} rounds\n")
    table(CONTENDERS, costs)
    print("\nThe layers:\n")
    table(LAYERS, costs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    main(**vars(parser.parse_args()))
