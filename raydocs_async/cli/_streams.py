"""The standard streams of the command, made safe however the process was started.

Data and messages differ. Failure to write data (`DataStream`, `write_all`) always raises.
Messages (`MessageStream`, `say`) never fail and never stop the command: a message that cannot be
shown is dropped.
"""

import atexit
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

from raydocs_async.cli._log_format import LOG_FORMAT
from raydocs_async.cli._printable import printable

DASH: Final = "-"
"""The path of standard input or standard output on the command line."""

FLUSH_TIMEOUT: Final = 0.5
"""Seconds to wait for a slow terminal, or reader of a log, while the job runs: its event loop
waits as well, with all requests. What is not written then is written later."""

DRAIN_TIMEOUT: Final = 5.0
"""Seconds to wait at the end for the next message to be written, because later is too late.

A terminal that is stopped (Ctrl-S) and a pipe that nobody reads may never take it, and the job has
to end all the same: before the 10 seconds are over after which Docker kills a process that it has
asked to stop. A busy machine or a stalled connection delays a message by a second or two.
"""

_MAX_QUEUED: Final = 1000
"""Messages that wait for such a reader; further ones are dropped."""


def prepare() -> None:
    """Replace the standard streams of this process, so that each can be written to at any time.

    Python's own may be ``None`` (a daemon, ``pythonw``), raise for a character that their encoding
    lacks, and keep text in a buffer whose flush at exit replaces the exit code.
    """
    for fd in range(3):
        _ensure_open(fd)
    sys.stdout = _wrap_text(DataStream(1), sys.stdout)
    messages = MessageStream(2)
    sys.stderr = _wrap_text(messages, sys.stderr)
    atexit.register(messages.drain)


def say(message: str, max_length: int = sys.maxsize, **facts: Any) -> None:
    """Print one line to standard error, without control characters.

    All messages go through this function, except those that rich prints above a progress bar.

    Args:
        message: The text.
        max_length: Characters of the text to show.
        facts: More keys of the line, if it is JSON.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{LOG_FORMAT.format(printable(message, max_length), facts)}\n")
        sys.stderr.flush()


def write_all(file: io.RawIOBase, data: bytes) -> None:
    """Write all of `data`, waiting for a slow reader as long as it takes.

    Raises:
        OSError: it cannot be written.
    """
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        # None: another process has made a shared pipe non-blocking, and it is full. Without the
        # wait, this loop would use a whole core.
        if written is None:
            _wait(file.fileno(), selectors.EVENT_WRITE)
        else:
            rest = rest[written:]


def read_some(fd: int, size: int) -> bytes:
    """Read up to `size` bytes, waiting for the first; return no bytes at the end.

    Raises:
        OSError: the descriptor cannot be read.
    """
    while True:
        try:
            return os.read(fd, size)
        except BlockingIOError:  # another process has made it non-blocking
            _wait(fd, selectors.EVENT_READ)


def find_standard_stream(path: str) -> int | None:
    """Return the descriptor, 1 or 2, of the standard stream that is the very file at `path`.

    The caller writes through that descriptor. If it opened a regular file once more, it would
    write from the file's beginning, over the output of the stream.
    """
    if path == DASH:
        return 1
    try:
        status = Path(path).stat()
    except OSError:
        return None
    same = (fd for fd in (1, 2) if os.path.samestat(status, os.fstat(fd)))
    return next(same, None)


def is_same_file(first: str, second: str) -> bool:
    """Return True if both paths lead to one file: by name, by a link, or as ``-``."""
    if os.path.realpath(first) == os.path.realpath(second):
        return True
    try:
        one, other = _stat_output(first), _stat_output(second)
    except OSError:
        return False
    # Two names of one device are fine: /dev/null takes both outputs.
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def is_same_input(source: str, output: str) -> bool:
    """Return True if `source` is read from the regular file that `output` is; ``-`` is both."""
    try:
        one = os.fstat(0) if source == DASH else os.stat(source)  # noqa: PTH116
        other = _stat_output(output)
    except OSError:
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def _stat_output(path: str) -> os.stat_result:
    return os.fstat(1) if path == DASH else os.stat(path)  # noqa: PTH116


class InputStream(io.RawIOBase):
    """A descriptor to read lines from, however it was opened; it stays open."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readable(self) -> bool:
        """Return True; the read itself reports an unreadable descriptor."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting for the first byte."""
        data = read_some(self._fd, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class DataStream(io.RawIOBase):
    """A descriptor for data: each write is complete, or raises."""

    def __init__(self, fd: int) -> None:
        # `open`, not `io.FileIO`: on Windows, only `open` writes text to a console correctly.
        self._file = open(fd, "wb", buffering=0, closefd=False)  # noqa: SIM115

    def writable(self) -> bool:
        """Return True; the write itself reports an unwritable descriptor."""
        return True

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()

    def isatty(self) -> bool:
        """Return True for a terminal."""
        return self._file.isatty()

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        write_all(self._file, data)
        return len(data)


class MessageStream(DataStream):
    """A descriptor for messages: a write neither fails nor blocks for long.

    A thread writes, because a blocked write (a terminal stopped by Ctrl-S, a stuck reader of a
    log) can only be abandoned by leaving its thread. `flush` waits for the thread, which keeps
    messages and data in order on a terminal; but for `FLUSH_TIMEOUT` at most, and only once.
    `drain` waits longer, before the process leaves.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._queue: queue.Queue[bytes] = queue.Queue(_MAX_QUEUED)
        self._is_stuck = False
        # A daemon, because a write that never returns must not keep the process from leaving.
        threading.Thread(target=self._work, name="raydocs-async messages", daemon=True).start()

    def write(self, data: Any) -> int:
        """Queue `data` for the thread, or drop it if the queue is full."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Wait until the thread has written all messages, or for `FLUSH_TIMEOUT`."""
        with self._queue.all_tasks_done:
            # `Queue.join` is the same wait, but without a time-out.
            self._is_stuck = not self._queue.all_tasks_done.wait_for(
                lambda: not self._queue.unfinished_tasks, 0 if self._is_stuck else FLUSH_TIMEOUT
            )

    def drain(self) -> None:
        """Wait until the thread has written all messages, or none within `DRAIN_TIMEOUT`.

        Ctrl-C ends the wait.
        """
        left = -1
        with contextlib.suppress(KeyboardInterrupt), self._queue.all_tasks_done:
            while self._queue.unfinished_tasks not in (0, left):
                left = self._queue.unfinished_tasks
                self._queue.all_tasks_done.wait(DRAIN_TIMEOUT)

    def _work(self) -> None:
        while True:
            data = self._queue.get()
            with contextlib.suppress(OSError):
                write_all(self._file, data)
            self._queue.task_done()


def _ensure_open(fd: int) -> None:
    """Replace a closed standard descriptor by one that can be neither read nor written.

    Otherwise the next file or socket gets its number, and messages are written into that one.
    """
    try:
        os.fstat(fd)
    except OSError:
        # The wrong end of a pipe: reads of its writing end, and writes to its reading end, fail.
        # /dev/null would take data in silence.
        reading, writing = os.pipe()
        wrong, other = (writing, reading) if fd == 0 else (reading, writing)
        if wrong != fd:
            os.dup2(wrong, fd)
        for each in {wrong, other} - {fd}:
            os.close(each)


def _wrap_text(raw: DataStream, replaced: TextIO | None) -> TextIO:
    with contextlib.suppress(AttributeError, OSError, ValueError):
        replaced.flush()  # type: ignore[union-attr]
    encoding = getattr(replaced, "encoding", None) or "utf-8"
    return io.TextIOWrapper(raw, encoding, "backslashreplace", write_through=True)  # type: ignore[type-var]


def _wait(fd: int, event: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, event)
        selector.select()
