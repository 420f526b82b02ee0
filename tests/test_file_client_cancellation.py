"""Cancelled downloads: nothing is left behind, wherever the cancellation comes."""

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from raydocs_async import APITimeoutError
from raydocs_async._file_sink import FileSink
from tests.support.clients import turns_of_the_loop
from tests.support.files import ID, PDF, Running, Service, files_in
from tests.support.wire import End

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


STEPS = ["_create", "_rewind", "_append", "_finish", "_discard"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancellation_at_any_point_leaves_nothing(tmp_path: Path, step: str) -> None:
    """A download that is cancelled while a thread writes its file leaves nothing behind."""
    loop, released = asyncio.get_running_loop(), threading.Event()
    real: Callable[..., None] = getattr(FileSink, step)
    interruptions: list[asyncio.Task[None]] = []

    def slow(*args: Any) -> None:
        loop.call_soon_threadsafe(lambda: interruptions.append(loop.create_task(interrupt())))
        assert released.wait(10)
        real(*args)

    async def interrupt() -> None:
        for _ in range(2):  # twice, as by an impatient caller
            task.cancel()
            await turns_of_the_loop(5)
        released.set()

    # Only a failure discards a file.
    service = Service(sha256="0" * 64) if step == "_discard" else Service()
    with mock.patch.object(FileSink, step, slow):
        async with Running(service) as (_, client):
            task = asyncio.create_task(client.download_document(ID, tmp_path / "a.pdf"))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert files_in(tmp_path) == []
            await asyncio.gather(*interruptions)


async def test_a_cancellation_comes_before_an_error_of_the_disk(tmp_path: Path) -> None:
    """A cancelled download ends as cancelled, even if the disk fails at the same time."""
    loop, released = asyncio.get_running_loop(), threading.Event()

    def failing(*_: object) -> None:
        loop.call_soon_threadsafe(task.cancel)
        loop.call_soon_threadsafe(loop.call_soon, released.set)
        assert released.wait(10)
        raise OSError(errno.EIO, "Input/output error")

    with mock.patch.object(FileSink, "_append", failing):
        async with Running(Service()) as (_, client):
            task = asyncio.create_task(client.download_document(ID, tmp_path / "a.pdf"))
            with pytest.raises(asyncio.CancelledError):
                await task
    assert files_in(tmp_path) == []


async def test_a_deadline_in_the_file_system_leaves_nothing(tmp_path: Path) -> None:
    """A call's time-out waits for the thread that writes, and leaves nothing behind."""
    released = threading.Event()
    real = FileSink._append

    def slow(*args: Any) -> None:
        released.wait(0.3)
        real(*args)

    with mock.patch.object(FileSink, "_append", slow):
        async with Running(Service()) as (_, client):
            with pytest.raises(APITimeoutError):
                await client.download_document(ID, tmp_path / "a.pdf", timeout=0.1)
    assert files_in(tmp_path) == []


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """C14: a cancelled download leaves neither the file nor a part of it."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()
    service, begun = Service(), asyncio.Event()
    service.files = iter([(head + PDF[:1000], End.HANG)])
    async with Running(service) as (_, client):
        task = asyncio.create_task(
            client.download_document(ID, tmp_path / "a.pdf", on_progress=lambda *_: begun.set())
        )
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert files_in(tmp_path) == []
