"""KeyboardInterrupt at any line: nothing of a call is left, and the client can still be closed.

An interactive prompt catches the interrupt and goes on with the same event loop. Python raises it
wherever it is just then, in a task or in a callback of the loop.
"""

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import raydocs_async
from raydocs_async import (
    APIResponseValidationError,
    RateLimit,
    RaydocsClient,
    RetryPolicy,
    Session,
    converter,
)
from raydocs_async.sandbox import Fault
from raydocs_async.testing import FakeTransport
from tests.support.loops import VirtualUvloop

PACKAGE = Path(raydocs_async.__file__).parent
SANDBOX = PACKAGE / "sandbox"
"""The server's side: an interrupt there would be a fault of the test's own server."""
STRIDE = 211
"""Lines from one interrupt to the next; each run has some five thousand lines."""


class Interrupter:
    """Raises KeyboardInterrupt once, at line number `at` of those that the client executes."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.where = ""

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Count lines in this block."""
        before = sys.gettrace()
        sys.settrace(self._on_call)
        try:
            yield
        finally:
            sys.settrace(before)

    def _on_call(self, frame: FrameType, event: str, arg: Any) -> Any:  # pragma: no cover
        return self._on_line if is_of_the_client(frame.f_code.co_filename) else None

    def _on_line(self, frame: FrameType, event: str, arg: Any) -> Any:  # pragma: no cover
        if event == "line" and not self.where:
            self.left -= 1
            if self.left < 0:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._on_line


def is_of_the_client(filename: str) -> bool:
    """True for a file of the package, without its sandbox, wherever the package is installed."""
    path = Path(filename)
    return path.is_relative_to(PACKAGE) and not path.is_relative_to(SANDBOX)


def interrupted_at(line: int) -> bool:
    """Interrupt some calls at `line`, continue their loop, and check that nothing is left of them.

    Returns:
        False if the calls ended before `line`.
    """
    fake = FakeTransport(limit=3, window=5, latency=0.5)
    fake.script(Fault.status(503), Fault.status(429, retry_after=1))
    ids = fake.ids(5)
    policy = RetryPolicy(attempts=3)
    limit = RateLimit(requests=3, per=5)
    client = RaydocsClient(
        fake.token, transport=fake, rate_limit=limit, retry=policy, max_connections=2
    )

    async def use() -> None:
        await asyncio.gather(*map(client.get_session, ids), return_exceptions=True)

    async def go_on() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)
        status = client.rate_limit_status
        assert (status.in_flight, status.waiting) == (0, 0), interrupter.where
        await client.get_session(ids[0])
        began = asyncio.get_running_loop().time()
        await client.close()
        assert asyncio.get_running_loop().time() == began, interrupter.where

    interrupter, loop = Interrupter(line), VirtualUvloop()
    loop.set_exception_handler(lambda *_: None)  # it logs each interrupted callback
    first = loop.create_task(use())
    with suppress(KeyboardInterrupt), interrupter.armed():
        loop.run_until_complete(first)  # pragma: no cover
    with suppress(RuntimeError):  # an interrupted loop can still be about to stop
        loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(go_on())
    loop.close()
    return bool(interrupter.where)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("client.py", True), ("_limits/_queue.py", True), ("sandbox/_base.py", False)],
)
def test_the_lines_that_are_interrupted(path: str, expected: bool) -> None:
    """Interrupts hit the client alone, also in a checkout whose own path names a sandbox."""
    assert is_of_the_client(str(PACKAGE / path)) is expected
    assert not is_of_the_client(str(PACKAGE.parent / "raydocs_async_sandbox" / "client.py"))


@pytest.mark.parametrize("first", range(0, STRIDE, STRIDE // 4))
def test_an_interrupt_at_any_line(first: int) -> None:
    """C9: after an interrupt anywhere, no permission is lost, and `close` ends at once."""
    line = first
    while interrupted_at(line):
        line += STRIDE  # pragma: no cover  (`Interrupter` has replaced coverage's tracer)
    assert line > 10 * STRIDE  # pragma: no cover


# Python cannot raise an interrupt that hits a generator while it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_read_leaves_the_next_failure_its_place() -> None:
    """After an interrupt anywhere in the reading of a value, the next error names its place."""
    # CPython can keep an exception as the context of all that its thread raises later, if a tracer
    # raises while that exception is handled. No other test runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(interrupt_reads).result() > 10


def interrupt_reads() -> int:
    """Interrupt a read at each of its lines, check the next one, and return the number of lines."""
    for line in count():  # pragma: no branch
        interrupter = Interrupter(line)
        with suppress(KeyboardInterrupt, APIResponseValidationError), interrupter.armed():
            converter.structure({"id": 5}, Session)  # pragma: no cover
        with pytest.raises(APIResponseValidationError, match=r"\$\.id is an integer"):
            converter.structure({"id": 5}, Session)
        if not interrupter.where:
            break
    return line
