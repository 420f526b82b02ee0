"""Files: saved whole or not at all, by a signed URL that nobody sees."""

import asyncio
import errno
import hashlib
import io
import json
import logging
import resource
import threading
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aiohappyeyeballs import start_connection
from aiohttp.abc import ResolveResult

from raydocs_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    FileError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimit,
    RaydocsClient,
    RaydocsError,
    RetryPolicy,
)
from raydocs_async._file_client import XLSX
from raydocs_async._file_sink import FileSink
from tests.support.clients import (
    SESSION_ID,
    THRICE,
    TOKEN,
    client_for,
    turns_of_the_loop,
    until,
)
from tests.support.wire import Answer, End, Received, WireServer, gzipped, reply

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]

PDF = b"%PDF-1.7 " + bytes(range(256)) * 1000
SIGNATURE = "S1GNATURE-5ecr3t"
ID = SESSION_ID


def sheet() -> bytes:
    """A workbook, as far as the client looks into it: a ZIP archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>" * 1000)
    return archive.getvalue()


SHEET = sheet()


class Service:
    """The API and the storage behind one address; `file` answers for the storage."""

    def __init__(self, **document: Any) -> None:
        self.document = {
            "id": ID,
            "filename": "../../evil.pdf",
            "status": "ready",
            "size": len(PDF),
            "sha256": hashlib.sha256(PDF).hexdigest(),
        } | document
        self.files: Iterator[Answer] = iter(())
        self.url = ""
        self.address = ""

    def __call__(self, received: Received) -> Answer:
        """Answer one request."""
        target = received.target
        if target.startswith("/files/"):
            return next(self.files, reply(PDF, headers={"Content-Type": "application/pdf"}))
        if target.endswith("/url"):
            url = self.url or f"{self.address}/files/{ID}?X-Amz-Signature={SIGNATURE}"
            return reply(json.dumps({"url": url, "expires_at": "soon"}).encode())
        return reply(json.dumps(self.document).encode())


class Running:
    """A service, its server, and a client of it."""

    def __init__(self, service: Service, **options: Any) -> None:
        self.service, self.options = service, options

    async def __aenter__(self) -> tuple[WireServer, RaydocsClient]:
        self.server = await WireServer(self.service).__aenter__()
        self.service.address = self.server.url
        self.client = client_for(self.server.url, **self.options)
        return self.server, self.client

    async def __aexit__(self, *exc: object) -> None:
        await self.client.close()
        await self.server.__aexit__(None, None, None)


def files_in(directory: Path) -> list[str]:
    """All files, hidden ones included."""
    return sorted(each.name for each in directory.iterdir())


# -- download ----------------------------------------------------------------------------------


async def test_a_document_is_saved(tmp_path: Path) -> None:
    """The file is where the caller wants it, whatever the server calls it, and nothing else is."""
    async with Running(Service()) as (server, client):
        path = await client.download_document(ID, str(tmp_path / "a.pdf"))
    assert path == tmp_path / "a.pdf"
    assert path.read_bytes() == PDF
    assert files_in(tmp_path) == ["a.pdf"]
    assert [each.target.partition("?")[0] for each in server.requests] == [
        f"/extractions/documents/{ID}",
        f"/extractions/documents/{ID}/url",
        f"/files/{ID}",
    ]


async def test_the_storage_gets_no_token(tmp_path: Path) -> None:
    """S1: the storage is asked without our token."""
    async with Running(Service()) as (server, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    *api, storage = (each.headers.get("authorization") for each in server.requests)
    assert (api, storage) == ([f"Bearer {TOKEN}"] * 2, None)


async def test_the_storage_gets_nothing_of_a_borrowed_session(tmp_path: Path) -> None:
    """A session's own token, headers and cookies go to the API alone, never to the storage."""
    own = {
        "Authorization": "Bearer other",
        "X-Api-Key": "key",
        "x-api-KEY": "another",
        "Range": "bytes=0-9",
    }
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        aiohttp.ClientSession(headers=own, cookies={"sid": "1"}, cookie_jar=jar) as session,
        Running(Service(), http_session=session) as (server, client),
    ):
        await client.download_document(ID, tmp_path / "a.pdf")
    api, storage = server.requests[0].headers, server.requests[-1].headers
    assert (api["cookie"], api["authorization"]) == ("sid=1", f"Bearer {TOKEN}")
    assert sorted(storage) == ["accept", "accept-encoding", "host", "user-agent"]


async def test_the_limit_counts_two_hits(tmp_path: Path) -> None:
    """The storage is outside of the rate limit, also when that is used up."""
    limit = RateLimit(requests=2, max_wait=0.001)
    async with Running(Service(), rate_limit=limit) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
        assert client.rate_limit_status.remaining == 0


async def test_an_expired_url_is_renewed_once(tmp_path: Path) -> None:
    """A 403 of the storage is the end of the URL; a new one is asked for."""
    service = Service()
    service.files = iter([reply(SIGNATURE.encode(), status="403 Forbidden")])
    async with Running(service) as (server, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF
    assert len(server.requests) == 5


async def test_a_refusal_by_the_api_is_final(tmp_path: Path) -> None:
    """A 403 of the API itself, for the URL, is raised after one request."""

    def script(received: Received) -> Answer:
        refused = received.target.endswith("/url")
        return reply(status="403 Forbidden") if refused else Service()(received)

    async with WireServer(script) as server, client_for(server.url) as client:
        with pytest.raises(PermissionDeniedError):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert len(server.requests) == 2
    assert files_in(tmp_path) == []


async def test_a_url_that_is_always_refused(tmp_path: Path) -> None:
    """A second 403 in a row is an error of the file, not of the token."""
    service = Service()
    service.files = iter([reply(SIGNATURE.encode(), status="403 Forbidden")] * 2)
    async with Running(service) as (_, client):
        with pytest.raises(FileError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert str(caught.value) == f"file of document {ID}: the file's storage answered HTTP 403"
    assert files_in(tmp_path) == []


async def test_a_download_that_breaks_off_begins_anew(tmp_path: Path) -> None:
    """A cut, a reset and a 503 are retried, and nothing of the first attempts is in the file."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()
    service = Service()
    service.files = iter(
        [(head + b"x" * 1000, End.CLOSE), (head + b"y", End.RESET), reply(status="503 Down")]
    )
    policy = RetryPolicy(attempts=4, initial=1e-9)
    async with Running(service, retry=policy) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF


async def test_a_download_that_always_breaks_off(tmp_path: Path) -> None:
    """After the last attempt the error says so, and no part is left."""
    service = Service(size=None)
    service.files = iter([(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", End.CLOSE)])
    async with Running(service) as (_, client):
        with pytest.raises(APIConnectionError, match=f"^file of document {ID}: the answer was cut"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.looptime
async def test_silence_ends_an_attempt(tmp_path: Path) -> None:
    """A storage that falls silent is given up after the attempt's time-out; slow is fine."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()
    service = Service()
    service.files = iter([(head + b"x", End.HANG)])
    async with Running(service, attempt_timeout=5.0) as (_, client):
        with pytest.raises(APITimeoutError):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sha256": "0" * 64}, "the file has another checksum instead of the document's sha256"),
        ({"size": len(PDF) + 1}, f"the file has {len(PDF)} bytes instead of {len(PDF) + 1}"),
        ({"size": 5}, f"the file has {len(PDF)} bytes instead of 5"),
    ],
)
async def test_another_file(tmp_path: Path, document: dict[str, Any], message: str) -> None:
    """A file that is not the document's is not kept."""
    async with Running(Service(**document)) as (_, client):
        with pytest.raises(FileError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert caught.value.message == f"{message}; nothing was kept"
    assert (caught.value.resource, caught.value.resource_id) == ("file of document", ID)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("size", [3, len(PDF) + 1])
async def test_another_length_than_the_document_has(tmp_path: Path, size: int) -> None:
    """Without a Content-Length the bytes themselves are counted, and reading stops in time."""
    service = Service(size=size, sha256=None)
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF, End.CLOSE)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="bytes instead of"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_a_cut_that_nothing_would_show(tmp_path: Path, end: End) -> None:
    """A file whose end neither the reply nor the document tells is refused, not saved in part."""
    service = Service(size=None, sha256="md5:abc")
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF[:1000], end)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="a cut would go unnoticed; nothing was kept"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("known", [{"size": None}, {"sha256": None}, {}], ids=repr)
async def test_a_file_that_ends_with_its_connection(tmp_path: Path, known: dict[str, Any]) -> None:
    """The document's length or checksum is enough to know that the file is whole."""
    service = Service(**known)
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF, End.CLOSE)])
    async with Running(service) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF


@pytest.mark.looptime
async def test_a_storage_that_is_busy(tmp_path: Path) -> None:
    """A 429 of the storage, which no rate limiter knows, is retried like any other failure."""
    service = Service()
    busy = reply(status="429 Too Many Requests", headers={"Retry-After": "7"})
    service.files = iter([busy] * 3)
    async with Running(service, retry=THRICE) as (server, client):
        with pytest.raises(FileError, match="the file's storage answered HTTP 429"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert len(server.requests) == 2 + 3
    assert asyncio.get_running_loop().time() >= 2 * 7


@pytest.mark.parametrize("sha256", [None, "", "md5:abc", hashlib.sha256(PDF).hexdigest().upper()])
async def test_a_document_that_tells_little(tmp_path: Path, sha256: str | None) -> None:
    """What the document does not tell is not checked; a checksum counts in either case."""
    async with Running(Service(size=None, sha256=sha256)) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF


@pytest.mark.parametrize(
    "url",
    [
        f"http://storage.example/a?{SIGNATURE}",
        f"ftp://127.0.0.1/a?{SIGNATURE}",
        f"/files/a?{SIGNATURE}",
        f"file:///etc/passwd?{SIGNATURE}",
        f"http://localhost:1/?{SIGNATURE}",
        f"https://[::1/?{SIGNATURE}",
        "",
    ],
)
async def test_an_unusable_url(tmp_path: Path, url: str) -> None:
    """S5: only https is followed, or plain http to a loopback address; the URL is not shown."""
    service = Service()
    service.url = url or " "
    async with Running(service) as (server, client):
        with pytest.raises(FileError, match="the service gave") as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert SIGNATURE not in f"{caught.value!r}"
    assert len(server.requests) == 2


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """S5: a storage that sends elsewhere is an error."""
    service = Service()
    service.files = iter([reply(status="302 Found", headers={"Location": "http://127.0.0.1:1/"})])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="the file's storage answered HTTP 302"):
            await client.download_document(ID, tmp_path / "a.pdf")


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
    """S2: no message, log line, event or ``repr`` has the signature, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    events: list[object] = []
    service = Service()
    service.files = iter([answer] * 9)
    async with Running(service, on_event=events.append) as (_, client):
        with pytest.raises(RaydocsError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    shown = f"{caught.value} {caught.value!r} {caught.value.attempts} {caught.value.body_excerpt}"
    assert SIGNATURE not in f"{shown} {caplog.text} {events}"


async def test_progress(tmp_path: Path) -> None:
    """The callback has the bytes so far and all of them, up to the last one."""
    seen: list[tuple[int, int | None]] = []
    async with Running(Service()) as (_, client):
        await client.download_document(
            ID, tmp_path / "a.pdf", on_progress=lambda *at: seen.append(at)
        )
    assert seen[-1] == (len(PDF), len(PDF))
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "exc",
    [ZeroDivisionError(), BrokenPipeError(32, "x"), TimeoutError(), ValueError(), RuntimeError()],
    ids=repr,
)
async def test_a_callback_that_raises(tmp_path: Path, exc: Exception) -> None:
    """C15: the caller's own exception comes out as it is, at once, and nothing is left."""

    def broken(_: int, __: int | None) -> None:
        raise exc

    async with Running(Service(), retry=THRICE) as (server, client):
        with pytest.raises(type(exc)) as caught:
            await client.download_document(ID, tmp_path / "a.pdf", on_progress=broken)
    assert caught.value is exc
    assert exc.__context__ is None
    assert len(server.requests) == 3
    assert files_in(tmp_path) == []


async def test_a_callback_that_cannot_be_called(tmp_path: Path) -> None:
    """A wrong type of path or callback is refused before anything is sent."""

    async def coroutine(*_: object) -> None:
        """It would never be awaited."""

    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(ConfigurationError, match=r"^on_progress must be a plain function"):
            await client.download_document(ID, tmp_path / "a.pdf", on_progress=coroutine)
        with pytest.raises(ConfigurationError, match=r"^path must be a str or a PathLike"):
            await client.export_result(ID, None)  # type: ignore[arg-type]


def with_locals(error: BaseException) -> str:
    """The traceback as a crash reporter takes it, without the test's own frame."""
    assert error.__traceback__ is not None
    trace = error.__traceback__.tb_next
    told = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(told.format())


HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()
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
    """No local variable of a traceback has token, signed URL or the file's bytes."""
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
    told = with_locals(caught.value)
    assert "download_document" in told
    assert not [secret for secret in (TOKEN, SIGNATURE, "%PDF") if secret in told]


STEPS = ["_create", "_rewind", "_append", "_finish", "_discard"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancellation_at_any_point_leaves_nothing(tmp_path: Path, step: str) -> None:
    """Cancelled while a thread is in the file system, a download leaves nothing behind."""
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
    """A cancelled download ends as cancelled, also if the disk fails at the same time."""
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
    """A call's time-out, too, waits for the thread that writes."""
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


async def test_a_storage_by_https_beside_a_local_api(tmp_path: Path) -> None:
    """The API's plain http on loopback does not restrict a storage by https to this machine."""
    asked: list[str] = []

    async def resolve(_: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        asked.append(host)
        found = ResolveResult(
            hostname=host, host="192.0.2.7", port=port, family=2, proto=0, flags=0
        )
        return [found]

    async def connect(*args: Any, **options: Any) -> Any:
        if "192.0.2.7" in f"{args} {options}":
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return await start_connection(*args, **options)

    service = Service()
    service.url = f"https://storage.example/a?{SIGNATURE}"
    async with Running(service) as (_, client):
        with (
            mock.patch("aiohttp.ThreadedResolver.resolve", resolve),
            mock.patch("aiohappyeyeballs.start_connection", connect),
            pytest.raises(APIConnectionError, match=r"storage\.example:443: .*unreachable"),
        ):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert asked == ["storage.example"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "compress", "aws-chunked, gzip"])
async def test_a_compressed_file_is_refused(tmp_path: Path, encoding: str) -> None:
    """A file is asked for as it is, and one that comes compressed is not decoded or saved."""
    service = Service(size=None, sha256=None)
    service.files = iter([reply(gzipped(PDF), headers={"Content-Encoding": encoding})])
    async with Running(service, retry=THRICE) as (server, client):
        with pytest.raises(APIConnectionError, match="its Content-Encoding is not identity"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert server.requests[-1].headers["accept-encoding"] == "identity"
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("encoding", ["identity", "aws-chunked", "AWS-Chunked,"])
async def test_a_file_that_only_seems_to_be_encoded(tmp_path: Path, encoding: str) -> None:
    """An object that was uploaded in chunks says so for ever, and its bytes are plain."""
    service = Service()
    service.files = iter([reply(PDF, headers={"Content-Encoding": encoding})])
    async with Running(service) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    """C14: a caller who gives up finds neither a file nor a part of it."""
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


# -- targets -----------------------------------------------------------------------------------


def existing(directory: Path) -> Path:
    """A file that is there."""
    path = directory / "a.pdf"
    path.write_text("mine")
    return path


def linked(directory: Path, target: str) -> Path:
    """A symbolic link to `target`."""
    link = directory / "link"
    link.symlink_to(target)
    return link


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (existing, r"a\.pdf is there already; allow it by overwrite=True"),
        (lambda directory: directory, "is a directory; name a file in it"),
        (lambda _: Path("/dev/null"), "is a device or a pipe; name a file"),
        (lambda directory: directory / "no" / "a.pdf", r"there is no directory .*; make it first"),
        (lambda directory: existing(directory) / "b", r"there is no directory .*; make it first"),
        (lambda directory: directory / ("x" * 300), "cannot be used: File name too long; choose"),
        (lambda directory: directory / "a\0b", "cannot be used: embedded null byte; choose"),
        (
            lambda directory: directory / "\ud800",
            "cannot be used: .*surrogates not allowed; choose",
        ),
        (lambda directory: linked(directory, "link"), "cannot be used: Too many levels of symbol"),
        (lambda directory: linked(directory, "no/a.pdf"), r"there is no directory .*; make it fir"),
        (lambda directory: linked(directory, "."), "is a directory; name a file in it"),
        (lambda directory: linked(directory, existing(directory).name), "is there already"),
    ],
)
@pytest.mark.parametrize("name", ["download_document", "export_result"])
async def test_a_target_that_cannot_work(
    tmp_path: Path, target: Callable[[Path], Path], message: str, name: str
) -> None:
    """A bad target is refused before anything is sent, and stays as it is."""
    path = target(tmp_path)
    before = files_in(tmp_path)
    async with Running(Service()) as (server, client):
        with pytest.raises(ConfigurationError, match=message):
            await getattr(client, name)(ID, path)
    assert (server.requests, files_in(tmp_path)) == ([], before)


async def test_overwriting(tmp_path: Path) -> None:
    """With leave to, a file is replaced by the whole new one."""
    path = existing(tmp_path)
    async with Running(Service()) as (_, client):
        await client.download_document(ID, path, overwrite=True)
    assert path.read_bytes() == PDF
    assert files_in(tmp_path) == ["a.pdf"]


@pytest.mark.parametrize("overwrite", [False, True])
async def test_a_dangling_link(tmp_path: Path, overwrite: bool) -> None:
    """A link to a file that does not exist gets that file, as by `open`."""
    link = linked(tmp_path, "a.pdf")
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, link, overwrite=overwrite)
    assert (path, link.is_symlink(), files_in(tmp_path)) == (link, True, ["a.pdf", "link"])
    assert (tmp_path / "a.pdf").read_bytes() == PDF


async def test_overwriting_by_a_link(tmp_path: Path) -> None:
    """A link stays, and the file behind it, in its own directory, is the new one."""
    (tmp_path / "far").mkdir()
    path = existing(tmp_path / "far")
    link = linked(tmp_path, "far/a.pdf")
    async with Running(Service()) as (_, client):
        await client.download_document(ID, link, overwrite=True)
    assert (link.is_symlink(), path.read_bytes()) == (True, PDF)
    assert (files_in(tmp_path), files_in(path.parent)) == (["far", "link"], ["a.pdf"])


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
async def test_overwriting_keeps_the_mode(tmp_path: Path, mode: int) -> None:
    """The mode stays, and a private file is private also while the new one is being written."""
    path = existing(tmp_path)
    path.chmod(mode)
    modes: set[int] = set()

    def look(*_: object) -> None:
        modes.update(each.stat().st_mode & 0o777 for each in tmp_path.glob(".*.part"))

    async with Running(Service()) as (_, client):
        await client.download_document(ID, path, overwrite=True, on_progress=look)
    assert (path.stat().st_mode & 0o777, modes) == (mode, {0o600})


async def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    """A new file is as readable as any other that this process makes."""
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, tmp_path / "a.pdf")
    assert path.stat().st_mode == existing(tmp_path / "..").stat().st_mode


@pytest.mark.parametrize(
    ("protected", "message"),
    [
        ("a.pdf", "a.pdf is write-protected; make it"),
        ("", "no file can be made in .*no permission"),
    ],
)
async def test_no_permission(tmp_path: Path, protected: str, message: str) -> None:
    """A file or a directory that may not be written is refused before anything is sent."""
    path = existing(tmp_path)

    def access(asked: Path, _: int) -> bool:
        return asked != tmp_path / protected

    async with client_for("http://127.0.0.1:1") as client:
        with mock.patch("os.access", access), pytest.raises(ConfigurationError, match=message):
            await client.download_document(ID, path, overwrite=True)
    assert (path.read_text(), files_in(tmp_path)) == ("mine", ["a.pdf"])


async def test_a_disk_that_takes_no_new_file(tmp_path: Path) -> None:
    """A temporary file that cannot be made is an error of the file, before anything is sent."""
    full = mock.patch("os.open", side_effect=OSError(errno.ENOSPC, "No space left on device"))
    async with client_for("http://127.0.0.1:1") as client:
        with full, pytest.raises(FileError, match=f"^file of document {ID}: .*: No space left"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


async def test_the_longest_name(tmp_path: Path) -> None:
    """The longest name that the file system takes is taken."""
    async with Running(Service()) as (_, client):
        path = await client.download_document(ID, tmp_path / ("x" * 251 + ".pdf"))
    assert path.read_bytes() == PDF


async def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """With leave to overwrite, an error leaves the old file as it was."""
    path = existing(tmp_path)
    async with Running(Service(sha256="0" * 64)) as (_, client):
        with pytest.raises(FileError):
            await client.download_document(ID, path, overwrite=True)
    assert path.read_text() == "mine"


async def test_a_target_that_comes_up_meanwhile(tmp_path: Path) -> None:
    """A file that another program made during the download is not overwritten."""
    path = tmp_path / "a.pdf"
    async with Running(Service()) as (_, client):
        with pytest.raises(FileError, match="it was made by another program meanwhile"):
            await client.download_document(
                ID, path, on_progress=lambda *_: path.write_text("theirs")
            )
    assert path.read_text() == "theirs"
    assert files_in(tmp_path) == ["a.pdf"]


@pytest.mark.parametrize("comes_up", [False, True])
async def test_a_file_system_without_links(tmp_path: Path, comes_up: bool) -> None:
    """Where hard links are not to be had the file is renamed, and none is overwritten either."""
    path = tmp_path / "a.pdf"
    no_links = OSError(errno.EPERM, "Operation not permitted")

    def link(*_: object) -> None:
        if comes_up:
            path.write_text("theirs")
        raise no_links

    with mock.patch("os.link", link):
        async with Running(Service()) as (_, client):
            download = client.download_document(ID, path)
            if comes_up:
                with pytest.raises(FileError, match="by another program meanwhile"):
                    await download
            else:
                await download
    assert path.read_bytes() == (b"theirs" if comes_up else PDF)
    assert files_in(tmp_path) == ["a.pdf"]


async def test_windows_renames(tmp_path: Path) -> None:
    """Windows refuses to rename to a name that exists, so that no link is needed."""
    windows = mock.patch("raydocs_async._file_sink._RENAMES_TO_NEW_ONLY", True)
    with windows, mock.patch("os.link", None):
        async with Running(Service()) as (_, client):
            path = await client.download_document(ID, tmp_path / "a.pdf")
    assert path.read_bytes() == PDF


@pytest.fixture
def small_files() -> Iterator[None]:
    """Lets no file grow past a megabyte, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The system's reason is named, and no part is left."""
    service = Service(size=None, sha256=None)
    service.files = iter([reply(b"x" * 3_000_000)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="cannot be written: File too large; nothing was kept"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


# -- export ------------------------------------------------------------------------------------


async def test_a_result_is_exported(tmp_path: Path) -> None:
    """The spreadsheet is saved as it came, and the request is one of the API's."""
    answer = reply(SHEET, headers={"Content-Type": f"{XLSX}; charset=binary"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        path = await client.export_result(ID, tmp_path / "a.xlsx")
    assert path.read_bytes() == SHEET
    assert [each.target for each in server.requests] == [f"/extractions/results/{ID}/export/excel"]
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("body", [b"", SHEET[:-30], b"<html>"], ids=["empty", "cut", "HTML"])
async def test_a_spreadsheet_that_is_not_whole(tmp_path: Path, body: bytes) -> None:
    """A body without a length that ends too early, or is of another kind, is not saved."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {XLSX}\r\n\r\n".encode()
    async with WireServer((head + body, End.CLOSE)) as server, client_for(server.url) as client:
        with pytest.raises(FileError, match=r"the file is not an Excel file, or is cut; nothing"):
            await client.export_result(ID, tmp_path / "a.xlsx")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("body", [gzipped(SHEET), gzipped(SHEET)[:-50]], ids=["whole", "cut"])
async def test_a_compressed_spreadsheet_is_refused(tmp_path: Path, body: bytes) -> None:
    """A compressed reply of the API, whose cut nothing would report, is not saved."""
    answer = reply(body, headers={"Content-Type": XLSX, "Content-Encoding": "gzip"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError, match="its Content-Encoding is not identity"):
            await client.export_result(ID, tmp_path / "a.xlsx")
    headers = server.requests[0].headers
    assert (headers["accept"], headers["accept-encoding"]) == ("application/json", "identity")
    assert files_in(tmp_path) == []


async def test_a_reply_that_is_no_spreadsheet(tmp_path: Path) -> None:
    """A 200 of another type, such as a login page, is not saved as a spreadsheet."""
    answer = reply(b"<html>", headers={"Content-Type": "text/html"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(FileError, match=f"^export of result {ID}: the reply is of text/html"):
            await client.export_result(ID, tmp_path / "a.xlsx")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)],
)
@pytest.mark.parametrize("name", ["download_document", "export_result"])
async def test_errors_of_the_api(
    tmp_path: Path, name: str, status: int, error: type[RaydocsError]
) -> None:
    """An error of the API is the same one as of any other call, and nothing is left."""
    async with WireServer(reply(status=f"{status} No")) as server, client_for(server.url) as client:
        with pytest.raises(error):
            await getattr(client, name)(ID, tmp_path / "a")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "noun"), [("download_document", "document"), ("export_result", "result")]
)
async def test_an_invalid_id(tmp_path: Path, name: str, noun: str) -> None:
    """An invalid id is refused before anything is sent."""
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidIdError, match=f"not a {noun} id"):
            await getattr(client, name)("x", tmp_path / "a")
