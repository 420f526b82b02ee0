"""Draws the site's pictures: ``python docs/pictures.py`` writes them into docs/_static.

The modules' layers come from the contract in pyproject.toml; the picture of the models checks its
names against them, so that a renamed field is an error. A progress display is of a real job
in its middle, on a virtual clock, so that it is the same each time.
"""

import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import looptime
from rich.console import Console
from rich.live import Live

from raydocs_async import (
    Chunk,
    Document,
    Evidence,
    Parsing,
    Progress,
    RateLimit,
    RaydocsClient,
    Result,
    Session,
)
from raydocs_async.cli import _demo
from raydocs_async.cli._progress import LiveReporter
from raydocs_async.cli._snapshot import Snapshot
from raydocs_async.testing import FakeTransport

STATIC = Path(__file__).parent / "_static"
CONTRACTS = Path(__file__).parents[1] / "pyproject.toml"

BOX, GAP, ROW, WIDTH = 30, 10, 44, 680
STYLE = """
text { font: 14px ui-monospace, Consolas, monospace; fill: #1f2933; text-anchor: middle }
rect { fill: #e3e9f0; stroke: #66727f }
line, path { fill: none; stroke: #66727f }
.paper { fill: #fff; stroke: none }
.label { font-size: 12px; paint-order: stroke; stroke: #fff; stroke-width: 6px }
.burst { stroke-width: 3 }
.apart { stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #d5dbe1 }
  rect { fill: #2b333b; stroke: #8593a1 }
  line, path { stroke: #8593a1 }
  .paper { fill: #131416 }
  .label { stroke: #131416 }
}
"""

STEP, MODEL_WIDTH = 90, 110
MODELS = {
    Session.__name__: (340, 0),
    Document.__name__: (160, 1),
    Result.__name__: (520, 1),
    Parsing.__name__: (75, 2),
    Chunk.__name__: (245, 2),
    attrs.fields(Result).audit_data.name: (435, 2),
    attrs.fields(Result).data.name: (605, 2),
}
"""Each model, or part of one, with the middle of its box and its row."""
PARTS = (
    ("Session", "Document", attrs.fields(Session).documents.name),
    ("Session", "Result", attrs.fields(Session).results.name),
    ("Document", "Parsing", attrs.fields(Document).parsings.name),
    ("Document", "Chunk", f"{RaydocsClient.get_chunks.__name__}()"),
    ("Result", "audit_data", ""),
    ("Result", "data", ""),
)
REFERENCES = (
    ("Result", "Document", attrs.fields(Result).document_refs.name),
    ("audit_data", "Chunk", attrs.fields(Evidence).chunk_id.name),
)

MACHINES_TOP, MACHINES_HEIGHT, BLOCKS = 40, 240, 8

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
    return _sheet(height, boxes)


def _sheet(height: int, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">\n'
        f'<style>{STYLE}</style>\n<rect class="paper" width="{WIDTH}" height="{height}"/>\n'
        f"{content}\n</svg>\n"
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


def models() -> str:
    """The models: solid lines lead to parts, dashed ones to other objects by their ids."""
    return _sheet(2 * STEP + BOX + 2 * GAP, "\n".join([*_parts(), *_references(), *_models()]))


def _models() -> Iterator[str]:
    for name, (middle, row) in MODELS.items():
        top = GAP + STEP * row
        apart = ' class="apart"' if name == Chunk.__name__ else ""  # not a part of the session
        yield (
            f'<rect x="{middle - MODEL_WIDTH // 2}" y="{top}" width="{MODEL_WIDTH}" '
            f'height="{BOX}" rx="4"{apart}/>'
        )
        yield f'<text x="{middle}" y="{top + 20}">{name}</text>'


def _parts() -> Iterator[str]:
    for whole, part, label in PARTS:
        (left, row), (right, _) = MODELS[whole], MODELS[part]
        top, bottom = GAP + STEP * row + BOX, GAP + STEP * (row + 1)
        yield f'<line x1="{left}" y1="{top}" x2="{right}" y2="{bottom}"/>'
        if label:
            yield _label((left + right) / 2, (top + bottom) / 2 + 4, label)


def _references() -> Iterator[str]:
    for origin, target, label in REFERENCES:
        (right, row), (left, _) = MODELS[origin], MODELS[target]
        start, tip = right - MODEL_WIDTH // 2, left + MODEL_WIDTH // 2
        height = GAP + STEP * row + BOX // 2
        yield f'<line class="apart" x1="{start}" y1="{height}" x2="{tip}" y2="{height}"/>'
        yield f'<path d="M{tip + 8},{height - 4} L{tip},{height} L{tip + 8},{height + 4}"/>'
        yield _label((start + tip) / 2, height - 8, label)


def _label(middle: float, bottom: float, label: str) -> str:
    return f'<text class="label" x="{middle:g}" y="{bottom:g}">{label}</text>'


def machines() -> str:
    """Blocks of ids, each to the next idle fetcher, with its address and window, and Parquet."""
    parts = [
        _stack(10, "ids", MACHINES_TOP, BLOCKS),
        *(part for row in range(3) for part in _fetcher(row)),
        _stack(560, "Parquet", MACHINES_TOP, BLOCKS),
    ]
    return _sheet(MACHINES_HEIGHT, "\n".join(parts))


def _stack(left: int, name: str, top: int, number: int) -> str:
    """A file that consists of blocks."""
    blocks = "".join(
        f'<rect x="{left}" y="{top + 24 * row}" width="110" height="20" rx="3"/>'
        for row in range(number)
    )
    return f'<text x="{left + 55}" y="{top - 12}">{name}</text>{blocks}'


def _fetcher(row: int) -> Iterator[str]:
    """A fetcher with the bursts of its windows; the arrows into it and out of it."""
    top = MACHINES_TOP + 10 + 60 * row
    middle = top + 22
    for start, end in ((124, 196), (484, 556)):
        yield f'<line x1="{start}" y1="{middle}" x2="{end}" y2="{middle}"/>'
        yield f'<path d="M{end - 8},{middle - 4} L{end},{middle} L{end - 8},{middle + 4}"/>'
    yield f'<rect x="200" y="{top}" width="280" height="44" rx="4"/>'
    yield f'<text x="270" y="{top + 27}">address {row + 1}</text>'
    for window in range(3):
        left = 345 + 42 * window
        yield f'<line x1="{left}" y1="{top + 34}" x2="{left + 38}" y2="{top + 34}"/>'
        yield f'<path class="burst" d="M{left + 2},{top + 34} v-22 m4,22 v-22 m4,22 v-14"/>'


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
        self.update(Snapshot(progress=progress, seconds=0))
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


PICTURES = {
    "layers.svg": layers,
    "models.svg": models,
    "ray.svg": machines,
    "demo.svg": demo,
    "fetch.svg": tutorial,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (STATIC / name).write_text(draw(), encoding="utf-8")
