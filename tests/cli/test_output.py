"""Files of JSON Lines that survive anything."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._output import FailureLine, JsonLines, OutputError, SessionLine, scan

A, B = "770e8400-e29b-41d4-a716-446655440000", "660e8400-e29b-41d4-a716-446655440000"


def record(session_id: str) -> bytes:
    """A session's line, without its end."""
    return json.dumps({"id": session_id, "documents": [], "name": "Ünïcode"}).encode()


LINE_A, LINE_B = record(A) + b"\n", record(B) + b"\n"
FAILURE = json.dumps({"id": A, "error": {"type": "NotFoundError"}}).encode() + b"\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / "out.jsonl"


def resume(path: Path, *records: bytes) -> frozenset[str]:
    """Go on with a file: what was in it, after `records` are added."""
    lines = JsonLines.open(str(path), SessionLine, resume=True)
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
    file = Reluctant(path, "ab")
    file.room = room
    lines = JsonLines(file, "out.jsonl")
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


def test_cut(path: Path) -> None:
    """A file can be emptied, and written to from its beginning."""
    path.write_bytes(FAILURE)
    lines = JsonLines.open(str(path), FailureLine, resume=True)
    lines.clear()
    lines.write(FAILURE.strip())
    lines.close()
    assert path.read_bytes() == FAILURE


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """A dash is standard output, which stays open."""
    lines = JsonLines.open("-", SessionLine)
    lines.write(record(A))
    lines.close()
    os.write(1, b"more")
    assert capfd.readouterr().out.encode() == LINE_A + b"more"


def test_scan_tells_how_much_is_good() -> None:
    """What is to be kept is told in bytes, so that the rest can be cut off."""
    assert scan([LINE_A, LINE_B[:5]], SessionLine, "out.jsonl").size == len(LINE_A)
