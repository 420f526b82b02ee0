"""Ids in a column of a Parquet file, by DuckDB."""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from raydocs_async.cli._id_tables import find_columns
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._options import Columns
from raydocs_async.cli._table_database import connect, quote

_BATCH = 1000


def read(path: Path, name: str, columns: Columns) -> Iterator[LocatedId]:
    """Yield the ids in a column of a file.

    Raises:
        OSError: the file cannot be read, or has no such column.
    """
    try:
        with connect(":memory:") as database:
            source = "read_parquet(?)"
            described = database.execute(f"DESCRIBE SELECT * FROM {source}", [str(path)])
            find_columns([row[0] for row in described.fetchall()], name, columns)
            # As JSON, in which DuckDB spells each type, decimals and times included.
            kept = ", ".join(f"{quote(each)} := {quote(each)}" for each in columns.keep)
            cells = f"to_json(struct_pack({kept}))" if kept else "NULL"
            rows = database.execute(
                f"SELECT CAST({quote(columns.column)} AS VARCHAR), {cells} FROM {source}",
                [str(path)],
            )
            number = 0
            while batch := rows.fetchmany(_BATCH):
                for text, values in batch:
                    number += 1
                    if text:
                        json = None if values is None else values.encode()
                        yield LocatedId(text.strip(), f"{name}: row {number}", json)
    except duckdb.Error as exc:
        raise OSError(f"{name} cannot be read: {str(exc).partition(chr(10))[0]}") from None
