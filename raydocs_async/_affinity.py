"""The event loop and the process that a client belongs to, from its first use on."""

import asyncio
import os

from raydocs_async.errors import ConfigurationError

_ELSEWHERE = "this client was opened in another {0}; build one client in each, and close it there"


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop.

    Raises:
        ConfigurationError: No asyncio event loop runs here, as under trio or in plain code.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "no asyncio event loop is running here; raydocs_async needs asyncio, "
            "so call it from a coroutine that asyncio.run() or an asyncio framework runs"
        ) from None


def current_task() -> asyncio.Task[object]:
    """Return the running task, which a deadline can cancel.

    Raises:
        ConfigurationError: No asyncio task runs here.
    """
    task = asyncio.current_task(running_loop())
    if task is None:
        raise ConfigurationError(
            "this coroutine does not run in an asyncio task; await it, or give it to create_task()"
        )
    return task


class Home:
    """The event loop and process that a client's connections belong to."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def check(self, *, closing: bool = False) -> None:
        """Bind to the running event loop and this process at the first call.

        Args:
            closing: Allow another event loop if the first one is closed, because no call can run
                in a closed loop.

        Raises:
            ConfigurationError: The client was used in another event loop or process before, or no
                asyncio event loop is running.
        """
        loop, process = running_loop(), os.getpid()
        if self._loop is None:
            self._loop, self._process = loop, process
        is_elsewhere = self._loop is not loop and not (closing and self._loop.is_closed())
        if self._process != process or is_elsewhere:
            where = "process" if self._process != process else "event loop"
            raise ConfigurationError(_ELSEWHERE.format(where))
