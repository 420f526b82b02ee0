"""The standard streams of the command, made safe whatever the process was started with.

Data and display differ. A failure of the data's way out (`Output`, `write_all`) is always raised.
The display (`Display`, `say`) never fails and never stops the job: a message that cannot be shown
is dropped.
"""

import contextlib
import io
import os
import queue
import selectors
import stat
import sys
import threading
from pathlib import Path
from typing import Any, Final, TextIO

from raydocs_async.cli._printable import printable

STDOUT: Final = "-"
"""The name of standard output on the command line."""

PATIENCE: Final = 0.5
"""Seconds to wait for a terminal, or the reader of a log, that takes no text."""

_BACKLOG: Final = 1000
"""Messages kept for a display that takes none; further ones are dropped."""


def prepare() -> None:
    """Replace the standard streams of this process, so that each can be written to at any time.

    Python's own may be ``None`` (a daemon, ``pythonw``), raise for a character that their encoding
    lacks, and keep text in a buffer whose flush at exit replaces the exit code.
    """
    for fd in range(3):
        _occupy(fd)
    sys.stdout = _text_stream(Output(1), sys.stdout)
    sys.stderr = _text_stream(Display(2), sys.stderr)


def say(message: str, longest: int = sys.maxsize) -> None:
    """Show one line to a person: the only way of text to standard error but for the bar's."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{printable(message, longest)}\n")
        sys.stderr.flush()


def write_all(file: io.RawIOBase, data: bytes) -> None:
    """Write all of `data`, waiting for as long as it takes.

    Raises:
        OSError: it cannot be written.
    """
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if written is None:  # another process has made it non-blocking, and its reader is slow
            _wait(file.fileno(), selectors.EVENT_WRITE)
        else:
            rest = rest[written:]


def read_some(fd: int, size: int) -> bytes:
    """Read up to `size` bytes, waiting for the first; none at the end.

    Raises:
        OSError: it cannot be read.
    """
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:  # another process has made it non-blocking
            _wait(fd, selectors.EVENT_READ)


def find_standard(path: str) -> int | None:
    """The standard stream that is the very file at `path`: 1, 2, or ``None``.

    Opened once more, a regular file would be written from its beginning, over what comes through
    the stream.
    """
    if path == STDOUT:
        return 1
    try:
        there = Path(path).stat()
    except OSError:
        return None
    same = (fd for fd in (1, 2) if os.path.samestat(there, os.fstat(fd)))
    return next(same, None)


def is_one_file(first: str, second: str) -> bool:
    """True if both lead to one file, by whatever names: paths, links, ``-``."""
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    try:
        one, other = _stat_output(first), _stat_output(second)
    except OSError:
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def feeds_itself(source: str, output: str) -> bool:
    """True if what is read from `source` is the regular file that `output` is; ``-`` is both."""
    try:
        one = os.fstat(0) if source == STDOUT else os.stat(source)  # noqa: PTH116
        other = _stat_output(output)
    except OSError:
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def _stat_output(path: str) -> os.stat_result:
    return os.fstat(1) if path == STDOUT else os.stat(path)  # noqa: PTH116


class Output(io.RawIOBase):
    """A descriptor for data: each write is whole, or raises."""

    def __init__(self, fd: int) -> None:
        # On Windows, `open` knows a console from a file.
        self._file = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115

    def writable(self) -> bool:
        """It is, or the write says why not."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """True for a terminal."""
        return self._file.isatty()

    def write(self, data: Any) -> int:
        """Write all of it."""
        write_all(self._file, data)
        return len(data)


class Display(Output):
    """A descriptor for messages: a write neither fails nor blocks for long.

    A thread writes, because nothing else can leave a write that blocks: the terminal is stopped
    by Ctrl-S, the log's reader is stuck. `flush` waits for it, which keeps the order of messages
    and data that share a terminal; but for no longer than `PATIENCE`, and once only.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._queue: queue.Queue[bytes] = queue.Queue(_BACKLOG)
        self._is_stuck = False
        # A daemon, because a write that never returns must not keep the process from leaving.
        threading.Thread(target=self._work, name="raydocs-async display", daemon=True).start()

    def write(self, data: Any) -> int:
        """Show it soon."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Wait a moment until all is shown."""
        with self._queue.all_tasks_done:
            self._is_stuck = not self._queue.all_tasks_done.wait_for(
                lambda: not self._queue.unfinished_tasks, 0 if self._is_stuck else PATIENCE
            )

    def _work(self) -> None:
        while True:
            data = self._queue.get()
            with contextlib.suppress(OSError):
                write_all(self._file, data)
            self._queue.task_done()


def _occupy(fd: int) -> None:
    """Give a closed standard descriptor to something that cannot be read or written.

    Otherwise the next file or socket gets its number, and what is said goes into that one.
    """
    try:
        os.fstat(fd)
    except OSError:
        reading, writing = os.pipe()
        wrong, other = (writing, reading) if fd == 0 else (reading, writing)
        if wrong != fd:
            os.dup2(wrong, fd)
        for each in {wrong, other} - {fd}:
            os.close(each)


def _text_stream(raw: Output, replaced: TextIO | None) -> TextIO:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        replaced.flush()  # type: ignore[union-attr]
    encoding = getattr(replaced, "encoding", None) or "utf-8"
    return io.TextIOWrapper(raw, encoding, "backslashreplace", write_through=True)  # type: ignore[type-var]


def _wait(fd: int, event: int) -> None:
    with selectors.DefaultSelector() as waiting:
        waiting.register(fd, event)
        waiting.select()
