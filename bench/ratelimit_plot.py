"""The picture of the rate-limit benchmark, as SVG written by hand: a lane for each contender.

In a lane, the server's windows are shaded, what was let in is above the line, and what was refused
is below it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import attrs
from ratelimit_server import Hit

BIN = 0.05
"""Seconds that a bar stands for."""
FULL = 40
"""Requests in a bar of full height; more are cut off."""

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 250, 80, 78, 44
LANE, HEIGHT = 78, 31
INK, FAINT, SHADE, PASSED, REFUSED = "#1f2933", "#66727f", "#e3e9f0", "#2266aa", "#d33a2c"

STYLE = f"""
text {{ font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: {INK} }}
.name {{ font-weight: 600 }}
.faint {{ fill: {FAINT}; font-size: 12px }}
.bad {{ fill: {REFUSED} }}
.end {{ font-weight: 600 }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #d5dbe1 }}
  .faint {{ fill: #98a4b0 }}
  .bad {{ fill: #ff7a6b }}
  [fill="white"] {{ fill: #131416 }}
  [fill="{SHADE}"] {{ fill: #2b333b }}
  [fill="{PASSED}"] {{ fill: #5aa2e6 }}
  [stroke="{PASSED}"] {{ stroke: #5aa2e6 }}
  [stroke="{INK}"] {{ stroke: #d5dbe1 }}
}}
""".strip()
"""In dark mode, rules for the colours below: a rule is stronger than an attribute."""


@attrs.frozen(kw_only=True)
class Lane:
    """A contender's share of the picture."""

    name: str
    lost: int
    hits: Sequence[Hit]
    """In the order of arrival."""
    seconds: float
    """How long it took."""
    window: float
    """Seconds that a window lasts."""

    @property
    def refused(self) -> int:
        """429s."""
        return sum(hit.refused for hit in self.hits)


@attrs.frozen
class Scale:
    """From seconds to pixels."""

    seconds: int

    def x(self, at: float) -> float:
        """Where a time is."""
        return LEFT + at * (WIDTH - LEFT - RIGHT) / self.seconds


def draw(lanes: Sequence[Lane], floor: float) -> str:
    """The whole picture; `floor` is the time that the limit itself costs, in seconds."""
    scale = Scale(math.ceil(max(lane.seconds for lane in lanes)))
    height = TOP + LANE * len(lanes) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Requests over time, by contender</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        *legend(),
        *(part for row, lane in enumerate(lanes) for part in lane_parts(lane, row, scale)),
        *axis(scale, TOP + LANE * len(lanes)),
        *floor_line(scale.x(floor), TOP + LANE * len(lanes), floor),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """Some words, with their base line at `y`."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def box(x: float, y: float, width: float, height: float, color: str) -> str:
    """A filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'
    )


def legend() -> Iterator[str]:
    """What the colours mean."""
    x = 20
    for color, words, width in (
        (PASSED, "let in", 70),
        (REFUSED, "refused with a 429", 150),
        (SHADE, "a window of the server: 3 s from its first request, 100 requests", 420),
    ):
        yield box(x, 16, 12, 12, color)
        yield text(x + 18, 27, words)
        x += width + 18
    yield text(20, 48, f"A bar is {BIN * 1000:.0f} ms, cut off at {FULL} requests.", "faint")


def lane_parts(lane: Lane, row: int, scale: Scale) -> Iterator[str]:
    """One contender."""
    line = TOP + LANE * row + LANE / 2
    start = lane.hits[0].at
    yield from shades(lane, line, scale)
    for refused, color, up in ((False, PASSED, -1), (True, REFUSED, 1)):
        times = (hit.at - start for hit in lane.hits if hit.refused is refused)
        yield bars(times, line, up, color, scale)
    yield f'<path d="M{LEFT} {line}H{WIDTH - RIGHT}" stroke="{FAINT}" stroke-width="0.5"/>'
    yield text(20, line - 4, lane.name, "name")
    yield text(20, line + 13, f"429s: {lane.refused:,}".replace(",", "\N{NO-BREAK SPACE}"), "faint")
    end = scale.x(lane.seconds) + 7
    yield text(end, line - 4, f"{lane.seconds:.1f} s", "end")
    if lane.lost:
        yield text(end, line + 13, f"{lane.lost} lost", "bad end")


def shades(lane: Lane, line: float, scale: Scale) -> Iterator[str]:
    """Its windows, each from its first hit on."""
    start = lane.hits[0].at
    opened: dict[int, float] = {}
    for hit in lane.hits:
        opened.setdefault(hit.window, hit.at - start)
    for at in opened.values():
        until = min(at + lane.window, scale.seconds)
        x = scale.x(at)
        yield box(x, line - HEIGHT - 2, scale.x(until) - x - 1, 2 * HEIGHT + 4, SHADE)


def bars(times: Iterable[float], line: float, up: int, color: str, scale: Scale) -> str:
    """A bar for each `BIN` in which there was something."""
    width = scale.x(BIN) - scale.x(0)
    path = "".join(
        f"M{scale.x((index + 0.5) * BIN):.1f} {line:.1f}v{up * HEIGHT * min(1, count / FULL):.1f}"
        for index, count in sorted(Counter(int(at / BIN) for at in times).items())
    )
    return f'<path d="{path}" stroke="{color}" stroke-width="{width:.2f}"/>'


def axis(scale: Scale, y: float) -> Iterator[str]:
    """Seconds."""
    for second in range(0, scale.seconds + 1, 3):
        yield text(scale.x(second), y + 20, f"{second} s", "faint", "middle")


def floor_line(x: float, y: float, floor: float) -> Iterator[str]:
    """Where the last window that is needed can open at the earliest."""
    yield f'<path d="M{x:.1f} {TOP - 8}V{y}" stroke="{INK}" stroke-dasharray="3 4"/>'
    yield text(x, TOP - 14, f"the limit allows no less than {floor:g} s", "faint", "middle")
