"""Draws the site's pictures: ``python docs/pictures.py`` writes them into docs/_static.

The modules' layers come from the contract in pyproject.toml, and the progress display is one of a
real run of the command ``demo``, taken in its middle.
"""

import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from rich.console import Console

from raydocs_async import Progress
from raydocs_async.cli import _demo, _progress

STATIC = Path(__file__).parent / "_static"
CONTRACTS = Path(__file__).parents[1] / "pyproject.toml"

BOX, GAP, ROW, WIDTH = 30, 10, 44, 680
STYLE = """
text { font: 14px ui-monospace, Consolas, monospace; fill: #1f2933; text-anchor: middle }
rect { fill: #e3e9f0; stroke: #66727f }
.paper { fill: #fff; stroke: none }
"""


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


class Photographer(_progress.Live):
    """The display, which is also taken a picture of while the job waits for its third window."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
        self.is_taken = False

    def update(self, progress: Progress, seconds: float) -> None:
        """Take it at the right moment."""
        super().update(progress, seconds)
        window = progress.rate_limit
        if not self.is_taken and progress.done > 100 and not window.remaining and progress.eta:
            self.is_taken = True
            self.picture.print(self._region.get_renderable())


def progress() -> str:
    """The terminal of a person who runs the demo."""
    photographer = Photographer()
    photographer.picture.print("[bold]$ raydocs-async demo[/]", highlight=False)
    with mock.patch.object(_demo, "choose", return_value=photographer):
        _demo.run(output=None, quiet=False)
    svg = photographer.picture.export_svg(title="raydocs-async", unique_id="progress")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # they are on the network


if __name__ == "__main__":
    (STATIC / "layers.svg").write_text(layers(), encoding="utf-8")
    (STATIC / "progress.svg").write_text(progress(), encoding="utf-8")
