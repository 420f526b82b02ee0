"""Files of JSON Lines that survive interruption, full disks and other processes."""

import errno
import gzip
import io
import json
import os
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli import _output
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import OutputFile
from raydocs_async.cli._output import JsonLinesFile, OutputError, refuse_other_formats
from raydocs_async.cli._scan import FailureRecord, SessionRecord
from tests.cli.records import LINE_A, LINE_B, LINE_C, A, B, C, NearlyFull, record, resume

FAILURE = json.dumps({"id": A, "error": {"type": "NotFoundError"}}).encode() + b"\n"


def test_a_record_is_a_line(path: Path) -> None:
    """Each record is in the file at once, as one line."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    lines.write(record(A))
    lines.write(record(B))
    assert path.read_bytes() == LINE_A + LINE_B
    lines.close()


def test_resuming_keeps_lines(path: Path) -> None:
    """The ids of an earlier run are known in lower case, and its lines stay."""
    path.write_bytes(record(A.upper()) + b"\n")
    assert resume(path, record(B)) == {A}
    assert path.read_bytes() == record(A.upper()) + b"\n" + LINE_B


@pytest.mark.parametrize("length", range(len(LINE_B) - 1))
def test_a_torn_line_is_dropped(path: Path, length: int) -> None:
    """A line that was cut off anywhere is dropped, and the next record begins a line."""
    path.write_bytes(LINE_A + LINE_B[:length])
    assert resume(path, record(B)) == {A}
    assert path.read_bytes() == LINE_A + LINE_B


def test_a_torn_line_that_is_alone(path: Path) -> None:
    """A torn first line is dropped, too."""
    path.write_bytes(LINE_A[:10])
    assert resume(path, record(B)) == frozenset()
    assert path.read_bytes() == LINE_B


def test_a_line_that_lacks_only_its_end(path: Path) -> None:
    """A complete record without a line's end, which an editor may have removed, is kept."""
    path.write_bytes(LINE_A + record(B))
    assert resume(path, record(A)) == {A, B}
    assert path.read_bytes() == LINE_A + LINE_B + LINE_A


@pytest.mark.parametrize(
    "content",
    [b"notes\n", b"notes", LINE_A + b"[]\n" + LINE_B, LINE_A + b"{\n" + LINE_B, FAILURE, b"\xff\n"],
)
def test_another_file_is_not_touched(path: Path, content: bytes) -> None:
    """A file with other lines is refused, and is unchanged."""
    path.write_bytes(content)
    with pytest.raises(CannotStart, match=r"out\.jsonl:[12] was not written by this command"):
        resume(path)
    assert path.read_bytes() == content


def test_records_of_another_type(path: Path) -> None:
    """Files of sessions and of errors are distinguished, so that mixed-up names lose no data."""
    path.write_bytes(LINE_A)
    with pytest.raises(CannotStart):
        JsonLinesFile.open(str(path), FailureRecord, resume=True)
    assert path.read_bytes() == LINE_A


def test_content_is_not_overwritten(path: Path) -> None:
    """A file with content is only written to with `resume`."""
    path.write_bytes(LINE_A)
    with pytest.raises(CannotStart, match="exists already; continue it with --resume"):
        JsonLinesFile.open(str(path), SessionRecord)
    assert path.read_bytes() == LINE_A


def test_old_failures_are_not_overwritten(path: Path) -> None:
    """An errors file with content is only replaced with `resume`, and the message says so."""
    path.write_bytes(b"{}\n")
    with pytest.raises(CannotStart, match="exists already; continue it with --resume, or move"):
        JsonLinesFile.open(str(path), FailureRecord)


def test_one_writer_at_a_time(path: Path) -> None:
    """A second job cannot open a file that is being written."""
    first = JsonLinesFile.open(str(path), SessionRecord)
    with pytest.raises(CannotStart, match="another process is writing to it"):
        JsonLinesFile.open(str(path), SessionRecord, resume=True)
    first.close()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A missing directory is reported when the file is opened."""
    with pytest.raises(CannotStart, match="cannot be written: No such file or directory"):
        JsonLinesFile.open(str(tmp_path / "missing" / "out.jsonl"), SessionRecord)


def test_a_full_disk() -> None:
    """A full device is an error with the system's reason."""
    lines = JsonLinesFile.open("/dev/full", SessionRecord)
    with pytest.raises(OutputError, match="/dev/full cannot be written any more: No space left"):
        lines.write(record(A))
    lines.close()


@given(room=st.integers(0, len(LINE_A + LINE_B)))
def test_a_disk_that_fills_up(tmp_path_factory: pytest.TempPathFactory, room: int) -> None:
    """Lines that fit are written whole, and a line that does not fit is removed."""
    path = tmp_path_factory.mktemp("disk") / "out.jsonl"
    file = NearlyFull(path, "xb+")
    file.room = room
    lines = JsonLinesFile(OutputFile(file, path, "out.jsonl"))
    whole = [
        line
        for line, size in ((LINE_A, len(LINE_A)), (LINE_B, len(LINE_A + LINE_B)))
        if room >= size
    ]
    try:
        lines.write(record(A))
        lines.write(record(B))
    except OutputError:
        assert len(whole) < 2
    assert path.read_bytes() == b"".join(whole)
    lines.close()


def test_interrupted_in_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted write removes the line, and raises the interrupt."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    lines.write(record(A))

    def interrupt(raw: io.FileIO, content: bytes) -> None:
        patched.undo()
        raw.write(content[:9])
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_output, "write_all", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lines.write(record(B))
    lines.close()
    assert path.read_bytes() == LINE_A


@pytest.mark.parametrize("change", ["moved", "deleted", "replaced", "longer", "shorter"])
@pytest.mark.parametrize("at", ["write", "close"])
def test_changed_by_another_process(path: Path, change: str, at: str) -> None:
    """A file that another process moves, deletes or changes is an error."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    lines.write(record(A))
    match change:
        case "moved":
            path.rename(path.with_name("moved"))
        case "deleted":
            path.unlink()
        case "replaced":
            path.with_name("new").write_bytes(b"theirs")
            path.with_name("new").replace(path)
        case "longer":
            path.write_bytes(LINE_A * 2)
        case _:
            path.write_bytes(b"")
    reason = "moved or deleted" if change in ("moved", "deleted", "replaced") else "changed"
    with pytest.raises(OutputError, match=rf"out\.jsonl was {reason} by another process"):
        lines.write(record(B)) if at == "write" else lines.close()
    if at == "write":
        with pytest.raises(OutputError, match=reason):
            lines.close()
    assert not path.exists() or LINE_B not in path.read_bytes()


def test_a_disk_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that may not have reached the disk is an error."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"out\.jsonl may not be complete: Input/output error"):
        lines.close()


def fail(*arguments: object) -> None:
    """Fail like a system call on a broken disk."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_truncating(path: Path) -> None:
    """A file is truncated, and written from its beginning; a device is left alone."""
    path.write_bytes(FAILURE)
    lines = JsonLinesFile.open(str(path), FailureRecord, resume=True)
    lines.truncate()
    lines.write(FAILURE.strip())
    lines.close()
    assert path.read_bytes() == FAILURE
    null = JsonLinesFile.open(os.devnull, FailureRecord)
    null.truncate()
    null.discard()


def test_unchanged_before_the_repair(path: Path) -> None:
    """A job that is refused after its file was opened leaves the file unchanged."""
    content = LINE_A + LINE_B[:9]
    path.write_bytes(content)
    JsonLinesFile.open(str(path), SessionRecord, resume=True).discard()
    assert path.read_bytes() == content


PENDING = record(B).replace(b"completed", b"pending") + b"\n"


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (LINE_A + PENDING + LINE_C, LINE_A + LINE_C),
        (PENDING + LINE_C[:-1], LINE_C),
        (LINE_A + PENDING, LINE_A),
        (PENDING, b""),
        (LINE_A + b"\0" * 4096 + LINE_B + LINE_C, LINE_A + LINE_C),
        (LINE_A + b"\0" * 4096, LINE_A),
        (b"\0" * 4096, b""),
        (LINE_A + PENDING + LINE_C + LINE_B[:9], LINE_A + LINE_C),
    ],
)
@pytest.mark.parametrize("is_gzip", [True, False])
def test_lines_are_dropped(path: Path, content: bytes, kept: bytes, *, is_gzip: bool) -> None:
    """Unfinished sessions and zeroed lines are dropped anywhere in a file, and no others."""
    if is_gzip:
        path, content = path.with_name("out.jsonl.gz"), gzip.compress(content)
    path.write_bytes(content)
    resume(path, record(A))
    found = path.read_bytes()
    assert (gzip.decompress(found) if is_gzip else found) == kept + LINE_A
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_unfinished_ids(path: Path) -> None:
    """The ids of unfinished sessions are known, and a warning counts them."""
    path.write_bytes(LINE_A + PENDING)
    lines = JsonLinesFile.open(str(path), SessionRecord, resume=True)
    lines.repair()
    assert (lines.finished_ids, tuple(lines.unfinished)) == ({A}, (B,))
    (warning,) = lines.pop_warnings()
    assert "not finished: 1" in warning
    assert lines.pop_warnings() == []
    lines.close()


def test_a_file_that_shrinks_while_it_is_rewritten(path: Path) -> None:
    """A file that shrinks between scan and rewrite is refused."""
    path.write_bytes(PENDING + LINE_A)
    lines = JsonLinesFile.open(str(path), SessionRecord, resume=True)
    path.write_bytes(PENDING)
    with pytest.raises(CannotStart, match="it was changed by another process"):
        lines.repair()
    lines.discard()


def test_a_torn_line_that_cannot_be_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails in the repair is reported before the job starts."""
    path.write_bytes(record(A))
    lines = JsonLinesFile.open(str(path), SessionRecord, resume=True)
    monkeypatch.setattr(_output, "write_all", fail)
    with pytest.raises(CannotStart, match="cannot be written: Input/output error"):
        lines.repair()
    lines.discard()
    assert path.read_bytes() == record(A)


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("out.csv", "out.jsonl"),
        ("dir/out.JSON", "out.jsonl"),
        ("out.csv.gz", "out.jsonl"),
        ("a.b.parquet", "a.b.jsonl"),
        ("out.sqlite3", "out.jsonl"),
        ("out.jsonl.zst", "out.jsonl.jsonl"),
    ],
)
def test_names_of_other_formats(name: str, better: str) -> None:
    """A name that promises another format is refused, with a better name."""
    with pytest.raises(CannotStart, match=rf"JSON Lines; name it {re.escape(better)}, or "):
        JsonLinesFile.open(name, SessionRecord)


@pytest.mark.parametrize(
    "name", ["out", "out.jsonl", "out.ndjson.gz", "out.csv.jsonl", "json", "x.gz"]
)
def test_names_of_this_format(tmp_path: Path, name: str) -> None:
    """Any other name is accepted."""
    JsonLinesFile.open(str(tmp_path / name), SessionRecord).close()


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """A dash is standard output, which stays open."""
    lines = JsonLinesFile.open("-", SessionRecord)
    lines.write(record(A))
    lines.close()
    os.write(1, b"more")
    assert capfd.readouterr().out.encode() == LINE_A + b"more"


def test_standard_output_in_a_file_that_fills_up(tmp_path: Path) -> None:
    """A line that does not fit is removed, and earlier content stays."""
    (path := tmp_path / "all.jsonl").write_bytes(LINE_A)
    file = NearlyFull(path, "ab+")
    file.room = len(LINE_B) + 3
    lines = JsonLinesFile(OutputFile(file, None, "standard output"))
    lines.write(record(B))
    with pytest.raises(OutputError):
        lines.write(record(C))
    lines.close()
    assert path.read_bytes() == LINE_A + LINE_B


@pytest.mark.parametrize(
    ("name", "stem", "table"),
    [
        ("a.CSV", "a", "a.csv"),
        ("a.parquet.gz", "a", "a.parquet"),
        ("a b.xlsx", "a b", "'a b.parquet'"),
    ],
)
def test_the_command_for_a_table(name: str, stem: str, table: str) -> None:
    """A name that promises a table is refused with the command that makes one."""
    with pytest.raises(CannotStart) as caught:
        refuse_other_formats(name)
    command = f"raydocs-async table {shlex.quote(f'{stem}.jsonl')} -o {table}"
    assert caught.value.message == (
        f"{name}: the format is JSON Lines; name it {stem}.jsonl, or {stem}.jsonl.gz to compress "
        f"it. To make a table of it: {command}"
    )
