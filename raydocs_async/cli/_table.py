"""The job of ``table``: the sessions in a file of `fetch` as a table."""

import contextlib
import sqlite3
from pathlib import PurePath

import click
import duckdb

from raydocs_async import Session
from raydocs_async.cli._byte_bar import byte_bar
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._options import TableOptions
from raydocs_async.cli._printable import printable
from raydocs_async.cli._records import count_bytes, read_failures, read_sessions
from raydocs_async.cli._streams import is_same_input, say
from raydocs_async.cli._table_database import Database
from raydocs_async.cli._table_formats import FORMATS, Write
from raydocs_async.cli._table_rows import DATA, FAILURES, ITEM, KINDS, RESULTS, Rows, explode
from raydocs_async.cli._table_store import RowStore
from raydocs_async.cli._text import name_choices, plural, remind
from raydocs_async.cli._whole_file import WholeFile


def run(options: TableOptions) -> ExitCode:
    """Make the table that the options ask for.

    Raises:
        CannotStart: a file or an option is unusable; nothing was written.
        CommandFailed: the table cannot be written; nothing was kept.
        click.UsageError: options contradict each other; nothing was done.
    """
    rows = _choose_rows(options)
    write = _choose_format(options)
    with WholeFile(options.output, overwrite=options.overwrite) as target:
        try:
            with contextlib.closing(Database(target.folder)) as database:
                store = RowStore(database, rows.keys, options.columns)
                inputs, unfinished = _fill(store, rows, options)
                repeated = store.count_repeated()
                columns = store.finish()
                if options.explode is not None:
                    _check_exploded(store, options.explode)
                write(database, columns, target.part, options.rows)
        except (duckdb.Error, sqlite3.Error, OSError) as exc:
            raise target.failure(_reason(exc)) from None
        target.keep()
    if repeated:
        say(f"{plural(repeated, 'session')} found more than once; so are the rows.")
    if unfinished or not options.quiet:
        shape = f"{plural(store.count, 'row')} and {plural(len(columns), 'column')}"
        say(f"{shape} of {inputs} written to {target.name}{remind(unfinished)}.")
    return ExitCode.OK


def _choose_rows(options: TableOptions) -> Rows:
    rows = KINDS[options.rows]
    if options.explode is None:
        return rows
    if options.rows != RESULTS:
        raise click.UsageError("--explode takes an array in the data, so it needs --rows results")
    return explode(rows, options.explode)


def _choose_format(options: TableOptions) -> Write:
    """Return the writer for the output's suffix, and refuse an output that is read."""
    if any(is_same_input(path, options.output) for path in options.files):
        raise click.UsageError("the table would replace the file that it is made of")
    write = FORMATS.get(PurePath(options.output).suffix.lower())
    if write is None:
        raise click.UsageError(
            f"{printable(options.output)}: the suffix is to say the format; it is one of "
            f"{', '.join(FORMATS)}"
        )
    return write


def _fill(store: RowStore, rows: Rows, options: TableOptions) -> tuple[str, int]:
    """Add the rows of all files.

    Returns:
        The number of the sessions or failures in words, and that of the unfinished sessions.
    """
    is_failures = options.rows == FAILURES
    read = read_failures if is_failures else read_sessions
    count = unfinished = 0
    with byte_bar(quiet=options.quiet) as bar:
        task = bar.add_task("", total=count_bytes(options.files))
        for each in read(options.files, lambda size: bar.advance(task, size)):
            count += 1
            if isinstance(each, Session):
                store.add_source(str(each.id))
                unfinished += not each.is_finished
            for row in rows.build(each):
                store.add(row)
    return plural(count, "failure" if is_failures else "session"), unfinished


def _check_exploded(store: RowStore, path: str) -> None:
    """Refuse a path at which no result has an array with items."""
    if store.count and not store.columns[ITEM].kinds:
        arrays = [
            each.name for key, each in store.columns.items() if key[0] == DATA and each.is_json
        ]
        choices = name_choices(arrays, path)
        there = f"arrays are at {choices}" if arrays else "the data has no arrays"
        raise CannotStart(f"no result has an array with items at {printable(path)}; {there}")


def _reason(error: Exception) -> str:
    """Return the first line of an error; DuckDB adds advice on further ones."""
    return str(error).partition("\n")[0]
