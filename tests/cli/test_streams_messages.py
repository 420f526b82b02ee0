"""Messages to terminals and logs that are slow, stuck or gone."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from raydocs_async.cli._streams import MessageStream
from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import Run, Start, ids_in_file
from tests.support.pipes import full_pipe, read_all


async def test_a_log_without_a_reader(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """Messages to a log whose reader has ended do not affect the data."""
    reading, writing = os.pipe()
    os.close(reading)
    done = await run("fetch", *api.ids(3), "x", "-o", "out.jsonl", stderr=writing)
    os.close(writing)
    assert done.code == 1
    assert ids_in_file(tmp_path / "out.jsonl") == sorted(api.ids(3))


async def test_a_log_that_is_stuck(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """Messages to a log whose reader is stuck do not stop the data."""
    reading, writing = full_pipe()
    nonsense = [f"nonsense {n}" for n in range(50)]
    async with asyncio.timeout(20):  # 5.5 seconds, and a busy machine
        done = await run("fetch", *nonsense, *api.ids(3), "-o", "out.jsonl", stderr=writing)
    assert done.code == 1
    assert ids_in_file(tmp_path / "out.jsonl") == sorted(api.ids(3))
    os.close(reading)
    os.close(writing)


def test_a_backlog_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stuck stream keeps a bounded number of messages."""
    monkeypatch.setattr("raydocs_async.cli._streams.FLUSH_TIMEOUT", 0)
    reading, writing = full_pipe()
    stream = MessageStream(writing)
    assert stream.fileno() == writing
    for _ in range(2000):
        stream.write(b"message\n")
        stream.flush()
    monkeypatch.setattr("raydocs_async.cli._streams.FLUSH_TIMEOUT", 10)
    with ThreadPoolExecutor(1) as threads:
        shown = threads.submit(read_all, reading)
        while stream._queue.unfinished_tasks:
            stream.flush()
        os.close(writing)
        assert 1000 <= shown.result().count("message") <= 1001


LEAVING = """
import atexit
from raydocs_async.cli import _streams, main
prepare, _streams.FLUSH_TIMEOUT = _streams.prepare, 0
def prepare_and_tell():
    prepare()
    atexit.register(print, "leaving", flush=True)
_streams.prepare = prepare_and_tell
main()
"""


async def test_the_last_message_to_a_slow_log(start: Start) -> None:
    """A command that is done stays until a slow reader has its last message."""
    reading, writing = full_pipe()
    process = await start("--nonsense", command=(sys.executable, "-c", LEAVING), stderr=writing)
    os.close(writing)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"leaving\n"
    received = await asyncio.to_thread(read_all, reading)
    assert "--nonsense" in received.splitlines()[-1]
    assert await process.wait() == 2


def test_a_reader_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a slow reader takes one message after the other, the end waits for all of them."""
    reading, writing = full_pipe()
    os.set_blocking(reading, False)
    stream = MessageStream(writing)
    messages = [bytes([number]) * 4096 for number in range(1, 5)]
    for each in messages:
        stream.write(each)
    written, received = stream._queue.all_tasks_done, bytearray()

    def read_one(timeout: float) -> None:
        """Read until one more message is written; that takes as long as the wait."""
        left = stream._queue.unfinished_tasks
        written.release()
        while stream._queue.unfinished_tasks == left:
            with contextlib.suppress(BlockingIOError):
                received.extend(os.read(reading, 4096))
        written.acquire()

    monkeypatch.setattr(written, "wait", read_one)
    stream.drain()
    os.close(writing)
    received += read_all(reading).encode()
    assert received.lstrip(b"x") == b"".join(messages)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_a_reader_that_is_gone(monkeypatch: pytest.MonkeyPatch, *, is_interrupted: bool) -> None:
    """The end does not wait for a reader that takes no message, and Ctrl-C ends the wait."""
    timeout = 3600 if is_interrupted else 0.01
    monkeypatch.setattr("raydocs_async.cli._streams.DRAIN_TIMEOUT", timeout)
    reading, writing = full_pipe()
    stream = MessageStream(writing)
    stream.write(b"message\n")
    if is_interrupted:
        interrupt = partial(signal.pthread_kill, threading.get_ident(), signal.SIGINT)
        threading.Timer(0.05, interrupt).start()
    stream.drain()
    assert stream._queue.unfinished_tasks == 1
    os.close(reading)  # ends the thread's write
    stream._queue.join()
    os.close(writing)
