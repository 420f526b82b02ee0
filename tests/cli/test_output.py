"""Files of JSON Lines that survive anything."""

import errno
import gzip
import io
import json
import os
import re
import resource
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli import _output
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import File
from raydocs_async.cli._gzip import GzipReader, GzipWriter
from raydocs_async.cli._output import JsonLines, OutputError
from raydocs_async.cli._scan import FailureLine, SessionLine

A, B = "770e8400-e29b-41d4-a716-446655440000", "660e8400-e29b-41d4-a716-446655440000"


def record(session_id: str) -> bytes:
    """A session's line, without its end."""
    return json.dumps({"id": session_id, **REST}, separators=(",", ":")).encode()


REST = {"documents": [], "name": "Ünïcode", "status": "completed"}
LINE_A, LINE_B = record(A) + b"\n", record(B) + b"\n"
FAILURE = json.dumps({"id": A, "error": {"type": "NotFoundError"}}).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / "out.jsonl"


def resume(path: Path, *records: bytes) -> frozenset[str]:
    """Go on with a file: what was in it, after `records` are added."""
    lines = JsonLines.open(str(path), SessionLine, resume=True)
    lines.begin()
    for each in records:
        lines.write(each)
    lines.close()
    return frozenset(lines.ids)


def test_a_record_is_a_line(path: Path) -> None:
    """What is written is in the file at once, a line each."""
    lines = JsonLines.open(str(path), SessionLine)
    lines.write(record(A))
    lines.write(record(B))
    assert path.read_bytes() == LINE_A + LINE_B
    lines.close()


def test_resume_knows_what_is_there(path: Path) -> None:
    """The ids of an earlier run are known, in lower case, and its lines stay."""
    path.write_bytes(record(A.upper()) + b"\n")
    assert resume(path, record(B)) == {A}
    assert path.read_bytes() == record(A.upper()) + b"\n" + LINE_B


@pytest.mark.parametrize("length", range(len(LINE_B) - 1))
def test_a_torn_line_is_dropped(path: Path, length: int) -> None:
    """A line that was cut off anywhere is dropped, and what follows begins a line."""
    path.write_bytes(LINE_A + LINE_B[:length])
    assert resume(path, record(B)) == {A}
    assert path.read_bytes() == LINE_A + LINE_B


def test_a_torn_line_that_is_alone(path: Path) -> None:
    """The very first line may have been cut off."""
    path.write_bytes(LINE_A[:10])
    assert resume(path, record(B)) == frozenset()
    assert path.read_bytes() == LINE_B


def test_a_line_that_lacks_its_end_alone(path: Path) -> None:
    """A whole record is kept; an editor may have removed the end of its line."""
    path.write_bytes(LINE_A + record(B))
    assert resume(path, record(A)) == {A, B}
    assert path.read_bytes() == LINE_A + LINE_B + LINE_A


@pytest.mark.parametrize(
    "content",
    [b"notes\n", b"notes", LINE_A + b"[]\n" + LINE_B, LINE_A + b"{\n" + LINE_B, FAILURE, b"\xff\n"],
)
def test_another_file_is_not_touched(path: Path, content: bytes) -> None:
    """A file with anything else in it is refused, and stays as it is."""
    path.write_bytes(content)
    with pytest.raises(CannotStart, match=r"out\.jsonl:[12] was not written by this command"):
        resume(path)
    assert path.read_bytes() == content


def test_the_two_files_are_told_apart(path: Path) -> None:
    """Sessions are not taken for errors, which are written anew, when the two are mixed up."""
    path.write_bytes(LINE_A)
    with pytest.raises(CannotStart):
        JsonLines.open(str(path), FailureLine, resume=True)
    assert path.read_bytes() == LINE_A


def test_content_is_not_overwritten(path: Path) -> None:
    """A file with something in it is only written to when that is asked for."""
    path.write_bytes(LINE_A)
    with pytest.raises(CannotStart, match="is there already; go on with it"):
        JsonLines.open(str(path), SessionLine)
    assert path.read_bytes() == LINE_A


def test_one_writer_at_a_time(path: Path) -> None:
    """Two jobs do not write to one file, where each would double what the other has."""
    first = JsonLines.open(str(path), SessionLine)
    with pytest.raises(CannotStart, match="another process is writing to it"):
        JsonLines.open(str(path), SessionLine, resume=True)
    first.close()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A directory that is not there is named before anything is fetched."""
    with pytest.raises(CannotStart, match="cannot be written: No such file or directory"):
        JsonLines.open(str(tmp_path / "missing" / "out.jsonl"), SessionLine)


def test_a_full_disk() -> None:
    """A device without room says so."""
    lines = JsonLines.open("/dev/full", SessionLine)
    with pytest.raises(OutputError, match="/dev/full cannot be written any more: No space left"):
        lines.write(record(A))
    lines.close()


class Reluctant(io.FileIO):
    """A file on a disk that is nearly full: it takes some bytes a time, and `room` of them."""

    room = 0

    def write(self, content: Any, /) -> int:
        """Take a few bytes, as long as there is room."""
        taken = min(7, self.room, len(content))
        if not taken:
            raise OSError(28, "No space left on device")
        self.room -= taken
        return super().write(content[:taken])


@given(room=st.integers(0, len(LINE_A + LINE_B)))
def test_a_disk_that_fills_up(tmp_path_factory: pytest.TempPathFactory, room: int) -> None:
    """Whatever fits is there as whole lines; what does not fit leaves nothing of itself."""
    path = tmp_path_factory.mktemp("disk") / "out.jsonl"
    file = Reluctant(path, "xb+")
    file.room = room
    lines = JsonLines(File(file, path, "out.jsonl"))
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


@given(room=st.integers(0, 300))
def test_a_compressed_file_on_a_disk_that_fills_up(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    """Whatever fits is a whole file, also if a line does not fit."""
    path = tmp_path_factory.mktemp("disk") / "out.jsonl.gz"
    file = Reluctant(path, "xb+")
    file.room = 10_000
    lines = JsonLines(File(file, path, "out.jsonl.gz"), is_packed=True)
    lines.write(record(A))
    file.room = room
    content = LINE_A
    try:
        lines.write(record(B))
        content += LINE_B
    except OutputError:
        assert room < 100
    lines.close()
    assert GzipReader(io.BytesIO(path.read_bytes())).read() == content
    assert resume(path, record(C)) == ({A, B} if LINE_B in content else {A})
    assert gzip.decompress(path.read_bytes()) == content + LINE_C


def test_a_compressed_file_on_a_full_disk(packed: Path) -> None:
    """A line that does not fit is taken back, and the file is whole."""
    lines = JsonLines.open(str(packed), SessionLine)
    lines.write(record(A))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (packed.stat().st_size, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written any more: File too large"):
            lines.write(os.urandom(1000))
        lines.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert gzip.decompress(packed.read_bytes()) == LINE_A


def test_interrupted_in_a_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What interrupts a write leaves nothing of the line, and is not taken for a failure of it."""
    lines = JsonLines.open(str(path), SessionLine)
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


class SlowDisk:
    """Writes half of a record, and the rest when it may."""

    def __init__(self) -> None:
        self.is_halfway = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, file: io.RawIOBase, data: bytes) -> None:
        """Stands in for `write_all`."""
        file.write(data[:10])
        self.is_halfway.set()
        assert self.may_go_on.wait(10)
        file.write(data[10:])


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    """What a write meets from then on."""
    disk = SlowDisk()
    monkeypatch.setattr(_output, "write_all", disk.write)
    return disk


def test_closed_in_a_line(path: Path, slow_disk: SlowDisk) -> None:
    """A write that an interrupt has left behind in its thread is not taken for another process."""
    lines = JsonLines.open(str(path), SessionLine)
    writing = threading.Thread(target=lines.write, args=(record(A),))
    writing.start()
    assert slow_disk.is_halfway.wait(10)
    with pytest.raises(OutputError, match="may not be complete: a line was still being written"):
        lines.close()
    slow_disk.may_go_on.set()
    writing.join()
    lines.close()
    assert path.read_bytes() == LINE_A


def test_a_stream_closed_in_a_line(tmp_path: Path, slow_disk: SlowDisk) -> None:
    """A pipe that nobody reads says nothing about what has been read from it."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    lines = JsonLines.open(str(fifo), SessionLine)
    writing = threading.Thread(target=lines.write, args=(record(A),))
    writing.start()
    assert slow_disk.is_halfway.wait(10)
    lines.close()
    slow_disk.may_go_on.set()
    writing.join()
    lines.close()
    assert os.read(reading, 1000) == LINE_A
    os.close(reading)


def test_written_after_the_close(path: Path) -> None:
    """A record that an interrupt has left behind in its thread does not follow the close."""
    lines = JsonLines.open(str(path), SessionLine)
    lines.close()
    with pytest.raises(OutputError, match="is closed"):
        lines.write(record(A))
    assert path.read_bytes() == b""


@pytest.mark.parametrize("change", ["moved", "deleted", "replaced", "longer", "shorter"])
@pytest.mark.parametrize("at", ["write", "close"])
def test_changed_by_another_process(path: Path, change: str, at: str) -> None:
    """A file that another process takes away or changes is a failure, not a loss in silence."""
    lines = JsonLines.open(str(path), SessionLine)
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
    """Data that may not have reached the disk is a failure."""
    lines = JsonLines.open(str(path), SessionLine)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"out\.jsonl may not be complete: Input/output error"):
        lines.close()


def fail(*arguments: object) -> None:
    """A system call on a broken disk."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_clear(path: Path) -> None:
    """A file can be emptied, and written to from its beginning; a device cannot."""
    path.write_bytes(FAILURE)
    lines = JsonLines.open(str(path), FailureLine, resume=True)
    lines.clear()
    lines.write(FAILURE.strip())
    lines.close()
    assert path.read_bytes() == FAILURE
    null = JsonLines.open(os.devnull, FailureLine)
    null.clear()
    null.undo()


def test_nothing_is_changed_before_it_begins(path: Path) -> None:
    """A job that is refused after its file was opened leaves the file as it was."""
    content = LINE_A + LINE_B[:9]
    path.write_bytes(content)
    JsonLines.open(str(path), SessionLine, resume=True).undo()
    assert path.read_bytes() == content


PENDING = record(B).replace(b"completed", b"pending") + b"\n"
C = "550e8400-e29b-41d4-a716-446655440000"
LINE_C = record(C) + b"\n"


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
@pytest.mark.parametrize("is_packed", [True, False])
def test_lines_are_dropped(path: Path, content: bytes, kept: bytes, *, is_packed: bool) -> None:
    """Unfinished sessions and holes go from anywhere in a file, and nothing else does."""
    if is_packed:
        path, content = path.with_name("out.jsonl.gz"), gzip.compress(content)
    path.write_bytes(content)
    resume(path, record(A))
    found = path.read_bytes()
    assert (gzip.decompress(found) if is_packed else found) == kept + LINE_A
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_unfinished_ids(path: Path) -> None:
    """Which sessions were not finished is known, and told."""
    path.write_bytes(LINE_A + PENDING)
    lines = JsonLines.open(str(path), SessionLine, resume=True)
    lines.begin()
    assert (lines.ids, lines.unfinished) == ({A}, (B,))
    (note,) = lines.take_notes()
    assert "not finished: 1" in note
    assert lines.take_notes() == []
    lines.close()


def test_a_file_that_shrinks_while_it_is_rewritten(path: Path) -> None:
    """What cannot be read again is not lost in silence."""
    path.write_bytes(PENDING + LINE_A)
    lines = JsonLines.open(str(path), SessionLine, resume=True)
    path.write_bytes(PENDING)
    with pytest.raises(CannotStart, match="it was changed by another process"):
        lines.begin()
    lines.undo()


def test_a_torn_line_that_cannot_be_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails before anything is fetched is a reason not to start."""
    path.write_bytes(record(A))
    lines = JsonLines.open(str(path), SessionLine, resume=True)
    monkeypatch.setattr(_output, "write_all", fail)
    with pytest.raises(CannotStart, match="cannot be written: Input/output error"):
        lines.begin()
    lines.undo()
    assert path.read_bytes() == record(A)


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Where to write a compressed file."""
    return tmp_path / "out.jsonl.GZ"


def test_a_compressed_file(packed: Path) -> None:
    """It is a whole gzip file after every line, in every run."""
    lines = JsonLines.open(str(packed), SessionLine)
    lines.write(record(A))
    assert gzip.decompress(packed.read_bytes()) == LINE_A
    lines.write(record(B))
    assert gzip.decompress(packed.read_bytes()) == LINE_A + LINE_B
    lines.close()
    assert resume(packed, record(C)) == {A, B}
    assert gzip.decompress(packed.read_bytes()) == LINE_A + LINE_B + LINE_C
    assert resume(packed) == {A, B, C}


def test_an_empty_compressed_file(packed: Path) -> None:
    """Without a line it is a gzip file of nothing."""
    JsonLines.open(str(packed), SessionLine).close()
    assert packed.stat().st_size
    assert gzip.decompress(packed.read_bytes()) == b""
    assert resume(packed, record(A)) == frozenset()
    assert gzip.decompress(packed.read_bytes()) == LINE_A


def whole() -> bytes:
    """Two compressed lines, as this command writes them."""
    body, _, writer = GzipWriter().add(LINE_A)
    more, end, _ = writer.add(LINE_B)
    return body + more + end


@pytest.mark.parametrize("length", range(1, len(whole())))
def test_a_torn_compressed_file(packed: Path, length: int) -> None:
    """Cut off anywhere, it has all whole lines after it was resumed, for every reader."""
    packed.write_bytes(whole()[:length])
    there = resume(packed, record(C))
    lines = b"".join(line for each, line in ((A, LINE_A), (B, LINE_B)) if each in there)
    assert gzip.decompress(packed.read_bytes()) == lines + LINE_C
    assert length < len(whole()) - 10 or there == {A, B}


def test_a_holed_compressed_file(packed: Path) -> None:
    """What is before a hole is kept, and that something was lost is told."""
    body, end, _ = GzipWriter().add(LINE_A)
    packed.write_bytes(body + b"\0" * 512 + end)
    lines = JsonLines.open(str(packed), SessionLine, resume=True)
    lines.begin()
    assert lines.ids == {A}
    lines.close()
    assert gzip.decompress(packed.read_bytes()) == LINE_A


def test_a_damaged_compressed_file(packed: Path) -> None:
    """A file that is readable up to some place is kept up to there, and a note says so."""
    content = whole()
    packed.write_bytes(content + b"something else")
    lines = JsonLines.open(str(packed), SessionLine, resume=True)
    lines.begin()
    assert lines.take_notes() == [f"{packed}: damaged; dropped what follows the last readable line"]
    lines.close()
    assert gzip.decompress(packed.read_bytes()) == gzip.decompress(content)


def test_a_compressed_hole(packed: Path) -> None:
    """A file of NULs alone begins anew."""
    packed.write_bytes(b"\0" * 4096)
    assert resume(packed, record(A)) == frozenset()
    assert gzip.decompress(packed.read_bytes()) == LINE_A


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"notes", "was not written by this command"),
        (LINE_A, "was not written by this command"),
        (b"\0" * 99 + b"x", "was not written by this command"),
        (gzip.compress(b"notes\n", mtime=0), ":1 was not written by this command"),
        (gzip.compress(LINE_A + b"notes\n", mtime=0), ":2 was not written by this command"),
        (gzip.compress(LINE_A, mtime=0)[:-8] + b"\0" * 8, "does not match its checksum"),
    ],
)
def test_another_compressed_file(packed: Path, content: bytes, complaint: str) -> None:
    """A file with anything else in it, or with other data than was written, is not touched."""
    packed.write_bytes(content)
    with pytest.raises(CannotStart, match=complaint):
        resume(packed)
    assert packed.read_bytes() == content


def test_nothing_is_compressed_into_a_pipe(tmp_path: Path) -> None:
    """A pipe cannot be written over, so a compressed file cannot be whole there."""
    os.mkfifo(pipe := tmp_path / "pipe.gz")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(CannotStart, match=r"pipe\.gz is no regular file"):
        JsonLines.open(str(pipe), SessionLine)
    os.close(reader)


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
    """A name that promises another format is refused, with a better one."""
    with pytest.raises(CannotStart, match=rf"JSON Lines; name it {re.escape(better)}, or "):
        JsonLines.open(name, SessionLine)


@pytest.mark.parametrize(
    "name", ["out", "out.jsonl", "out.ndjson.gz", "out.csv.jsonl", "json", "x.gz"]
)
def test_names_of_this_format(tmp_path: Path, name: str) -> None:
    """Any other name will do."""
    JsonLines.open(str(tmp_path / name), SessionLine).close()


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """A dash is standard output, which stays open."""
    lines = JsonLines.open("-", SessionLine)
    lines.write(record(A))
    lines.close()
    os.write(1, b"more")
    assert capfd.readouterr().out.encode() == LINE_A + b"more"


def test_standard_output_in_a_file_that_fills_up(tmp_path: Path) -> None:
    """A line that does not fit leaves nothing of itself, and what was there before stays."""
    (path := tmp_path / "all.jsonl").write_bytes(LINE_A)
    file = Reluctant(path, "ab+")
    file.room = len(LINE_B) + 3
    lines = JsonLines(File(file, None, "standard output"))
    lines.write(record(B))
    with pytest.raises(OutputError):
        lines.write(record(C))
    lines.close()
    assert path.read_bytes() == LINE_A + LINE_B


def test_a_standard_stream_is_not_compressed(tmp_path: Path) -> None:
    """A compressed name for where standard output leads to is refused, not filled with text."""
    (tmp_path / "out.jsonl.gz").touch()
    with (tmp_path / "out.jsonl.gz").open("ab") as file, pytest.MonkeyPatch.context() as patched:
        patched.setattr(_output, "find_standard", lambda path: file.fileno())
        patched.setattr(File, "borrow", lambda fd: File(io.FileIO(fd, closefd=False), None, "it"))
        with pytest.raises(CannotStart, match="nothing is compressed into it"):
            JsonLines.open(file.name, SessionLine)
