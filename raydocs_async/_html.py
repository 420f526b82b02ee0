"""A table in HTML, for notebooks."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import chain, islice

MOST_ROWS = 20
"""Rows of each part that are shown, at most."""

Row = Sequence[object]


def first(rows: Iterable[Row], count: int) -> Iterator[Row]:
    """Yield the first of `count` rows, and a last row with the number of the others."""
    yield from islice(rows, MOST_ROWS)
    if count > MOST_ROWS:
        yield ("", f"… and {count - MOST_ROWS} more")


def table(caption: object, head: Row, *parts: Iterable[Row]) -> str:
    """Return a table; its texts are escaped, and ``None`` is an empty cell."""
    rows = "".join(_row("td", row) for row in chain(*parts))
    caption = escape(str(caption))
    return f"<table><caption>{caption}</caption>{_row('th', head)}{rows}</table>"


def _row(tag: str, cells: Row) -> str:
    texts = (escape("" if cell is None else str(cell)) for cell in cells)
    return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"
