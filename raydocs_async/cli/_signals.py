"""Signals that ask a command to end: Ctrl-C, SIGTERM, SIGHUP."""

import os
import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

GRACE: Final = 1.0
"""Seconds that a command may take to end; after them, one more signal ends it at once."""


class SignalHandler:
    """Ends the command at the first signal, and at a later one if it is still running.

    Signals come in pairs: ``timeout`` sends one to the process and one to its group. So a second
    signal that follows at once is part of the same request, and is ignored.
    """

    def __init__(self, cancel: Callable[[], object] | None = None) -> None:
        self.cancel = cancel
        """Cancels the coroutine that the event loop runs; ``None`` while no loop is running."""
        self._first_signal_at: float | None = None

    def install(self) -> None:
        """Handle the signals of this process, but not those that it was started to ignore."""
        # SIGTERM always: containers send it, also to a process that ignores Ctrl-C because a
        # script started it in the background.
        signal.signal(signal.SIGTERM, self)
        for name in ("SIGINT", "SIGHUP"):  # Windows has no SIGHUP; nohup ignores it
            number = getattr(signal, name, signal.SIGINT)
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal.

        Raises:
            KeyboardInterrupt: it is the first one, and no event loop is running.
        """
        now = time.monotonic()
        if self._first_signal_at is None:
            self._first_signal_at = now
            if self.cancel is None:
                raise KeyboardInterrupt
            self.cancel()
        elif now - self._first_signal_at > GRACE:
            # Raising would not do: the code that does not end may sit in a blocking call.
            os._exit(130)  # `ExitCode.INTERRUPTED`; importing it here would need the extra


HANDLER: Final = SignalHandler()
"""The handler of this process."""
