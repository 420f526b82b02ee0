"""``table``: fetched sessions as a table."""

import sys
from importlib.util import find_spec

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._options import (
    TABLE_FORMATS,
    TableOptions,
    overwrite_option,
    parse_names,
    quiet_option,
    target_option,
)

_KINDS = ("results", "fields", "documents", "sessions", "failures")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@target_option(f"OUT.{{{','.join(TABLE_FORMATS)}}}")
@click.option(
    "--rows",
    type=click.Choice(_KINDS),
    default="results",
    show_default=True,
    help="What a row is: a result with its data, a value with its reasoning and its place, a "
    "document, a session, or a failure (of the errors file of `fetch`).",
)
@click.option(
    "--columns",
    multiple=True,
    callback=parse_names,
    metavar="NAMES",
    help="Only these columns, in this order, separated by commas; can be repeated.",
)
@click.option(
    "--explode",
    metavar="PATH",
    help="A row for each item of the array at this path of the data, such as invoice.lines.",
)
@overwrite_option
@quiet_option
def table(
    files: tuple[str, ...],
    *,
    output: str,
    rows: str,
    columns: tuple[str, ...],
    explode: str | None,
    overwrite: bool,
    quiet: bool,
) -> ExitCode:
    """Make a table of fetched sessions.

    FILE is what `fetch` has written, also compressed; several are one table. The data of results
    becomes columns such as invoice.total, each of a type that holds all of its values exactly.
    """
    if find_spec("duckdb") is None:
        raise CannotStart(_explain_missing())
    options = TableOptions(files, output, rows, columns or None, explode, overwrite, quiet)
    return _lazy.table.run(options)


def _explain_missing() -> str:
    if getattr(sys, "frozen", False):  # users cannot install packages into a frozen program
        return "This program was built without duckdb, which `table` needs"
    return "`table` needs duckdb: pip install 'raydocs-async[cli,table]'"
