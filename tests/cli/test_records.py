"""The records of files of `fetch`."""

import gzip
import json
import os
import threading
from functools import partial
from pathlib import Path

import pytest

from raydocs_async.cli import _records
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._records import count_bytes, read_records
from raydocs_async.cli._scan import read_lines

packed = partial(gzip.compress, mtime=0)  # the time would be in the names of the cases
A, B = b'{"id":"a"}\n', b'{"id":"b"}\n'


def read(path: Path, content: bytes) -> list[str]:
    """Return the ids in a file with this content."""
    path.write_bytes(content)
    return [record.value["id"] for record in read_records([str(path)], lambda _: None)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path("in")


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (A + B, ""),
        (A + B[:-1], ""),
        (b"\xef\xbb\xbf" + A + b"\n  \r\n" + B, ""),
        (A + B + b'{"id":', "in: left out the last line, which was cut off (6 bytes).\n"),
        (A + bytes(500) + b"\n" + B, "in: left out 501 bytes that are damaged, as after a"),
        (packed(A) + packed(B), ""),
        (packed(A + B)[:-9], "in: the compressed file ends early; the rest is missing.\n"),
    ],
)
def test_what_is_read(
    path: Path, capsys: pytest.CaptureFixture[str], content: bytes, warning: str
) -> None:
    """Whole lines are read, and what is left out of an interrupted file is named."""
    assert read(path, content) == ["a", "b"]
    shown = capsys.readouterr().err
    assert shown.startswith(warning)
    assert bool(shown) == bool(warning)


def test_a_torn_line_in_gzip(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The torn line of a compressed file that ends early is left out."""
    assert read(path, packed(A + B[:-5])[:-4]) == ["a"]
    assert capsys.readouterr().err == (
        "in: left out the last line, which was cut off (6 bytes).\n"
        "in: the compressed file ends early; the rest is missing.\n"
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (A + b'{"id":\n' + B, "in:2 is not JSON; name a file that `fetch` has written"),
        (A + b"id\n", "in:2 is not JSON"),
        (A + b"id", "in:2 is not JSON"),
        (b"\xff\xfe{\0}\0\n\0", "in is UTF-16; save it as UTF-8"),
        (b"\xfe\xff\0{\0}", "in is UTF-16"),
        (b"[" * 100_000, "in:1 is nested too deeply"),
        (packed(b"id\n"), "in:1 is not JSON"),
        (packed(A)[:-8] + bytes(8), r"in is damaged \(.*incorrect data check"),
        (packed(b"id\n" * 1_000_000)[:-8] + bytes(8), "in is damaged"),
        (A + b"\xff\xfe\n", "in:2 is not JSON"),
    ],
)
def test_what_is_refused(path: Path, content: bytes, complaint: str) -> None:
    """A file of another program, or a damaged one, is refused with the place."""
    with pytest.raises(CannotStart, match=complaint):
        read(path, content)


def test_a_line_that_is_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that does not fit into memory is refused."""
    monkeypatch.setattr(_records, "read_lines", lambda file: read_lines(file, 100))
    with pytest.raises(CannotStart, match="in:2 is longer than the longest line"):
        read(path, A + json.dumps({"id": "x" * 200}).encode() + b"\n")


def test_fractions(path: Path) -> None:
    """A fraction keeps its digits; an integer is exact."""
    path.write_bytes(b'{"a":1.10,"b":18446744073709551617}\n')
    ((where, value),) = read_records([str(path)], lambda _: None)
    assert (where, bytes(value["a"]), value["b"]) == ("in:1", b"1.10", 2**64 + 1)


def test_progress(path: Path) -> None:
    """The bytes that are reported sum up to the size of the file."""
    path.write_bytes(A * 1000)
    sizes: list[int] = []
    assert len(list(read_records([str(path)], sizes.append))) == 1000
    assert sum(sizes) == count_bytes([str(path), "missing"]) == len(A) * 1000


def test_a_pipe(path: Path) -> None:
    """A pipe is read, too."""
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=[A])
    thread.start()
    assert [record.value for record in read_records([str(path)], lambda _: None)] == [{"id": "a"}]
    thread.join()
