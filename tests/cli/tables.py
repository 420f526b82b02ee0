"""The rows and the types of tables, for the tests of `table`."""

from pathlib import Path
from typing import Any

import duckdb

TIMES = "TIMESTAMP WITH TIME ZONE"


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file."""
    # Times as text, because older releases of DuckDB need another package to return them.
    cells = (
        f'CAST("{name}" AS VARCHAR)' if type_ == TIMES else f'"{name}"'
        for name, type_ in types_of(path).items()
    )
    found = duckdb.execute(f"SELECT {', '.join(cells)} FROM read_parquet(?)", [str(path)])
    return [dict(zip(types_of(path), row, strict=True)) for row in found.fetchall()]


def types_of(path: Path) -> dict[str, str]:
    """Return the type of each column of a Parquet file."""
    found = duckdb.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    return {row[0]: row[1] for row in found}
