"""The formats of a table: DuckDB writes its own, CSV and Parquet; JSON and SQLite take its rows.

DuckDB could write SQLite by an extension only, which it would fetch from the network, and its JSON
would spell a number as the nearest double.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from raydocs_async.cli._table_columns import Column
from raydocs_async.cli._table_database import Database, quote

_MAX_GROUP_ROWS: Final = 122_880
"""Rows of a row group that DuckDB chooses."""
_MAX_GROUP_CELLS: Final = 2_000_000

Write: TypeAlias = Callable[[Database, Sequence[Column], Path, str], None]
"""Writes the table: takes the database, the columns, a new file's path, and the table's name."""


def _write_parquet(database: Database, columns: Sequence[Column], path: Path, _: str) -> None:
    # A row group is built in memory.
    rows = max(2048, min(_MAX_GROUP_ROWS, _MAX_GROUP_CELLS // len(columns)))
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}"
    database.execute(f"COPY ({_select_typed(columns)}) TO {_text(path)} ({options})")


def _write_csv(database: Database, columns: Sequence[Column], path: Path, _: str) -> None:
    names = ", ".join(f"{each.id} AS {quote(each.name)}" for each in columns)
    database.execute(f"COPY (SELECT {names} FROM rows) TO {_text(path)} (FORMAT csv, HEADER)")


def _write_duckdb(database: Database, columns: Sequence[Column], path: Path, name: str) -> None:
    database.execute(f"ATTACH {_text(path)} AS target")
    database.execute(f"CREATE TABLE target.{quote(name)} AS {_select_typed(columns)}")
    database.execute("DETACH target")


def _write_sqlite(database: Database, columns: Sequence[Column], path: Path, name: str) -> None:
    table = ", ".join(f"{quote(each.name)} {each.sqlite_type}" for each in columns)
    marks = ", ".join("?" * len(columns))
    casts = {"INTEGER": "BIGINT", "REAL": "DOUBLE", "TEXT": "VARCHAR"}
    cells = (
        f"CAST(CAST({each.id} AS {each.sql_type}) AS BIGINT)"
        if each.sql_type == "BOOLEAN"
        else f"CAST({each.id} AS {casts[each.sqlite_type]})"
        for each in columns
    )
    # Autocommit would write each row to the disk; the file is thrown away if anything fails.
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        target.execute(f"CREATE TABLE {quote(name)} ({table})")
        target.execute("BEGIN")
        for rows in database.select(f"SELECT {', '.join(cells)} FROM rows"):
            target.executemany(f"INSERT INTO {quote(name)} VALUES ({marks})", rows)
        target.execute("COMMIT")


def _write_json(database: Database, columns: Sequence[Column], path: Path, _: str) -> None:
    names = [msgspec.json.encode(each.name).decode() for each in columns]
    spell = [_as_it_is if _is_bare(each) else _as_string for each in columns]
    separator = "[\n"
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for rows in database.select(f"SELECT {', '.join(each.id for each in columns)} FROM rows"):
            for row in rows:
                cells = (
                    f"{name}:{'null' if cell is None else write(cell)}"
                    for name, write, cell in zip(names, spell, row, strict=True)
                )
                file.write(f"{separator}{{{','.join(cells)}}}")
                separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def _is_bare(column: Column) -> bool:
    """Return True if the column's values stand without quotes in JSON."""
    return column.is_json or column.sql_type not in ("VARCHAR", "TIMESTAMPTZ")


def _as_it_is(cell: str) -> str:
    return cell


def _as_string(cell: str) -> str:
    return msgspec.json.encode(cell).decode()


def _select_typed(columns: Sequence[Column]) -> str:
    cells = (f"CAST({each.id} AS {each.sql_type}) AS {quote(each.name)}" for each in columns)
    return f"SELECT {', '.join(cells)} FROM rows"


def _text(path: Path) -> str:
    doubled = str(path).replace("'", "''")
    return f"'{doubled}'"


FORMATS: Final[dict[str, Write]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".json": _write_json,
    ".duckdb": _write_duckdb,
    ".sqlite": _write_sqlite,
}
"""Writers of a table, by the suffix of the file."""
