"""`table`, as a real process."""

import csv
import gzip
import json
import os
import sqlite3
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from raydocs_async.cli._options import TABLE_FORMATS
from raydocs_async.cli._table_formats import FORMATS
from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start
from tests.cli.sessions import session, spelled, write_lines
from tests.cli.tables import rows_of, types_of
from tests.support.terminal import Terminal, plain

LONG = "0.12345678901234567890"
"""More digits than a double has."""

TWICE = "1 session found more than once; so are the rows."


@pytest.fixture
def sessions(tmp_path: Path) -> str:
    """A file of 3 sessions with 2 results each."""
    return write_lines(tmp_path / "s.jsonl", *map(session, range(3)))


async def test_from_fetch_to_a_table(run: Run, ids_file: Path, tmp_path: Path) -> None:
    """The file that `fetch` has written becomes a table with a row for each result."""
    assert (await run("fetch", "-i", str(ids_file), "-o", "out.jsonl")).code == 0
    done = await run("table", "out.jsonl", "-o", "out.parquet")
    assert (done.code, done.out) == (0, "")
    assert done.err == "80 rows and 17 columns of 40 sessions written to out.parquet.\n"
    types = types_of(tmp_path / "out.parquet")
    assert types["invoice.total"] == "DECIMAL(18,2)"
    assert types["invoice.paid"] == "BOOLEAN"
    assert types["result_created_at"] == "TIMESTAMP WITH TIME ZONE"
    assert types["result_completed_at"] == "TIMESTAMP WITH TIME ZONE"
    fetched = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    rows = rows_of(tmp_path / "out.parquet")
    assert [row["result_id"] for row in rows] == [
        each["id"] for one in fetched for each in one["results"]
    ]
    assert rows[0]["supplier.name"] == fetched[0]["results"][0]["data"]["supplier"]["name"]
    assert json.loads(rows[0]["lines"]) == fetched[0]["results"][0]["data"]["lines"]


async def test_formats(run: Run, sessions: str, tmp_path: Path) -> None:
    """Each suffix gives a file in its format, with the same rows."""
    suffixes = ("parquet", "csv", "json", "duckdb", "sqlite")
    for suffix in suffixes:
        done = await run("table", sessions, "-o", f"out.{suffix}", "--quiet")
        assert done == (0, "", "")
    wanted = [str(row["invoice.total"]) for row in rows_of(tmp_path / "out.parquet")]
    assert len(wanted) == 6

    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        text = [row["invoice.total"] for row in csv.DictReader(file)]
    objects = json.loads((tmp_path / "out.json").read_bytes(), parse_float=str)
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as duck:
        ducks = duck.execute('SELECT "invoice.total" FROM results').fetchall()
    with sqlite3.connect(tmp_path / "out.sqlite") as lite:
        lites = lite.execute('SELECT "invoice.total", "invoice.paid" FROM results').fetchall()
    lite.close()
    numbers = list(map(Decimal, wanted))
    assert list(map(Decimal, text)) == numbers
    assert [Decimal(each["invoice.total"]) for each in objects] == numbers
    assert [row[0] for row in ducks] == numbers
    assert [Decimal(repr(row[0])) for row in lites] == numbers
    assert {row[1] for row in lites} <= {0, 1}
    assert objects[0]["lines"][0].keys() == {"description", "amount"}
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"s.jsonl", *(f"out.{suffix}" for suffix in suffixes)}


async def test_exact_values(run: Run, tmp_path: Path) -> None:
    """CSV and JSON spell each value as the file of `fetch` does; Parquet has the same value."""
    source = write_lines(
        tmp_path / "s.jsonl",
        spelled(1, '{"mixed":10.0,"id":"007","big":9007199254740993,"long":1.10}'),
        spelled(
            2, '{"mixed":"ten","id":"7","big":18446744073709551616,"long":0.12345678901234567890}'
        ),
    )
    names = "mixed,id,big,long"
    for suffix in ("csv", "json", "parquet", "sqlite"):
        done = await run("table", source, "-o", f"o.{suffix}", "--columns", names, "-q")
        assert done == (0, "", "")
    assert (tmp_path / "o.csv").read_text() == (
        "mixed,id,big,long\n"
        "10.0,007,9007199254740993,1.10\n"
        "ten,7,18446744073709551616,0.12345678901234567890\n"
    )
    assert (tmp_path / "o.json").read_text() == (
        '[\n{"mixed":"10.0","id":"007","big":9007199254740993,"long":1.10},\n'
        '{"mixed":"ten","id":"7","big":18446744073709551616,"long":0.12345678901234567890}\n]\n'
    )
    first, second = rows_of(tmp_path / "o.parquet")
    assert (first["mixed"], first["id"], second["mixed"]) == ("10.0", "007", "ten")
    assert (first["big"], second["big"]) == (2**53 + 1, 2**64)
    assert second["long"] == Decimal("0.12345678901234567890")
    with sqlite3.connect(tmp_path / "o.sqlite") as lite:
        assert lite.execute("SELECT * FROM results").fetchall() == [
            ("10.0", "007", "9007199254740993", "1.10"),
            ("ten", "7", "18446744073709551616", "0.12345678901234567890"),
        ]
    lite.close()


async def test_items(run: Run, tmp_path: Path) -> None:
    """`--explode` makes a row for each item, and keeps a result that has none."""
    source = write_lines(
        tmp_path / "s.jsonl",
        session(1, {"n": 1, "a": {"lines": [{"x": 1}, {"x": 2}]}}, {"n": 2, "a": {"lines": []}}),
        session(2, {"n": 3, "a": {"lines": ["bare"]}}, {"n": 4, "a": {"lines": None}}),
    )
    done = await run(
        "table",
        source,
        "-o",
        "o.csv",
        "--explode",
        "a.lines",
        "-q",
        "--columns",
        "n,item",
        "--columns",
        "a.lines.x, a.lines",
    )
    assert done == (0, "", "")
    assert (tmp_path / "o.csv").read_text().splitlines() == [
        "n,item,a.lines.x,a.lines",
        "1,0,1,",
        "1,1,2,",
        "2,,,",
        "3,0,,bare",
        "4,,,",
    ]


async def test_fields(run: Run, sessions: str, tmp_path: Path) -> None:
    """`--rows fields` has a row for each value, with its reasoning and its place."""
    done = await run("table", sessions, "-o", "o.parquet", "--rows", "fields")
    assert (done.code, done.err) == (
        0,
        "60 rows and 14 columns of 3 sessions written to o.parquet.\n",
    )
    rows = rows_of(tmp_path / "o.parquet")
    total = next(row for row in rows if row["field"] == "invoice.total")
    assert total["type"] == "number"
    assert total["text"] == f"Total: {total['value']}"
    assert (total["page"], total["reasoning"]) == (1, "Read directly from the document.")
    assert {row["document"] is None for row in rows} == {True, False}  # of two documents, or one


@pytest.mark.parametrize(("kind", "count"), [("documents", 9), ("sessions", 3)])
async def test_other_rows(run: Run, sessions: str, tmp_path: Path, kind: str, count: int) -> None:
    """`--rows` also makes a row for each document, or for each session."""
    done = await run("table", sessions, "-o", "o.parquet", "--rows", kind)
    assert done.code == 0
    assert done.err.startswith(f"{count} rows and ")
    assert len(rows_of(tmp_path / "o.parquet")) == count


async def test_failures(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """`--rows failures` makes a table of the errors file."""
    await run("fetch", UNKNOWN, "not-an-id", *api.ids(1), "-o", "o.jsonl", "-e", "errors.jsonl")
    done = await run("table", "errors.jsonl", "-o", "o.parquet", "--rows", "failures")
    assert done.err == "2 rows and 11 columns of 2 failures written to o.parquet.\n"
    rows = {row["id"]: row for row in rows_of(tmp_path / "o.parquet")}
    assert (rows[UNKNOWN]["status"], rows[UNKNOWN]["type"]) == (404, "NotFoundError")
    assert rows["not-an-id"]["where"] == "argument 2"


async def test_several_files(run: Run, tmp_path: Path) -> None:
    """Several files, compressed or not, are one table; a session that comes twice is named."""
    write_lines(tmp_path / "a.jsonl", session(1), session(2))
    lines = "".join(json.dumps(session(number)) + "\n" for number in (2, 3))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    done = await run("table", "a.jsonl", "b.jsonl.gz", "-o", "o.parquet")
    assert done == (
        0,
        "",
        f"{TWICE}\n8 rows and 17 columns of 4 sessions written to o.parquet.\n",
    )


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
async def test_sessions_that_are_not_finished(
    run: Run, tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    """The summary says how many sessions are not finished, even if it is left out otherwise."""
    statuses = ("pending", "processing", "failed", "completed")
    lines = (session(number, status=each) for number, each in enumerate(statuses))
    write_lines(tmp_path / "s.jsonl", *lines)
    done = await run("table", "s.jsonl", "-o", "o.csv", "--rows", "sessions", *quiet)
    written = "4 rows and 12 columns of 4 sessions written to o.csv"
    reminder = "2 sessions are not finished: complete them by `fetch --resume --wait`"
    assert done == (0, "", f"{written}; {reminder}.\n")


async def test_standard_input(run: Run, tmp_path: Path) -> None:
    """`-` is standard input."""
    done = await run("table", "-", "-o", "o.csv", stdin=json.dumps(session(1)) + "\n")
    assert done.err == "2 rows and 17 columns of 1 session written to o.csv.\n"


async def test_a_table_in_the_place_of_standard_input(start: Start, sessions: str) -> None:
    """The file at standard input is not replaced by the table that is made of it."""
    before = Path(sessions).read_bytes()
    (link := Path(f"{sessions}.csv")).hardlink_to(sessions)
    stdin = os.open(sessions, os.O_RDONLY)
    process = await start("table", "-", "-o", link.name, "--overwrite", stdin=stdin)
    os.close(stdin)
    _, err = await process.communicate()
    assert b"the table would replace the file that it is made of" in err
    assert Path(sessions).read_bytes() == before


async def test_no_sessions(run: Run, tmp_path: Path) -> None:
    """An empty file is a table without rows, with the columns that every table has."""
    write_lines(tmp_path / "s.jsonl")
    for suffix in ("csv", "json", "parquet"):
        done = await run("table", "s.jsonl", "-o", f"o.{suffix}")
        assert done.code == 0
        assert done.err.startswith("0 rows and 10 columns of 0 sessions")
    assert (tmp_path / "o.csv").read_text().startswith("session_id,session_name,")
    assert (tmp_path / "o.json").read_text() == "[]\n"
    assert types_of(tmp_path / "o.parquet")["result_created_at"] == "TIMESTAMP WITH TIME ZONE"


async def test_progress_on_a_terminal(terminal: Terminal, sessions: str) -> None:
    """A terminal shows the bytes that were read, and the cursor is restored."""
    code, screen = await terminal("table", sessions, "-o", "o.csv")
    assert code == 0
    assert " kB" in plain(screen)
    assert screen.endswith("6 rows and 17 columns of 3 sessions written to o.csv.\r\n")
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0


def test_the_formats_are_those_of_the_options() -> None:
    """The help of `table` and the refusal of `fetch` name the formats that there are."""
    assert tuple(FORMATS) == tuple(f".{each}" for each in TABLE_FORMATS)
