"""A table that `table` cannot make: bad input, a full disk, an interrupt."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from raydocs_async.cli._commands import command_line
from raydocs_async.cli._exit import CannotStart
from tests.cli.conftest import Run, Start
from tests.cli.sessions import session, write_lines


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        (b"id,customer\n1,2\n", [], "in:1 is not JSON; name a file that `fetch` has written"),
        (b"PAR1\x00\x01\x02\xff", [], "in:1 is not JSON"),
        (b"\xff\xfe{\x00}\x00", [], "in is UTF-16; save it as UTF-8"),
        (b'{\n  "id": 1\n}\n', [], "in:1 is not JSON"),
        (b"[1, 2]", [], "in:1 is not a session: "),
        (b'{"id": 1}\n', [], "in:1 is not a session: "),
        (b'{"id":"x","where":"a","error":{}}\n', [], "in:1 is a failure, as `fetch --errors`"),
        (None, ["--rows", "failures"], "in:1 is not a failure; name a file that `fetch --errors`"),
        (None, ["--columns", "invoice.totl"], " (did you mean invoice.total?)"),
        (None, ["--columns", "x"], "there is no column 'x'; there are session_id, session_name, "),
        (None, ["--explode", "line"], "at line; arrays are at lines (did you mean lines?)"),
        (None, ["--explode", "lines", "--rows", "fields"], "it needs --rows results"),
        (None, ["-o", "o.xlsx"], "o.xlsx: the suffix is to say the format; it is one of .parquet"),
        (None, ["-o", "in"], "the table would replace the file that it is made of"),
        (None, ["-o", "mine.csv"], "mine.csv is there already; replace it with --overwrite"),
        (None, ["-o", "no/o.csv"], "no/o.csv: there is no such folder; make it first"),
    ],
)  # fmt: skip
async def test_what_is_refused(
    run: Run, tmp_path: Path, content: bytes | None, arguments: list[str], complaint: str
) -> None:
    """Anything wrong is one line with a remedy and exit code 2, and changes no file."""
    if content is None:
        content = json.dumps(session()).encode()
    (tmp_path / "in").write_bytes(content)
    (tmp_path / "mine.csv").write_text("mine")
    done = await run("table", "in", "-o", "o.csv", *arguments)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert len([line for line in done.err.splitlines() if "Error: " in line]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "mine.csv"]
    assert (tmp_path / "mine.csv").read_text() == "mine"


async def test_a_missing_file(run: Run, tmp_path: Path) -> None:
    """A file that is not there is named."""
    done = await run("table", "missing", "-o", "o.csv")
    assert (done.code, done.err) == (
        2,
        "Error: missing cannot be read: No such file or directory\n",
    )
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource
from raydocs_async.cli import main
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
try:
    main()
finally:  # the report of what the tests cover is a file, too
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json", "duckdb", "sqlite"])
async def test_a_full_disk(run: Run, tmp_path: Path, suffix: str) -> None:
    """A disk that fills up leaves the old file, and nothing else."""
    source = write_lines(tmp_path / "s.jsonl", *map(session, range(300)))
    (path := tmp_path / f"o.{suffix}").write_text("mine")
    command = (sys.executable, "-c", FULL_DISK)
    done = await run("table", source, "-o", path.name, "--overwrite", command=command)
    assert done.code == 1
    assert done.err.startswith(f"Error: {path.name} cannot be written: ")
    assert done.err.endswith("File too large; nothing was kept\n")
    assert done.err.count("\n") == 1
    assert path.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "s.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt(start: Start, tmp_path: Path, number: int) -> None:
    """An interrupted table leaves nothing behind."""
    os.mkfifo(tmp_path / "pipe")
    process = await start("table", "pipe", "-o", "o.parquet")
    with await asyncio.to_thread((tmp_path / "pipe").open, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(session()) + "\n")
        pipe.flush()
        assert list(tmp_path.glob(".*.part/rows.duckdb"))
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err.strip()) == (130, b"Interrupted.")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


LONG_QUERY = """
from raydocs_async.cli import main
from raydocs_async.cli._table_formats import FORMATS
def write(database, *_):
    print("begun", flush=True)
    database.execute("SELECT max(sqrt(range)) FROM range(1_000_000_000_000)")
FORMATS[".csv"] = write
main()
"""


async def test_an_interrupt_in_a_query(start: Start, tmp_path: Path) -> None:
    """An interrupt ends a query of DuckDB, too."""
    source = write_lines(tmp_path / "s.jsonl", session())
    process = await start(
        "table", source, "-o", "o.csv", command=(sys.executable, "-c", LONG_QUERY)
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err.strip()) == (130, b"Interrupted.")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]


@pytest.mark.parametrize(
    ("frozen", "advice"),
    [
        (False, r"`table` needs duckdb: pip install 'raydocs-async\[cli,table\]'"),
        (True, "This program was built without duckdb, which `table` needs"),
    ],
)
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, *, frozen: bool, advice: str) -> None:
    """Without DuckDB, the command that installs it is named where that is possible."""
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    module = sys.modules["raydocs_async.cli._commands.table"]  # the command hides it
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(CannotStart, match=advice):
        command_line.main(["table", "a", "-o", "b.csv"], standalone_mode=False)
