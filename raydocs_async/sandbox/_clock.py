"""The server's clock."""

import asyncio
import time


class Clock:
    """Seconds since the epoch, as the event loop's clock moves them.

    The wall clock is read once, when this is made, within the loop. A wall clock that jumps later
    has no effect, and a virtual loop clock is followed.
    """

    def __init__(self) -> None:
        self._loop_time = asyncio.get_running_loop().time
        self._loop_start = self._loop_time()
        self.started_at = time.time()
        """When it was made, in seconds since the epoch."""

    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self.started_at + self._loop_time() - self._loop_start
