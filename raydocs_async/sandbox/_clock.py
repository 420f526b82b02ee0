"""The server's clock."""

import asyncio
import os
import tempfile
import time


class Clock:
    """Seconds since the epoch, moved by the clock of the running event loop.

    The wall clock is read once, at construction. Later jumps of it have no effect, and neither has
    a replacement by a test. A virtual loop clock is followed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_start = self._loop.time()
        self.started_at = _wall_clock()
        """The time of construction, in seconds since the epoch."""

    @property
    def is_running(self) -> bool:
        """True in the event loop of its construction."""
        return asyncio.get_running_loop() is self._loop

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.started_at + self._loop.time() - self._loop_start


def _wall_clock() -> float:
    # freezegun and time-machine replace every clock of the module `time`, but they do not reach
    # the file system's clock. With theirs, the sandbox would date its replies in another year.
    try:
        with tempfile.TemporaryFile() as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # nowhere to write
        return time.time()
