"""What a session costs: this library beside what people use instead.

    python bench/throughput.py [ROUNDS]

The server is a process on one core, each contender a fresh process on another. They take turns,
round by round, so that a machine whose speed drifts drifts for all of them; what counts is the
ratio to the first one, taken within each round. CPU time is the contender's alone.
"""

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from server import BODY
from throughput_contenders import CONTENDERS, Cost

SESSIONS = 2000
ROUNDS = 7
HERE = Path(__file__).parent
PACKAGES = (
    "raydocs-async",
    "aiohttp",
    "cattrs",
    "elastic-transport",
    "httpx",
    "openai",
    "orjson",
    "pydantic",
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


def run(name: str, base: str) -> Cost:
    """One contender's run, on the other core."""
    command = on_core(1, [str(HERE / "throughput_contenders.py"), name, base, str(SESSIONS)])
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


def main(rounds: int) -> None:
    """Run everything, and print the table."""
    costs: dict[str, list[Cost]] = {name: [] for name in CONTENDERS}
    with server() as base:
        for _ in range(rounds):
            for name, runs in costs.items():
                runs.append(run(name, base))
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(f"CPython {platform.python_version()}, {packages}.")
    print(f"{len(BODY)} bytes a session, {SESSIONS} sessions, medians of {rounds} rounds\n")
    print("|                                | per second | CPU µs | ratio | of rounds | peak MB |")
    print("| ------------------------------ | ---------: | -----: | ----: | --------: | ------: |")
    first = next(iter(costs.values()))
    for name, runs in costs.items():
        print(row(name, runs, first))


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
