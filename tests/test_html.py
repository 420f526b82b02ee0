"""The table that a notebook shows."""

from raydocs_async._html import MOST_ROWS, table


def test_a_table() -> None:
    """A caption, a head, and the rows of all parts, one after the other."""
    assert table("Q3", ("a", "b"), [(1, 2)], [], [("x", "y")]) == (
        "<table><caption>Q3</caption><tr><th>a</th><th>b</th></tr>"
        "<tr><td>1</td><td>2</td></tr><tr><td>x</td><td>y</td></tr></table>"
    )


def test_nothing_is_markup() -> None:
    """The texts of caption, head and cells are shown as they are."""
    shown = "&lt;b&gt; &amp;"
    assert table("<b> &", ["<b> &"], [["<b> &"]]) == (
        f"<table><caption>{shown}</caption><tr><th>{shown}</th></tr>"
        f"<tr><td>{shown}</td></tr></table>"
    )


def test_nothing_to_show() -> None:
    """`None` is an empty cell, and other values without a truth are not."""
    assert "<tr><td></td><td>0</td></tr>" in table("", (), [(None, 0)])


def test_a_few_rows() -> None:
    """Up to the limit, all rows of a part are shown, and nothing else."""
    rows = [(each,) for each in range(MOST_ROWS)]
    assert table("", (), rows).count("<td>") == MOST_ROWS


def test_many_rows() -> None:
    """Of one more, the first ones are shown, and in a row of its own how many are not."""
    rows = [(each,) for each in range(MOST_ROWS + 1)]
    shown = table("", (), rows)
    assert shown.endswith("<tr><td>19</td></tr><tr><td></td><td>… and 1 more</td></tr></table>")
