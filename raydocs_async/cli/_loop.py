"""The event loop of a command, which can be left at any time."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Thread
from typing import Any, Final, ParamSpec, TypeVar

from raydocs_async.cli._signals import STOPPER

MOMENT: Final = 0.5
"""Seconds that a blocking call has to return after an interrupt."""

T = TypeVar("T")
P = ParamSpec("P")


class DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own, and waits for none of them.

    asyncio and the interpreter wait for the threads of any other executor: a name that never
    resolves, or a pipe that nobody reads, would keep the process.
    """

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start one."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # a thread cannot be cancelled, so neither can this
        call = partial(function, *args, **kwargs)
        Thread(target=_complete, args=(future, call), daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave them to themselves."""


def _complete(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as exc:  # it is raised where the result is awaited
        future.set_exception(exc)
    else:
        future.set_result(result)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine, as `asyncio.run` does, and cancel it at the first signal.

    Raises:
        KeyboardInterrupt: a signal has ended it.
        OSError: the system, or a container's limit, allows no more threads.
    """
    try:
        return asyncio.run(_interruptible(coroutine))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    except RuntimeError as exc:  # of a call of ours, or of asyncio when it closes the loop
        if "start new thread" not in str(exc):
            raise
        raise OSError(errno.EAGAIN, "no thread can be started; is there a limit?") from None


async def _interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    loop.set_default_executor(DaemonThreads())

    def cancel() -> None:
        """Cancel the task in the loop's next turn.

        A signal's handler runs between any two lines. To cancel there would, now and then, cancel
        a future that the interrupted line is about to complete.
        """
        loop.call_soon_threadsafe(task.cancel)

    STOPPER.cancel = cancel
    try:
        return await coroutine
    finally:
        STOPPER.cancel = None


async def call_blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a call that may block, in a thread, while the loop goes on.

    A cancellation gives it a moment to return, so that a line on its way out is written whole.
    """
    call = partial(function, *args, **kwargs)
    calling = asyncio.get_running_loop().run_in_executor(None, call)
    try:
        return await asyncio.shield(calling)
    except asyncio.CancelledError:
        await asyncio.wait([calling], timeout=MOMENT)
        if calling.done():
            calling.exception()  # it is told of the interrupt; asyncio need not complain
        raise
