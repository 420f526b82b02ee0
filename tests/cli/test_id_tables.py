"""Ids in a column of a table."""

import os
from pathlib import Path

import duckdb
import msgspec
import pytest

from raydocs_async.cli import _id_tables, _scan
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._id_tables import read_table
from raydocs_async.cli._ids import IdFile, IdPipe, open_sources
from raydocs_async.cli._options import Columns
from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN, Run, records
from tests.cli.records import A, B

ID = Columns("id", ("note",))


def read(path: Path, columns: Columns = ID) -> list[tuple[str, str, bytes | None]]:
    """Return each id of a file with its place and the values beside it."""
    return [(each, each.location, each.kept) for each in IdFile(path, columns)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("orders.csv")


@pytest.mark.parametrize(
    "content",
    [
        b"id,note\na,x\n",
        b"\xef\xbb\xbfid;note;z\r\na;x;1,2,3,4\r\n",
        b"note\tid\nx\ta",
        b"a,b,c|id|note\n1|a|x\n",
        b'"note", "id"\n"x"," a "\n',
        b'\n\nid,note\n,\n\na,x\n,"no id"\n',
        b'{"id":"a","note":"x"}\n\n{"note":"y"}\n{"id":null}\n{"id":""}\n',
        b'\xef\xbb\xbf{"id":"a","note":"x","more":[]}\r\n',
    ],
)
def test_contents(path: Path, content: bytes) -> None:
    """Delimiters, quotes, BOMs, line ends and blank rows are read as spreadsheets write them."""
    path.write_bytes(content)
    assert [(text, kept) for text, _, kept in read(path)] == [("a", b'{"note":"x"}')]


def test_places(path: Path) -> None:
    """An id has the line in which its row begins."""
    path.write_text('\nid,note\na,"two\nlines"\nb,\n')
    assert read(path) == [
        ("a", "orders.csv:3", b'{"note":"two\\nlines"}'),
        ("b", "orders.csv:5", b'{"note":""}'),
    ]


def test_values_of_json(path: Path) -> None:
    """Values of JSON Lines stay as they are spelled, and a missing one is null."""
    path.write_text('{"id":7,"note":[1.10,1e400]}\n{"id":"b"}\n')
    assert [(text, kept) for text, _, kept in read(path)] == [
        ("7", b'{"note":[1.10,1e400]}'),
        ("b", b'{"note":null}'),
    ]


def test_rows_that_do_not_fit(path: Path) -> None:
    """A row with too many or too few cells is an invalid id, and not a wrong one."""
    path.write_text(f"note,id\nx,{A},\n{A},{B},{B}\n{A}\n")
    found = [text for text, _, _ in read(path)]
    assert found == [
        A,
        f"{A} {B} {B} (a row of 3 cells below 2 names)",
        f"{A} (a row of 1 cells below 2 names)",
    ]


def test_a_short_row(path: Path) -> None:
    """A value that is missing at the end of a row is null."""
    path.write_text("id,note\na\n")
    assert read(path) == [("a", "orders.csv:2", b'{"note":null}')]


def test_text_that_is_not_an_id(path: Path) -> None:
    """Undecodable bytes become part of an invalid id, and a long one is cut."""
    path.write_bytes(b"id\n\xff\n" + b"x" * 5000 + b"\n")
    bad, long = (text for text, _, _ in read(path, Columns("id")))
    assert (bad, long) == ("\\xff", "x" * 1024 + "…")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"id,name\n", "orders.csv has no column 'note'; there are id, name"),
        (b"a\n", "orders.csv has no column 'id'; there are a"),
        (b"id,id,note\n", "orders.csv has several columns 'id'; give each a name of its own"),
        (b'id,note\na,"x\n', "orders.csv:2 is not CSV: unexpected end of data"),
        (b"id,note\na,\xe9\n", "orders.csv:2 is not UTF-8; save the file as UTF-8"),
        (b"\xff\xfei\0d\0", "orders.csv is UTF-16; save it as UTF-8"),
        (b"\x1f\x8b\x08", "orders.csv is compressed; unpack it first, as by gunzip"),
        (b"PK\x03\x04", "orders.csv is a spreadsheet or another zip file; save it as CSV"),
        (b'[{"id":1}]', "orders.csv is a JSON array; write an object a line"),
        (b'{"id":1}\n', "orders.csv:1 has no column 'note'; there are id"),
        (b'{"id":1,"note":1}\nid\n', "orders.csv:2 is not a JSON object; JSON Lines have one"),
        (b'{"id":1,"note":1}\n[1]\n', "orders.csv:2 is not a JSON object; JSON Lines have one"),
        (b"PAR1 and no more", "orders.csv cannot be read: "),
    ],
)
def test_what_is_refused(path: Path, content: bytes, complaint: str) -> None:
    """Anything that is not such a table is refused in one line, with a remedy."""
    path.write_bytes(content)
    with pytest.raises(OSError, match=complaint) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_name_that_promises_parquet(tmp_path: Path) -> None:
    """A file with the name of Parquet and another content is refused."""
    (path := tmp_path / "a.parquet").write_text("id,note\n")
    with pytest.raises(OSError, match="is not a Parquet file, although its name says so"):
        read(path)


def test_a_long_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that does not fit into memory is refused."""
    monkeypatch.setattr(_id_tables, "read_lines", lambda file: _scan.read_lines(file, 100))
    path.write_text(f"id,note\n{'x' * 200}\n")
    with pytest.raises(OSError, match=r"orders.csv:2 is too long to be a line of a table"):
        read(path)


def test_a_missing_file(path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(OSError, match=r"^orders.csv cannot be read: No such file or directory$"):
        list(read_table(path, "orders.csv", ID))


def test_an_empty_file(path: Path) -> None:
    """A file without rows has no ids."""
    path.touch()
    assert read(path) == []


def test_parquet(path: Path) -> None:
    """Parquet is read, whatever the types of its columns are."""
    row = "1.10::DECIMAL(5,2) AS note, DATE '2024-01-31' AS day, 'x' AS \"a\"\"b\""
    rows = f"SELECT '{A}'::UUID AS id, {row} UNION ALL SELECT NULL, 1, NULL, 'x'"
    duckdb.execute(f"COPY ({rows} ORDER BY id) TO '{path}' (FORMAT parquet)")
    ((text, where, kept),) = read(path, Columns("id", ("note", "day", 'a"b')))
    assert (text, where) == (A, "orders.csv: row 1")
    assert msgspec.json.decode(kept or b"") == {"note": 1.1, "day": "2024-01-31", 'a"b': "x"}
    assert read(path, Columns("id")) == [(A, "orders.csv: row 1", None)]
    with pytest.raises(OSError, match="has no column 'x'; there are id, note, day"):
        read(path, Columns("x"))


def test_parquet_without_duckdb(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without DuckDB, the command that installs it is named."""
    monkeypatch.setattr(_id_tables, "find_spec", lambda _: None)
    path.write_bytes(b"PAR1")
    with pytest.raises(OSError, match=r"needs duckdb: pip install 'raydocs-async\[table\]'"):
        read(path)


async def test_a_pipe(tmp_path: Path) -> None:
    """A pipe delivers the rows as they are written."""
    reading, writing = os.pipe()
    ids = aiter(IdPipe(reading, "standard input", ID))
    os.write(writing, b"id,note\na,x\nb,")
    first = await anext(ids)
    assert (first, first.location, first.kept) == ("a", "standard input:2", b'{"note":"x"}')
    os.close(writing)
    assert [each async for each in ids] == ["b"]
    os.close(reading)


async def test_parquet_in_a_pipe() -> None:
    """Parquet is read from files alone, because its end comes first."""
    reading, writing = os.pipe()
    os.write(writing, b"PAR1...")
    os.close(writing)
    with pytest.raises(OSError, match="is read from a file alone: give it with -i"):
        await anext(aiter(IdPipe(reading, "standard input", ID)))
    os.close(reading)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"customer,session_id\n", "there are customer, session_id"),
        (b"\xef\xbb\xbf# a comment\n\na;b,c;d\n", "there are a, b,c, d"),
        (b"session_id\n", "there are session_id"),
        (b'{"session_id": "a", "n": 1}\n', "there are session_id, n"),
        (b"PAR1", r"is a table \(Parquet\): name the column"),
        (b"PK\x03\x04", "is a spreadsheet or another zip file"),
        (b"\xff\xfea", "is UTF-16"),
    ],
)
def test_a_table_without_a_column(path: Path, content: bytes, complaint: str) -> None:
    """A table in the place of lines of ids is refused, with its columns."""
    path.write_bytes(content)
    with pytest.raises(CannotStart, match=complaint):
        open_sources((), [str(path)])


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [
        ("ids.csv", f"{A}\n{B}\n", 2),
        ("ids.tsv", A.upper(), 1),
        ("ids.csv", "", 0),
        ("ids.txt", "# x,y\nnot an id\n", 1),
    ],
)
def test_lines_of_ids(tmp_path: Path, name: str, content: str, count: int) -> None:
    """A file of ids is not taken for a table, also if its name says so."""
    (path := tmp_path / name).write_text(content)
    (source,) = open_sources((), [str(path)])
    assert isinstance(source, IdFile)
    assert len(list(source)) == count


async def test_from_a_spreadsheet_to_a_table(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The values beside an id go into the lines of sessions and failures, and into the tables."""
    first, second = api.ids(2)
    (tmp_path / "orders.csv").write_text(
        f"session_id;customer\n{first};Müller\n{second};\n{UNKNOWN};Dupré\n", "utf-8-sig"
    )
    options = ("--column", "session_id", "--keep", "customer")
    done = await run("fetch", "-i", "orders.csv", *options, "-o", "o.jsonl", "-e", "e.jsonl")
    assert done.code == 1
    lines = {each["id"]: each for each in records((tmp_path / "o.jsonl").read_text())}
    assert lines[first]["_input"] == {"customer": "Müller"}
    assert lines[second]["_input"] == {"customer": ""}
    (failure,) = records((tmp_path / "e.jsonl").read_text())
    assert (failure["where"], failure["_input"]) == ("orders.csv:4", {"customer": "Dupré"})
    await run("table", "o.jsonl", "-o", "o.csv", "--columns", "session_id,customer")
    assert f"{first},Müller\n" in (tmp_path / "o.csv").read_text()
    await run("table", "e.jsonl", "-o", "e.csv", "--rows", "failures", "--columns", "customer")
    assert (tmp_path / "e.csv").read_text() == "customer\nDupré\n"


async def test_a_table_in_the_place_of_ids(run: Run, tmp_path: Path) -> None:
    """A spreadsheet without --column is one line that names its columns, and nothing is done."""
    (tmp_path / "orders.csv").write_text("order,session_id\n" + f"1,{A}\n" * 5000)
    done = await run("fetch", "-i", "orders.csv", "-o", "o.jsonl")
    message = "Error: orders.csv is a table: name the column of the ids with --column; "
    assert done == (2, "", f"{message}there are order, session_id\n")
    assert [each.name for each in tmp_path.iterdir()] == ["orders.csv"]


@pytest.mark.parametrize(
    ("options", "wrong", "hint"),
    [
        (("--column", "sesion_id"), "sesion_id", "session_id"),
        (("--column", "session_id", "--keep", "CUSTOMER"), "CUSTOMER", "Customer"),
    ],
)
async def test_a_wrong_name(
    run: Run, tmp_path: Path, options: tuple[str, ...], wrong: str, hint: str
) -> None:
    """A column that is not there is one line with those that are, and the one that is nearest."""
    (tmp_path / "orders.csv").write_text(f"order,session_id,Customer\n1,{A},x\n")
    done = await run("fetch", "-i", "orders.csv", *options, "-o", "o.jsonl")
    names = "order, session_id, Customer"
    message = f"Error: orders.csv has no column '{wrong}'; there are {names}"
    assert done == (2, "", f"{message} (did you mean {hint}?)\n")
    assert [each.name for each in tmp_path.iterdir()] == ["orders.csv"]


async def test_unfinished_sessions_keep_their_values(
    run: Run, api: Sandbox, tmp_path: Path
) -> None:
    """A session that is fetched again has the values of its earlier line."""
    (session_id,) = api.ids(1)
    finished = api.session(session_id)
    api.put(finished | {"status": "pending"})
    columns = ("--column", "id", "--keep", "n")
    done = await run("fetch", "-", *columns, "-o", "o.jsonl", stdin=f"id,n\n{session_id},7\n")
    assert done.code == 75
    api.put(finished)
    done = await run("fetch", "-", *columns, "-o", "o.jsonl", "--resume", stdin="id,n\n")
    assert done.code == 0
    (line,) = records((tmp_path / "o.jsonl").read_text())
    assert (line["status"], line["_input"]) == (finished.get("status"), {"n": "7"})


async def test_merging_by_a_table(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """`merge` takes the ids from a column, too."""
    first, second = api.ids(2)
    (tmp_path / "orders.csv").write_text(f"n,id\n1,{first}\n2,{second}\n")
    await run("fetch", first, "-o", "1.jsonl")
    done = await run("merge", "1.jsonl", "-i", "orders.csv", "--column", "id", "-o", "all.jsonl")
    assert done.code == 1
    assert f"1 of 2 ids have no finished session: {second}." in done.err
