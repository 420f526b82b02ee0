"""The recipes of the documentation, run as they stand there."""

import json
import re
from pathlib import Path

import duckdb
import pytest

from raydocs_async.sandbox._sessions import build_session, session_id

RECIPE = Path(__file__).parents[1] / "docs" / "how-to" / "tables.md"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> duckdb.DuckDBPyConnection:
    """A database in which the recipe was run, beside a file of three sessions."""
    monkeypatch.chdir(tmp_path)
    sessions = [build_session(session_id(index)) for index in range(3)]
    sessions[2]["results"][1]["data"] = {"lines": [], "surprise": [1, {"deep": None}]}
    Path("sessions.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in sessions))
    connection = duckdb.connect()
    for statement in re.findall(r"```sql\n(.*?)```", RECIPE.read_text(), re.DOTALL):
        connection.execute(statement)
    return connection


def test_a_row_a_result(database: duckdb.DuckDBPyConnection) -> None:
    """Each result is a row with its session, and its values are those of the file."""
    session = build_session(session_id(0))
    first = session["results"][0]
    rows = database.execute(
        "SELECT session_id, supplier, total::DOUBLE FROM results WHERE result_id = ?", [first["id"]]
    ).fetchall()
    data = first["data"]
    assert rows == [(session["id"], data["supplier"]["name"], data["invoice"]["total"])]
    assert database.execute("SELECT count(*) FROM results").fetchall() == [(6,)]


def test_data_of_another_shape(database: duckdb.DuckDBPyConnection) -> None:
    """What a template does not have is NULL, and what is new is still there."""
    (row,) = database.execute("SELECT total, data FROM results WHERE supplier IS NULL").fetchall()
    assert row[0] is None
    assert json.loads(row[1])["surprise"] == [1, {"deep": None}]


def test_a_row_an_item(database: duckdb.DuckDBPyConnection) -> None:
    """Line items become rows of a table of their own."""
    assert database.execute("SELECT count(*) FROM items").fetchall() == [(10,)]


def test_parquet(database: duckdb.DuckDBPyConnection) -> None:
    """The Parquet file has what the table has."""
    same = "SELECT * FROM results EXCEPT SELECT * FROM 'results.parquet'"
    assert database.execute(same).fetchall() == []
    assert database.execute("SELECT count(*) FROM 'results.parquet'").fetchall() == [(6,)]
