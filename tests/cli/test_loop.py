"""The event loop of a command."""

import asyncio
import threading

import pytest

from raydocs_async.cli._loop import call_blocking, run_interruptibly
from raydocs_async.cli._signals import HANDLER


async def test_a_call_that_is_under_way() -> None:
    """A cancellation waits briefly for a blocking call, and ignores its error."""
    started, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def call() -> None:
        """Wait for the event, and raise an error."""
        started.set()
        ended.append(may_end.wait(10))
        raise OSError("too late to matter")

    calling = asyncio.create_task(call_blocking(call))
    await asyncio.to_thread(started.wait)
    calling.cancel()
    asyncio.get_running_loop().call_soon(may_end.set)
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert ended == [True]


async def test_a_call_that_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation does not wait longer than the grace for a call that does not return."""
    monkeypatch.setattr("raydocs_async.cli._loop.CALL_GRACE", 0)
    started, may_end = threading.Event(), threading.Event()

    def call() -> None:
        """Wait for the event."""
        started.set()
        may_end.wait(10)

    calling = asyncio.create_task(call_blocking(call))
    await asyncio.to_thread(started.wait)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    may_end.set()


def test_a_signal_between_two_lines() -> None:
    """A signal handler cancels in the loop's next turn, not in the middle of a callback."""

    async def main() -> None:
        """Receive a signal while the future that the task waits for is being completed."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[str] = loop.create_future()

        def complete() -> None:
            """Complete the future as asyncio's callbacks do, with a signal after the check."""
            assert not waiting.done()
            assert HANDLER.cancel is not None
            HANDLER.cancel()
            waiting.set_result("complete")
            completed.append(True)

        loop.call_soon(complete)
        await waiting

    completed: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        run_interruptibly(main())
    assert completed == [True]


def test_errors_of_calls() -> None:
    """The caller gets the result or the error of the call."""

    async def main() -> int:
        """Make a call that raises, and one that returns."""
        with pytest.raises(ValueError, match="invalid literal"):
            await call_blocking(int, "x")
        return await call_blocking(int, "1")

    assert run_interruptibly(main()) == 1


def test_no_room_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's limit of threads is an `OSError`, like a full disk."""

    def refuse(thread: threading.Thread) -> None:
        """Fail like `Thread.start` at such a limit."""
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="cannot start a thread"):
        run_interruptibly(call_blocking(int, "1"))


def test_another_runtime_error() -> None:
    """Any other `RuntimeError` is raised unchanged."""

    async def main() -> None:
        """Fail."""
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        run_interruptibly(main())


def test_a_thread_that_never_ends() -> None:
    """A call that never returns keeps neither the loop nor the process alive."""

    async def main() -> None:
        """Leave a blocked thread behind."""
        asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
        await asyncio.sleep(0)

    run_interruptibly(main())
