"""Downloads: a file is saved whole or not at all, and retried like any request."""

from pathlib import Path

import pytest

from raydocs_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    ConfigurationError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimit,
    RaydocsError,
    RetryPolicy,
)
from tests.support.clients import THRICE, client_for
from tests.support.files import ID, PDF, Running, Service, files_in
from tests.support.replies import reply
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_a_document_is_saved(tmp_path: Path) -> None:
    """The file is saved under the caller's name, not the server's, and nothing else is."""
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


async def test_the_limit_counts_two_hits(tmp_path: Path) -> None:
    """Requests to the storage do not count for the rate limit, and need no place in it."""
    limit = RateLimit(requests=2, max_wait=0.001)
    async with Running(Service(), rate_limit=limit) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
        assert client.rate_limit_status.remaining == 0


async def test_a_download_that_breaks_off_begins_anew(tmp_path: Path) -> None:
    """A cut, a reset and a 503 are retried, and the file has no byte of the failed attempts."""
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
    """After the last attempt the download fails, and leaves no part of the file."""
    service = Service(size=None)
    service.files = iter([(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", End.CLOSE)])
    async with Running(service) as (_, client):
        with pytest.raises(APIConnectionError, match=f"^file of document {ID}: the answer was cut"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.looptime
async def test_silence_ends_an_attempt(tmp_path: Path) -> None:
    """A silent storage fails the attempt after its time-out."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PDF)}\r\n\r\n".encode()
    service = Service()
    service.files = iter([(head + b"x", End.HANG)])
    async with Running(service, attempt_timeout=5.0) as (_, client):
        with pytest.raises(APITimeoutError):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


async def test_progress(tmp_path: Path) -> None:
    """The callback gets the bytes so far and the total, up to the last byte."""
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
    """C15: the callback's exception is raised unchanged and at once, and no file is left."""

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


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)],
)
@pytest.mark.parametrize("name", ["download_document", "export_result"])
async def test_errors_of_the_api(
    tmp_path: Path, name: str, status: int, error: type[RaydocsError]
) -> None:
    """An error of the API is raised as by any other call, and no file is left."""
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
