"""A line that a thread is still writing while its file is closed."""

import io
import os
import threading
from pathlib import Path

import pytest

from raydocs_async.cli import _output
from raydocs_async.cli._output import JsonLinesFile, OutputError
from raydocs_async.cli._scan import SessionRecord
from tests.cli.records import LINE_A, A, record


class SlowDisk:
    """A disk that writes half of a record, and waits before the rest."""

    def __init__(self) -> None:
        self.is_halfway = threading.Event()
        self.may_go_on = threading.Event()

    def write(self, file: io.RawIOBase, data: bytes) -> None:
        """Replace `write_all`."""
        file.write(data[:10])
        self.is_halfway.set()
        assert self.may_go_on.wait(10)
        file.write(data[10:])


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    """A slow disk under all writes."""
    disk = SlowDisk()
    monkeypatch.setattr(_output, "write_all", disk.write)
    return disk


def test_closed_in_a_line(path: Path, slow_disk: SlowDisk) -> None:
    """A write that an interrupt left in its thread is not mistaken for another process."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    writing = threading.Thread(target=lines.write, args=(record(A),))
    writing.start()
    assert slow_disk.is_halfway.wait(10)
    with pytest.raises(OutputError, match="may not be complete: a line was being written"):
        lines.close()
    slow_disk.may_go_on.set()
    writing.join()
    lines.close()
    assert path.read_bytes() == LINE_A


def test_a_stream_closed_in_a_line(tmp_path: Path, slow_disk: SlowDisk) -> None:
    """An unread pipe can be closed while a thread writes to it, without an error."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    lines = JsonLinesFile.open(str(fifo), SessionRecord)
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
    """A record that an interrupt left in its thread is not written after the close."""
    lines = JsonLinesFile.open(str(path), SessionRecord)
    lines.close()
    with pytest.raises(OutputError, match="is closed"):
        lines.write(record(A))
    assert path.read_bytes() == b""
