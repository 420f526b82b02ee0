"""Files of sessions, and the tables made of them, for the tests of `table`."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from raydocs_async.sandbox._sessions import build_session

TIMES = "TIMESTAMP WITH TIME ZONE"


def session(number: int = 0, *data: Any, **changes: Any) -> dict[str, Any]:
    """Return a session with a result for each of `data`; without any, as the sandbox has it."""
    built = build_session(str(UUID(int=number << 64)))
    if data:
        result = built["results"][0] | {"audit_data": {}}
        built["results"] = [result | {"data": each} for each in data]
    return built | changes


def write_lines(path: Path, *records: Any) -> str:
    """Write JSON Lines; a string is JSON as it is spelled."""
    lines = (each if isinstance(each, str) else json.dumps(each) for each in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def spelled(number: int, data: str) -> str:
    """Return the line of a session whose only result has this JSON as its data."""
    return json.dumps(session(number, "DATA")).replace('"DATA"', data)


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
