"""Draws the site's pictures: ``python docs/pictures.py`` writes them into docs/_static.

The modules' layers come from the contract in pyproject.toml. A progress display is of a real job
in its middle, on a virtual clock, so that it is the same each time.
"""

import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import looptime
from rich.console import Console
from rich.live import Live

from raydocs_async import Progress, RateLimit, RaydocsClient
from raydocs_async.cli import _demo
from raydocs_async.cli._progress import LiveReporter
from raydocs_async.testing import FakeTransport

STATIC = Path(__file__).parent / "_static"
CONTRACTS = Path(__file__).parents[1] / "pyproject.toml"

BOX, GAP, ROW, WIDTH = 30, 10, 44, 680
STYLE = """
text { font: 14px ui-monospace, Consolas, monospace; fill: #1f2933; text-anchor: middle }
rect { fill: #e3e9f0; stroke: #66727f }
.paper { fill: #fff; stroke: none }
"""

LATENCY = 0.03
"""Seconds that a request takes."""


def layers() -> str:
    """The modules, a row for each layer, the highest first."""
    contracts = tomllib.loads(CONTRACTS.read_text(encoding="utf-8"))["tool"]["importlinter"]
    rows = [row.strip("()").split(" | ") for row in contracts["contracts"][0]["layers"]]
    there = [row for row in rows if any(map(_exists, row)) and row != ["__main__"]]
    height = ROW * len(there) + GAP
    boxes = "\n".join(
        box for number, row in enumerate(there) for box in _boxes(row, GAP + ROW * number)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">\n'
        f'<style>{STYLE}</style>\n<rect class="paper" width="{WIDTH}" height="{height}"/>\n'
        f"{boxes}\n</svg>\n"
    )


def _exists(module: str) -> bool:
    package = CONTRACTS.parent / "raydocs_async"
    return (package / module).is_dir() or (package / f"{module}.py").is_file()


def _boxes(names: list[str], top: int) -> Iterator[str]:
    width = (WIDTH - GAP) / len(names) - GAP
    for column, name in enumerate(names):
        left = GAP + column * (width + GAP)
        yield f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{BOX}" rx="4"/>'
        yield f'<text x="{left + width / 2:g}" y="{top + 20}">{name}</text>'


class Photographer(LiveReporter):
    """The display of a job, on a terminal of which a picture can be taken."""

    def __init__(self) -> None:
        super().__init__()
        self._console = Console(
            record=True,
            width=86,
            file=io.StringIO(),
            force_terminal=True,
            get_time=lambda: 0.0,  # holds the spinner
        )
        self._live = Live(console=self._console, auto_refresh=False)

    def take(self, command: str, progress: Progress) -> str:
        """Return the picture of the terminal in which `command` has come as far as `progress`."""
        self.update(progress, seconds=0)
        self._console.print(f"[bold]$ {command}[/]", highlight=False)
        self._console.print(self._live.get_renderable())
        svg = self._console.export_svg(title="raydocs-async", unique_id="progress")
        return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # they are on the network


async def _wait_for_window(sessions: int, limit: RateLimit, number: int) -> Progress:
    """The progress of a job that has used up its first windows, as many as `number`."""
    fake = FakeTransport(limit.requests, limit.per, latency=LATENCY)
    async with (
        RaydocsClient(fake.token, transport=fake, rate_limit=limit) as client,
        client.stream_sessions(fake.ids(sessions)) as stream,
    ):
        async for _ in stream:
            progress = stream.progress
            if progress.done == number * limit.requests:
                break
    return progress


def terminal(command: str, sessions: int, limit: RateLimit, number: int) -> str:
    """The terminal of a person who runs `command`, while the job waits for its next window."""
    loop = looptime.new_event_loop()
    try:
        progress = loop.run_until_complete(_wait_for_window(sessions, limit, number))
    finally:
        loop.close()
    return Photographer().take(command, progress)


def demo() -> str:
    """The demo, without its faults."""
    limit = RateLimit(requests=_demo.LIMIT, per=_demo.WINDOW)
    return terminal("raydocs-async demo", _demo.SESSIONS, limit, number=2)


def tutorial() -> str:
    """The tutorial's job."""
    command = "raydocs-async fetch -i ids.txt -o sessions.jsonl --rate-limit 100/2"
    return terminal(command, 250, RateLimit(requests=100, per=2), number=1)


PICTURES = {"layers.svg": layers, "demo.svg": demo, "fetch.svg": tutorial}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (STATIC / name).write_text(draw(), encoding="utf-8")
