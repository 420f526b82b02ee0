"""The rate limit against the framework itself: 450 sessions, 100 in 6 seconds.

    python bench/laravel/ratelimit.py [--write-docs]

It takes six minutes. Each client is a process of its own and fetches its sessions in bulk;
`--write-docs` puts the table into the documentation. The exit code is 1 if a session is lost.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
from framework import Framework, framework

from raydocs_async import Fetched, RateLimit, RaydocsClient
from raydocs_async.sandbox._ids import session_id

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "rate-limit-benchmark.md"
SESSIONS = 450
LIMIT = 100
WINDOW = 6
FLOOR = (SESSIONS - 1) // LIMIT * WINDOW
"""Seconds that the limit itself costs: all windows but the last one."""
RESTARTS = ((40, 1.0), (200, 0.2), (330, 3.0))
"""After so many requests php-fpm is stopped, and started again so many seconds later."""
HEAD = ("", "done", "lost", "requests", "429s", "other errors", "seconds", "× floor")
ERRORS = 400


def nothing(real: Framework, store: str, is_over: Callable[[], bool]) -> None:
    """Leave the servers in peace."""


def restart_php(real: Framework, store: str, is_over: Callable[[], bool]) -> None:
    """Restart php-fpm three times while the clients are at work."""
    began = len(real.hits(store))
    for after, seconds in RESTARTS:
        while len(real.hits(store)) < began + after:
            if is_over():
                return
            time.sleep(0.02)
        real.stop_php()
        time.sleep(seconds)
        real.start_php()


@attrs.frozen
class Scenario:
    """Something to run."""

    name: str
    store: str = "redis"
    told: bool = True
    """Whether the clients are configured with the limit."""
    clients: int = 1
    shared: str = ""
    """Where they share the limit, with the framework's folder as ``{state}``; by headers alone if
    empty."""
    meanwhile: Callable[[Framework, str, Callable[[], bool]], None] = nothing


SCENARIOS = (
    Scenario("told the limit, redis"),
    Scenario("told the limit, file", store="file"),
    Scenario("told the limit, database", store="database"),
    Scenario("told the limit, dynamodb", store="dynamodb"),
    Scenario("told the limit, redis-mw", store="redis-mw"),
    Scenario("told nothing, redis", told=False),
    Scenario("two processes by headers, redis", clients=2),
    *(
        Scenario(f"{number} processes by {way}, redis", clients=count, shared=shared)
        for number, count in (("two", 2), ("five", 5))
        for way, shared in (
            ("a file", "{state}/limit-of-" + number),
            ("Redis", "unix://{state}/redis.sock?db=1&key=" + number),
        )
    ),
    Scenario("php-fpm restarted thrice, redis", meanwhile=restart_php),
)


@attrs.frozen
class Run:
    """What became of a scenario."""

    name: str
    done: int
    seconds: float
    statuses: Counter[int]
    errors: Counter[str]
    """Why sessions were lost."""

    @property
    def lost(self) -> int:
        """Sessions that did not come."""
        return SESSIONS - self.done

    @property
    def row(self) -> tuple[str, ...]:
        """A line of the table. A run that lost sessions has no ratio: giving up is fast."""
        refused = self.statuses[429]
        failed = sum(n for status, n in self.statuses.items() if status >= ERRORS) - refused
        ratio = "–" if self.lost else f"{self.seconds / FLOOR:.3f}"
        numbers = (self.done, self.lost, self.statuses.total(), refused, failed)
        return (self.name, *map(str, numbers), f"{self.seconds:.2f}", ratio)


def execute(scenario: Scenario, real: Framework) -> Run:
    """Run it in a new window, with a process for each client."""
    time.sleep(WINDOW + 1.2)  # DynamoDB counts nothing in the second after a window
    before = len(real.hits(scenario.store))
    share = SESSIONS // scenario.clients
    url, told = real.url(scenario.store), str(int(scenario.told))
    commands = [
        [sys.executable, __file__, "--client", url, str(share * index), str(share), told]
        for index in range(scenario.clients)
    ]
    env = {**os.environ, "RAYDOCS_SHARED_LIMIT": scenario.shared.format(state=real.state)}
    clients = [
        subprocess.Popen(each, stdout=subprocess.PIPE, text=True, env=env) for each in commands
    ]
    scenario.meanwhile(
        real, scenario.store, lambda: all(client.poll() is not None for client in clients)
    )
    reports = [json.loads(client.communicate()[0]) for client in clients]
    statuses = Counter(status for _, status in real.hits(scenario.store)[before:])
    return Run(
        scenario.name,
        done=sum(report["done"] for report in reports),
        seconds=max(r["ended"] for r in reports) - min(r["started"] for r in reports),
        statuses=statuses,
        errors=sum((Counter(report["errors"]) for report in reports), Counter()),
    )


async def fetch(url: str, first: int, count: int, told: int) -> None:
    """Be a client: fetch sessions in bulk, and print what came of it."""
    ids = [session_id(index) for index in range(first, first + count)]
    limit = RateLimit(requests=LIMIT, per=WINDOW) if told else None
    done, errors, started = set[str](), Counter[str](), time.monotonic()
    async with RaydocsClient("sandbox-token", base_url=url, rate_limit=limit) as client:
        async for outcome in client.stream_sessions(ids):
            if isinstance(outcome, Fetched):
                done.add(str(outcome.session.id))
            else:
                errors[type(outcome.error).__name__] += 1
    ended = time.monotonic()
    print(json.dumps({"done": len(done), "errors": errors, "started": started, "ended": ended}))


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is a table in a terminal, too."""
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in others)])} |"

    rule = [f"{'-' * (width - 1)}{':' if index else '-'}" for index, width in enumerate(widths)]
    return "\n".join([line(HEAD), line(rule), *map(line, rows)])


def write_docs(text: str) -> None:
    """Put the table where it belongs."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition("<!-- laravel -->")
    _, end, after = rest.partition("<!-- end of laravel -->")
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def main() -> int:
    """Run everything, print the table, and perhaps write it; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write-docs", action="store_true", help="write the table into the page")
    parser.add_argument("--client", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.client:
        url, *numbers = chosen.client
        asyncio.run(fetch(url, *map(int, numbers)))
        return 0
    runs = []
    with framework(LIMIT, WINDOW) as real:
        for scenario in SCENARIOS:
            runs.append(run := execute(scenario, real))
            print(
                f"{run.name}: {run.seconds:.2f} s, lost {run.lost} {dict(run.errors)}", flush=True
            )
    text = table([run.row for run in runs])
    print(f"\n{text}")
    if chosen.write_docs:
        write_docs(text)
    return int(any(run.lost for run in runs))


if __name__ == "__main__":
    sys.exit(main())
