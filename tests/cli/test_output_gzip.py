"""Compressed files of JSON Lines."""

import gzip
import io
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli import _output
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import OutputFile
from raydocs_async.cli._gzip import GzipReader, GzipWriter
from raydocs_async.cli._output import JsonLinesFile, OutputError
from raydocs_async.cli._scan import SessionRecord
from tests.cli.records import LINE_A, LINE_B, LINE_C, A, B, C, NearlyFull, record, resume


@given(room=st.integers(0, 300))
def test_a_compressed_file_on_a_disk_that_fills_up(
    tmp_path_factory: pytest.TempPathFactory, room: int
) -> None:
    """The file is complete also after a line that did not fit."""
    path = tmp_path_factory.mktemp("disk") / "out.jsonl.gz"
    file = NearlyFull(path, "xb+")
    file.room = 10_000
    lines = JsonLinesFile(OutputFile(file, path, "out.jsonl.gz"), is_gzip=True)
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


def test_a_compressed_file_on_a_full_disk(compressed: Path) -> None:
    """A line that does not fit is removed, and the file is complete."""
    lines = JsonLinesFile.open(str(compressed), SessionRecord)
    lines.write(record(A))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (compressed.stat().st_size, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written any more: File too large"):
            lines.write(os.urandom(1000))
        lines.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert gzip.decompress(compressed.read_bytes()) == LINE_A


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    """The path of a compressed file."""
    return tmp_path / "out.jsonl.GZ"


def test_a_compressed_file(compressed: Path) -> None:
    """The file is a complete gzip file after every line, in every run."""
    lines = JsonLinesFile.open(str(compressed), SessionRecord)
    lines.write(record(A))
    assert gzip.decompress(compressed.read_bytes()) == LINE_A
    lines.write(record(B))
    assert gzip.decompress(compressed.read_bytes()) == LINE_A + LINE_B
    lines.close()
    assert resume(compressed, record(C)) == {A, B}
    assert gzip.decompress(compressed.read_bytes()) == LINE_A + LINE_B + LINE_C
    assert resume(compressed) == {A, B, C}


def test_an_empty_compressed_file(compressed: Path) -> None:
    """Without a line, the file is a gzip file without content."""
    JsonLinesFile.open(str(compressed), SessionRecord).close()
    assert compressed.stat().st_size
    assert gzip.decompress(compressed.read_bytes()) == b""
    assert resume(compressed, record(A)) == frozenset()
    assert gzip.decompress(compressed.read_bytes()) == LINE_A


def whole() -> bytes:
    """Return two compressed lines, as this command writes them."""
    body, _, writer = GzipWriter().add(LINE_A)
    more, end, _ = writer.add(LINE_B)
    return body + more + end


@pytest.mark.parametrize("length", range(1, len(whole())))
def test_a_torn_compressed_file(compressed: Path, length: int) -> None:
    """A file that was cut off anywhere keeps its whole lines, and is readable for any reader."""
    compressed.write_bytes(whole()[:length])
    there = resume(compressed, record(C))
    lines = b"".join(line for each, line in ((A, LINE_A), (B, LINE_B)) if each in there)
    assert gzip.decompress(compressed.read_bytes()) == lines + LINE_C
    assert length < len(whole()) - 10 or there == {A, B}


def test_a_damaged_compressed_file(compressed: Path) -> None:
    """Lines in front of zeroed blocks are kept."""
    body, end, _ = GzipWriter().add(LINE_A)
    compressed.write_bytes(body + b"\0" * 512 + end)
    lines = JsonLinesFile.open(str(compressed), SessionRecord, resume=True)
    lines.repair()
    assert lines.finished_ids == {A}
    lines.close()
    assert gzip.decompress(compressed.read_bytes()) == LINE_A


def test_a_partly_readable_compressed_file(compressed: Path) -> None:
    """A file is kept up to its damage, and a warning says so."""
    content = whole()
    compressed.write_bytes(content + b"something else")
    lines = JsonLinesFile.open(str(compressed), SessionRecord, resume=True)
    lines.repair()
    assert lines.pop_warnings() == [
        f"{compressed}: damaged; dropped the rest after the last readable line"
    ]
    lines.close()
    assert gzip.decompress(compressed.read_bytes()) == gzip.decompress(content)


def test_a_zeroed_compressed_file(compressed: Path) -> None:
    """A file of NUL bytes alone is begun anew."""
    compressed.write_bytes(b"\0" * 4096)
    assert resume(compressed, record(A)) == frozenset()
    assert gzip.decompress(compressed.read_bytes()) == LINE_A


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
def test_another_compressed_file(compressed: Path, content: bytes, complaint: str) -> None:
    """A compressed file with other lines or altered data is refused, and is unchanged."""
    compressed.write_bytes(content)
    with pytest.raises(CannotStart, match=complaint):
        resume(compressed)
    assert compressed.read_bytes() == content


def test_a_compressed_pipe(tmp_path: Path) -> None:
    """A compressed pipe is refused, because trailers cannot be overwritten there."""
    os.mkfifo(pipe := tmp_path / "pipe.gz")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(CannotStart, match=r"pipe\.gz is not a regular file"):
        JsonLinesFile.open(str(pipe), SessionRecord)
    os.close(reader)


def test_a_standard_stream_is_not_compressed(tmp_path: Path) -> None:
    """A compressed name for the file of standard output is refused, not filled with text."""
    (tmp_path / "out.jsonl.gz").touch()
    with (tmp_path / "out.jsonl.gz").open("ab") as file, pytest.MonkeyPatch.context() as patched:
        patched.setattr(_output, "find_standard_stream", lambda path: file.fileno())
        patched.setattr(
            OutputFile, "borrow", lambda fd: OutputFile(io.FileIO(fd, closefd=False), None, "it")
        )
        with pytest.raises(CannotStart, match="it cannot be compressed"):
            JsonLinesFile.open(file.name, SessionRecord)
