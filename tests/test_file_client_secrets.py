"""The signed URL and the file's bytes: hidden in errors, logs, events and tracebacks."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from raydocs_async import RaydocsError
from tests.support.clients import TOKEN, turns_of_the_loop, until
from tests.support.files import HEAD, ID, PDF, SIGNATURE, Running, Service
from tests.support.replies import reply
from tests.support.reports import with_locals
from tests.support.wire import Answer, End

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.parametrize(
    "answer",
    [
        reply(SIGNATURE.encode(), status="403 Forbidden"),
        reply(SIGNATURE.encode(), status="500 Oops"),
        reply(b"", status=f"400 {SIGNATURE}"),
        (f"HTTP/1.1 200 OK\r\nX: {SIGNATURE}\r\nContent-Length: 9\r\n\r\nx".encode(), End.CLOSE),
        (f"nonsense {SIGNATURE}".encode(), End.CLOSE),
        (End.RESET,),
    ],
)
async def test_the_signed_url_is_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    """S2: no message, log line, event or ``repr`` of any failure has the signature."""
    caplog.set_level(logging.DEBUG)
    events: list[object] = []
    service = Service()
    service.files = iter([answer] * 9)
    async with Running(service, on_event=events.append) as (_, client):
        with pytest.raises(RaydocsError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    shown = f"{caught.value} {caught.value!r} {caught.value.attempts} {caught.value.body_excerpt}"
    assert SIGNATURE not in f"{shown} {caplog.text} {events}"


ENDS: dict[str, tuple[Answer, str, Callable[..., object] | None]] = {
    "callback": (reply(PDF), "", lambda *_: 1 / 0),
    "another length": (reply(PDF + PDF), "", None),
    "cut": ((HEAD + PDF[:1000], End.CLOSE), "", None),
    "refused": (reply(status="500 Oops"), "", None),
    "bad URL": (reply(PDF), "ftp://127.0.0.1/?", None),
    "cancelled at the head": ((End.HANG,), "", None),
    "cancelled in the body": ((HEAD + PDF[:1000], End.HANG), "", None),
}


@pytest.mark.parametrize(("answer", "url", "on_progress"), ENDS.values(), ids=ENDS)
async def test_no_traceback_shows_a_secret(
    tmp_path: Path, answer: Answer, url: str, on_progress: Callable[..., object] | None
) -> None:
    """No local variable of a traceback has the token, the signed URL or the file's bytes."""
    service = Service()
    service.files, service.url = iter([answer]), url and url + SIGNATURE
    async with Running(service) as (server, client):
        task = asyncio.create_task(
            client.download_document(ID, tmp_path / "a.pdf", on_progress=on_progress)
        )
        if answer[-1] is End.HANG:
            await until(lambda: len(server.requests) == 3)
            await turns_of_the_loop()
            task.cancel()
        with pytest.raises((RaydocsError, ZeroDivisionError, asyncio.CancelledError)) as caught:
            await task
    told = with_locals(caught.value, skip=1)
    assert "download_document" in told
    assert not [secret for secret in (TOKEN, SIGNATURE, "%PDF") if secret in told]
