"""What the signals do that ask a command to end: Ctrl-C, SIGTERM, SIGHUP."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from attrs import define

GRACE: Final = 1.0
"""Seconds that a command may take to end; after it, one more signal ends it at once."""


@define
class Stopper:
    """Ends the command at the first signal, and at a later one if it is still there.

    Signals come in pairs: ``timeout`` sends one to the process and one to its group. So a second
    one that follows at once is the same request, and disturbs nothing.
    """

    cancel: Callable[[], object] | None = None
    """Ends what the event loop runs; without it, `KeyboardInterrupt` is raised where it is."""
    _asked_at: float | None = None

    def install(self) -> None:
        """Take the signals of this process, but not those that it was started to ignore."""
        signal.signal(signal.SIGTERM, self)  # what containers send, even to what ignores Ctrl-C
        for name in ("SIGINT", "SIGHUP"):  # Windows has no SIGHUP; nohup ignores it
            number = getattr(signal, name, signal.SIGINT)
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            if self.cancel is None:
                raise KeyboardInterrupt
            self.cancel()
        elif now - self._asked_at > GRACE:
            os._exit(130)  # `Exit.INTERRUPTED`, whose module needs the extra


STOPPER: Final = Stopper()
"""The handler of this process."""
