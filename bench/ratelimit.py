"""600 sessions through a rate limit: this library, what people use instead, and hard cases.

    python bench/ratelimit.py [--real] [--write-docs] [--only NAME]

Every run has a server of its own, in its own process, and each contender is a process, too; they
run one after the other. `--real` runs the service's own limit instead, once, for two minutes.
`--only` runs what has NAME in its name. `--write-docs` puts the tables and the picture into the
documentation. The exit code is 1 if the library misses one of its targets.

The peers are in the dependency group ``bench``; how each is set up, and why, is in
``bench/ratelimit_contenders.py``.
"""

import argparse
import contextlib
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
from ratelimit_contenders import ASKED, LIMIT, SHARED, WINDOW, Outcome
from ratelimit_plot import Lane, draw
from ratelimit_server import Hit, Setup

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "explanation" / "rate-limit-benchmark.md"
PICTURE = HERE.parent / "docs" / "_static" / "rate-limit.svg"
PICTURE_OF_PROCESSES = PICTURE.with_name("rate-limit-shared.svg")
PACKAGES = (
    "raydocs-async", "aiohttp", "aiohttp-retry", "openai", "elastic-transport", "aiolimiter",
    "tenacity",
)  # fmt: skip

FLOOR = 5 * WINDOW
"""Seconds that 600 requests take at least: the sixth window is the last, and need not end."""

Process = subprocess.Popen[str]


@attrs.frozen(kw_only=True)
class Target:
    """What the library has promised for a scenario; `None` is no promise."""

    refused: int | None = None
    """429s, at most."""
    share: float | None = None
    """429s for each request, at most."""
    ratio: float | None = None
    """Seconds for each of the floor's, at most."""
    seconds: float | None = None
    """Seconds, at most."""
    spread: float | None = None
    """Seconds of the last process to finish, for each of the first one's, at most."""

    def __str__(self) -> str:
        parts = ["0 lost"]
        if self.refused is not None:
            parts.append(f"≤ {self.refused} 429{'s' * (self.refused != 1)}")
        if self.share is not None:
            parts.append(f"≤ {self.share * 100:g} % 429s")
        if self.ratio is not None:
            parts.append(f"≤ {self.ratio:.2f} ×")
        if self.seconds is not None:
            parts.append(f"≤ {self.seconds:g} s")
        if self.spread is not None:
            parts.append(f"last ≤ {self.spread:.2f} × first")
        return ", ".join(parts)

    def is_met(self, run: "Run") -> bool:
        """Whether `run` keeps the promise."""
        return (
            run.lost == 0
            and (self.refused is None or run.refused <= self.refused)
            and (self.share is None or run.refused <= self.share * run.requests)
            and (self.ratio is None or run.seconds <= self.ratio * run.floor)
            and (self.seconds is None or run.seconds <= self.seconds)
            and (self.spread is None or run.spread <= self.spread)
        )


@attrs.frozen(kw_only=True)
class Scenario:
    """Something to run."""

    name: str
    clients: tuple[str, ...]
    """Contenders, each in a process, that start together."""
    sessions: int = 600
    """Shared evenly by the clients."""
    more: int = 0
    """Sessions that the last client fetches beside its share."""
    floor: float | None = FLOOR
    """Seconds that the limit itself costs; ``None``: by the hits, those of others included."""
    setup: Setup = attrs.field(factory=Setup)
    others: str | None = None
    """In which way others take half of the window."""
    redis: bool = False
    """Whether the processes share by a Redis server instead of a file."""
    target: Target | None = None


@attrs.frozen(kw_only=True)
class Run:
    """What became of a scenario."""

    scenario: Scenario
    outcomes: list[Outcome]
    hits: list[Hit]
    """In the order of arrival."""

    @property
    def own(self) -> list[Hit]:
        """The contender's hits."""
        return [hit for hit in self.hits if not hit.foreign]

    @property
    def done(self) -> int:
        """Sessions that came."""
        return sum(outcome.done for outcome in self.outcomes)

    @property
    def lost(self) -> int:
        """Sessions that did not."""
        return self.scenario.sessions + self.scenario.more - self.done

    @property
    def requests(self) -> int:
        """Requests on the wire, by the server's count."""
        return len(self.own)

    @property
    def refused(self) -> int:
        """429s, by the server's count."""
        return sum(hit.refused for hit in self.own)

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        ended = max(outcome.ended for outcome in self.outcomes)
        return ended - min(outcome.started for outcome in self.outcomes)

    @property
    def spread(self) -> float:
        """Seconds of the last process to finish, for each of the first one's."""
        started = min(outcome.started for outcome in self.outcomes)
        ended = [outcome.ended - started for outcome in self.outcomes]
        return max(ended) / min(ended)

    @property
    def cpu(self) -> float:
        """Seconds of the processor for each session."""
        return sum(outcome.cpu for outcome in self.outcomes) / self.done

    @property
    def misses(self) -> bool:
        """Whether there is a target, and this is not it."""
        target = self.scenario.target
        return target is not None and not target.is_met(self)

    @property
    def floor(self) -> float:
        """Seconds that the limit itself costs: all windows but the last one."""
        if self.scenario.floor is not None:
            return self.scenario.floor
        end = max(hit.at for hit in self.own)
        counted = sum(not hit.refused and hit.at <= end for hit in self.hits)
        return (math.ceil(counted / LIMIT) - 1) * WINDOW


CONTENDERS = (
    Scenario(
        name="raydocs_async, told the limit",
        clients=("told",),
        target=Target(refused=3, ratio=1.03),
    ),
    Scenario(
        name="raydocs_async, told nothing", clients=("told nothing",), target=Target(ratio=1.15)
    ),
    Scenario(name="aiohttp_retry", clients=("aiohttp_retry",)),
    Scenario(name="AsyncOpenAI().get", clients=("openai",)),
    Scenario(name="elastic-transport", clients=("elastic-transport",)),
    Scenario(name="aiolimiter + tenacity", clients=("aiolimiter",)),
    Scenario(name="aiohttp, sleeping Retry-After", clients=("by hand",)),
)

TOGETHER = Target(refused=1, ratio=1.03, spread=1.15)
BY_REDIS = attrs.evolve(TOGETHER, ratio=1.04)

PROCESSES = (
    Scenario(name="1, by the headers", clients=("told",)),
    Scenario(
        name="2, by the headers",
        clients=("told",) * 2,
        target=Target(share=0.05, ratio=1.10),
    ),
    Scenario(name="4, by the headers", clients=("told",) * 4),
    Scenario(name="8, by the headers", clients=("told",) * 8),
    Scenario(name="1, by a file", clients=("sharing",), target=TOGETHER),
    Scenario(name="2, by a file", clients=("sharing",) * 2, target=TOGETHER),
    Scenario(name="4, by a file", clients=("sharing",) * 4, target=TOGETHER),
    Scenario(name="8, by a file", clients=("sharing",) * 8, target=TOGETHER),
    Scenario(name="1, by Redis", clients=("sharing",), redis=True, target=BY_REDIS),
    Scenario(name="2, by Redis", clients=("sharing",) * 2, redis=True, target=BY_REDIS),
    Scenario(name="4, by Redis", clients=("sharing",) * 4, redis=True, target=BY_REDIS),
    Scenario(name="8, by Redis", clients=("sharing",) * 8, redis=True, target=BY_REDIS),
)

WEB_WORKERS = (
    Scenario(name="by the headers", clients=("web",) * 4, sessions=4 * ASKED, more=500, floor=None),
    Scenario(
        name="by a file",
        clients=("web sharing",) * 4,
        sessions=4 * ASKED,
        more=500,
        floor=None,
        target=Target(refused=1),
    ),
    Scenario(
        name="by Redis",
        clients=("web sharing",) * 4,
        sessions=4 * ASKED,
        more=500,
        floor=None,
        redis=True,
        target=Target(refused=1),
    ),
)

COST = {
    "by the headers": Scenario(name="alone, by the headers", clients=("told",), sessions=960),
    "by a file": Scenario(name="alone, by a file", clients=("sharing",), sessions=960),
    "by Redis": Scenario(name="alone, by Redis", clients=("sharing",), sessions=960, redis=True),
}
"""One process, whose window is always open, by which the processes' time is compared."""
PAIRS = 9
"""Runs of each, in turns; a busy machine slows all of a turn down."""
DEARER = 1.03
"""CPU time for a session, for each of that by the headers, at most."""

HARD_CASES = (
    Scenario(
        name="half taken by others, evenly",
        clients=("told",),
        sessions=300,
        floor=None,
        others="evenly",
        target=Target(share=0.05),
    ),
    Scenario(
        name="half taken by others, greedily",
        clients=("told",),
        sessions=300,
        floor=None,
        others="greedily",
        target=Target(share=0.05),
    ),
    Scenario(  # 100, 100, 50 and thrice 40
        name="limit changed, 100 → 40",
        clients=("told",),
        sessions=370,
        setup=Setup(change_after=250, changed=40),
        target=Target(),
    ),
    Scenario(  # 0.8 seconds are left of the window that the others took
        name="Retry-After: 0",
        clients=("told",),
        setup=Setup(emptied=2.2, phase=0.9),
        floor=0.8 + FLOOR,
        target=Target(),
    ),
    Scenario(
        name="no headers, told the limit",
        clients=("told",),
        setup=Setup(headers=False),
        target=Target(),
    ),
    Scenario(
        name="no headers, told nothing",
        clients=("told nothing",),
        setup=Setup(headers=False),
        target=Target(),
    ),
)

REAL = (
    Scenario(
        name="250 sessions, 100 in 60 s",
        clients=("as it comes",),
        sessions=250,
        floor=120.0,
        setup=Setup(window=60.0),
        target=Target(seconds=121.5),
    ),
)

GROUPS = {
    "contenders": CONTENDERS,
    "processes": PROCESSES,
    "web": WEB_WORKERS,
    "cases": HARD_CASES,
}


@contextlib.contextmanager
def process(script: str, *arguments: object) -> Iterator[Process]:
    """One of the scripts beside this one; it has ended afterwards."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def next_line(child: Process) -> str:
    """Wait for a line of its output."""
    assert child.stdout
    return child.stdout.readline().strip()


def tell(child: Process, line: str) -> None:
    """Write a line to its input."""
    assert child.stdin
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def final(child: Process) -> Any:
    """End its input, and read what it then prints."""
    output, _ = child.communicate()
    return json.loads(output)


@contextlib.contextmanager
def redis_server(socket: str) -> Iterator[None]:
    """A Redis server that listens on a socket, and keeps nothing."""
    command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while not Path(socket).exists():
                time.sleep(0.01)
            yield
        finally:
            server.terminate()


@contextlib.contextmanager
def contestants(scenario: Scenario) -> Iterator[list[Process]]:
    """The scenario's contenders, ready to start."""
    count, rest = divmod(scenario.sessions, len(scenario.clients))
    assert not rest
    shares = [(index * count, count) for index in range(len(scenario.clients))]
    shares[-1] = (shares[-1][0], count + scenario.more)
    with contextlib.ExitStack() as stack:
        place = f"{stack.enter_context(tempfile.TemporaryDirectory())}/limit"
        if scenario.redis:
            stack.enter_context(redis_server(place))
            place = f"unix://{place}"
        stack.enter_context(mock.patch.dict(os.environ, {SHARED: place}))
        yield [
            stack.enter_context(process("ratelimit_contenders.py", name, *share))
            for name, share in zip(scenario.clients, shares, strict=True)
        ]


@contextlib.contextmanager
def other_traffic(scenario: Scenario) -> Iterator[list[Process]]:
    """The others, if there are any, ready to start."""
    if scenario.others is None:
        yield []
        return
    with process("ratelimit_others.py", scenario.others, LIMIT // 2, WINDOW) as others:
        yield [others]


def execute(scenario: Scenario) -> Run:
    """Run it, everybody starting at once and with a fresh server."""
    with contestants(scenario) as clients, other_traffic(scenario) as others:
        everybody = [*others, *clients]
        for child in everybody:
            next_line(child)
        with process("ratelimit_server.py", json.dumps(attrs.asdict(scenario.setup))) as server:
            url = next_line(server)
            for child in everybody:
                tell(child, url)
            outcomes = [Outcome(**final(client)) for client in clients]
            for other in others:
                other.kill()
                other.wait()  # else it would miss the server
            hits = [Hit(*fields) for fields in final(server)]
    return Run(scenario=scenario, outcomes=outcomes, hits=hits)


HEAD = ("", "done", "lost", "requests", "429s", "seconds", "× floor", "last ÷ first", "target", "")


def row(run: Run) -> tuple[str, ...]:
    """A line of the table. A run that lost sessions has no ratio: giving up is fast."""
    target = run.scenario.target
    return (
        run.scenario.name,
        f"{run.done}",
        f"{run.lost}",
        f"{run.requests:,}".replace(",", " "),
        f"{run.refused:,}".replace(",", " "),
        f"{run.seconds:.2f}",
        "–" if run.lost else f"{run.seconds / run.floor:.3f}",
        f"{run.spread:.2f}" if len(run.outcomes) > 1 else "",
        str(target or ""),
        "" if target is None else "**miss**" if run.misses else "pass",
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that is a table in a terminal, too."""
    kept = [index for index in range(len(HEAD)) if any(row[index] for row in rows)]
    lines = [[row[index] for index in kept] for row in (HEAD, *rows)]
    left = [at for at, index in enumerate(kept) if HEAD[index] in ("", "target")]
    return layout(lines, left)


def layout(lines: Sequence[Sequence[str]], left: Sequence[int]) -> str:
    """The lines of a table, those columns flush left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * width if index in left else "-" * (width - 1) + ":"
        for index, width in enumerate(widths)
    ]
    return "\n".join([line(lines[0]), line(rule), *map(line, lines[1:])])


def notes(run: Run) -> Iterator[str]:
    """What the table has no column for."""
    for outcome in run.outcomes:
        for error, times in outcome.errors.items():
            yield f"{times} × {error}"
    if others := [hit for hit in run.hits if hit.foreign]:
        refused = sum(hit.refused for hit in others)
        yield f"others: {len(others) - refused} hits and {refused} 429s"


def compare_cost(only: str) -> tuple[str, bool]:
    """Compare the CPU time for a session; return the table, and if a target was missed."""
    kept = {name: scenario for name, scenario in COST.items() if only in scenario.name}
    if "by the headers" not in kept:
        return "", False
    always_open = Setup(limit=1_000_000, window=60.0)
    turns = [
        {name: execute(attrs.evolve(each, setup=always_open)).cpu for name, each in kept.items()}
        for _ in range(PAIRS)
    ]
    lines = [("", "µs a session", "× by the headers", "target", "")]
    missed = False
    for name in kept:
        ratio = statistics.median(turn[name] / turn["by the headers"] for turn in turns)
        micros = statistics.median(turn[name] for turn in turns) * 1e6
        target = "" if name == "by the headers" else f"≤ {DEARER:.2f} ×"
        missed |= ratio > DEARER
        verdict = target and ("**miss**" if ratio > DEARER else "pass")
        lines.append((name, f"{micros:.0f}", f"{ratio:.3f}", target, verdict))
    return layout(lines, left=(0, 3, 4)), missed


def versions() -> str:
    """Of what the benchmark ran with."""
    of_packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"CPython {platform.python_version()}, {of_packages}."


def lanes(runs: Sequence[Run]) -> list[Lane]:
    """What the picture shows."""
    return [
        Lane(
            name=run.scenario.name,
            lost=run.lost,
            hits=run.hits,
            seconds=run.seconds,
            window=run.scenario.setup.window,
        )
        for run in runs
    ]


def replace(page: str, name: str, content: str) -> str:
    """Put `content` between the two comments that mark the place called `name`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    assert pattern.search(page), f"{PAGE} has no place for {name}"
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", page)


def write_docs(runs: Mapping[str, Sequence[Run]], cost: str) -> None:
    """Put tables, versions and pictures where they belong; a group that is not whole stays out."""
    page = PAGE.read_text(encoding="utf-8")
    for name, group in runs.items():
        if len(group) == len(GROUPS.get(name, REAL)):
            page = replace(page, name, table([row(run) for run in group]))
    if len(runs.get("contenders", ())) == len(CONTENDERS):
        page = replace(page, "versions", versions())
        PICTURE.write_text(draw(lanes(runs["contenders"]), FLOOR), encoding="utf-8")
    many = [run for run in runs.get("processes", ()) if len(run.outcomes) == 8]
    if many:
        PICTURE_OF_PROCESSES.write_text(draw(lanes(many), FLOOR), encoding="utf-8")
    if cost:
        page = replace(page, "cost", cost)
    PAGE.write_text(page, encoding="utf-8")


def run_all(groups: Mapping[str, Sequence[Scenario]], only: str) -> dict[str, list[Run]]:
    """Run the scenarios that have `only` in their names, and print as they come."""
    runs: dict[str, list[Run]] = {}
    for name, scenarios in groups.items():
        for scenario in scenarios:
            if only not in scenario.name:
                continue
            run = execute(scenario)
            runs.setdefault(name, []).append(run)
            print(f"{scenario.name}: {run.seconds:.2f} s", *notes(run), sep="; ", flush=True)
    return runs


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--real", action="store_true", help="run the service's own limit instead")
    parser.add_argument("--write-docs", action="store_true", help="write tables and picture")
    parser.add_argument("--only", default="", metavar="NAME", help="run what has NAME in its name")
    return parser.parse_args()


def main() -> int:
    """Run, print, and perhaps write; the exit code."""
    chosen = options()
    print(versions(), flush=True)
    runs = run_all({"real": REAL} if chosen.real else GROUPS, chosen.only)
    for group in runs.values():
        print(f"\n{table([row(run) for run in group])}")
    cost, missed = ("", False) if chosen.real else compare_cost(chosen.only)
    print(f"\n{cost}")
    if chosen.write_docs:
        write_docs(runs, cost)
    everything = [run for group in runs.values() for run in group]
    return int(missed or any(run.misses for run in everything))


if __name__ == "__main__":
    sys.exit(main())
