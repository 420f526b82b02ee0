"""The server's clock."""

import asyncio
import os
import tempfile
import time


class Clock:
    """Seconds since the epoch, as the event loop's clock moves them.

    The wall clock is read once, when this is made, within the loop. A wall clock that jumps later,
    or that a test has replaced, has no effect, and a virtual loop clock is followed.
    """

    def __init__(self) -> None:
        self._loop_time = asyncio.get_running_loop().time
        self._loop_start = self._loop_time()
        self.started_at = _wall_clock()
        """When it was made, in seconds since the epoch."""

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self.started_at + self._loop_time() - self._loop_start


def _wall_clock() -> float:
    # freezegun and time-machine replace every clock of the module `time`. The file system's is out
    # of their reach; without it, the sandbox would serve, and date its replies, in another year.
    try:
        with tempfile.TemporaryFile() as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # nowhere to write
        return time.time()
