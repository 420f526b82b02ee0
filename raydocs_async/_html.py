"""A table in HTML, for notebooks."""

from collections.abc import Iterator, Sequence
from html import escape

MOST_ROWS = 20
"""Rows of each part that are shown, at most."""

Row = Sequence[object]


def table(caption: object, head: Row, *parts: Sequence[Row]) -> str:
    """Return a table; its texts are escaped, and ``None`` is an empty cell."""
    rows = "".join(_row("td", row) for part in parts for row in _first(part))
    caption = escape(str(caption))
    return f"<table><caption>{caption}</caption>{_row('th', head)}{rows}</table>"


def _first(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield the first rows, and a last one with the number of the others."""
    yield from rows[:MOST_ROWS]
    if len(rows) > MOST_ROWS:
        yield ("", f"… and {len(rows) - MOST_ROWS} more")


def _row(tag: str, cells: Row) -> str:
    texts = (escape("" if cell is None else str(cell)) for cell in cells)
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"
