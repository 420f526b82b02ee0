"""The event loop of a command, which an interrupt ends at any time."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Thread
from typing import Any, Final, ParamSpec, TypeVar

from raydocs_async.cli._signals import HANDLER

CALL_GRACE: Final = 0.5
"""Seconds that a blocking call may take to return after an interrupt."""

T = TypeVar("T")
P = ParamSpec("P")


class DaemonThreadExecutor(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own, and never waits for one.

    asyncio and the interpreter wait for the threads of any other executor at exit. There, a host
    name that never resolves, or a pipe that is never read, would keep the process alive.
    """

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a call."""
        future: Future[T] = Future()
        # A thread cannot be cancelled. A future that could be would let asyncio report a call as
        # cancelled that still runs, and `set_result` would raise in its thread.
        future.set_running_or_notify_cancel()
        call = partial(function, *args, **kwargs)
        Thread(target=_complete, args=(future, call), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads running."""


def _complete(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as exc:  # raised where the future is awaited
        future.set_exception(exc)
    else:
        future.set_result(result)


def run_interruptibly(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine, as `asyncio.run` does, and cancel it at the first signal.

    Raises:
        KeyboardInterrupt: a signal has ended it.
        OSError: the system, or a container's limit, allows no more threads.
    """
    try:
        return asyncio.run(_await_interruptibly(coroutine))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except RuntimeError as exc:  # from a call of this module, or from asyncio closing the loop
        if "start new thread" not in str(exc):
            raise
        raise OSError(errno.EAGAIN, "cannot start a thread; is there a limit?") from None


async def _await_interruptibly(coroutine: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.set_default_executor(DaemonThreadExecutor())

    def cancel() -> None:
        """Cancel the task in the loop's next turn."""
        # A signal handler runs between any two bytecodes. A cancellation there could hit a future
        # that the interrupted code is about to complete. And while the selector waits for the
        # network, only a thread-safe call wakes it.
        loop.call_soon_threadsafe(task.cancel)

    HANDLER.cancel = cancel
    try:
        return await coroutine
    finally:
        HANDLER.cancel = None


async def call_blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that may block, in a thread, while the loop goes on.

    After a cancellation the call has `CALL_GRACE` to return, so that a line is written whole.
    """
    call = partial(function, *args, **kwargs)
    calling = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait([calling], timeout=CALL_GRACE)
        if calling.done():
            calling.exception()  # otherwise asyncio logs that it was never retrieved
        raise
