"""The storage of files: reached by a signed URL, without the token, and with replies of its own."""

import asyncio
import errno
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import pytest
from aiohappyeyeballs import start_connection
from aiohttp.abc import ResolveResult

from raydocs_async import APIConnectionError, FileError, PermissionDeniedError
from tests.support.clients import THRICE, TOKEN, client_for
from tests.support.files import ID, PDF, SIGNATURE, Running, Service, files_in
from tests.support.replies import gzipped, reply
from tests.support.wire import Answer, Received, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_the_storage_gets_no_token(tmp_path: Path) -> None:
    """S1: the request to the storage has no token."""
    async with Running(Service()) as (server, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    *api, storage = (each.headers.get("authorization") for each in server.requests)
    assert (api, storage) == ([f"Bearer {TOKEN}"] * 2, None)


async def test_the_storage_gets_nothing_of_a_borrowed_session(tmp_path: Path) -> None:
    """The storage gets none of a borrowed session's headers, cookies and tokens."""
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


async def test_an_expired_url_is_renewed_once(tmp_path: Path) -> None:
    """After a 403 of the storage, the client requests a new URL."""
    service = Service()
    service.files = iter([reply(SIGNATURE.encode(), status="403 Forbidden")])
    async with Running(service) as (server, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF
    assert len(server.requests) == 5


async def test_a_refusal_by_the_api_is_final(tmp_path: Path) -> None:
    """A 403 of the API is raised after one request."""

    def script(received: Received) -> Answer:
        refused = received.target.endswith("/url")
        return reply(status="403 Forbidden") if refused else Service()(received)

    async with WireServer(script) as server, client_for(server.url) as client:
        with pytest.raises(PermissionDeniedError):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert len(server.requests) == 2
    assert files_in(tmp_path) == []


async def test_a_url_that_is_always_refused(tmp_path: Path) -> None:
    """A second 403 of the storage is an error of the file, not of the token."""
    service = Service()
    service.files = iter([reply(SIGNATURE.encode(), status="403 Forbidden")] * 2)
    async with Running(service) as (_, client):
        with pytest.raises(FileError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert str(caught.value) == f"file of document {ID}: the file's storage answered HTTP 403"
    assert files_in(tmp_path) == []


@pytest.mark.looptime
async def test_a_storage_that_is_busy(tmp_path: Path) -> None:
    """A 429 of the storage is retried like any other temporary failure."""
    service = Service()
    busy = reply(status="429 Too Many Requests", headers={"Retry-After": "7"})
    service.files = iter([busy] * 3)
    async with Running(service, retry=THRICE) as (server, client):
        with pytest.raises(FileError, match="the file's storage answered HTTP 429") as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert (len(caught.value.attempts), caught.value.retry_after) == (3, 7)
    assert len(server.requests) == 2 + 3
    assert asyncio.get_running_loop().time() >= 2 * 7


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
    """S5: only https, or plain http to a loopback address, is followed; the URL is not shown."""
    service = Service()
    service.url = url or " "
    async with Running(service) as (server, client):
        with pytest.raises(FileError, match="the service gave") as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert SIGNATURE not in f"{caught.value!r}"
    assert len(server.requests) == 2


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """S5: a redirect by the storage is an error."""
    service = Service()
    service.files = iter([reply(status="302 Found", headers={"Location": "http://127.0.0.1:1/"})])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="the file's storage answered HTTP 302"):
            await client.download_document(ID, tmp_path / "a.pdf")


async def test_a_storage_by_https_beside_a_local_api(tmp_path: Path) -> None:
    """A storage by https may be on another machine, even if the API is on loopback."""
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
    """The client requests the plain file, and refuses to save a compressed one."""
    service = Service(size=None, sha256=None)
    service.files = iter([reply(gzipped(PDF), headers={"Content-Encoding": encoding})])
    async with Running(service, retry=THRICE) as (server, client):
        with pytest.raises(APIConnectionError, match="its Content-Encoding is not identity"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert server.requests[-1].headers["accept-encoding"] == "identity"
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("encoding", ["identity", "aws-chunked", "AWS-Chunked,"])
async def test_a_file_that_only_seems_to_be_encoded(tmp_path: Path, encoding: str) -> None:
    """A file whose Content-Encoding says `aws-chunked` is saved, because its bytes are plain."""
    service = Service()
    service.files = iter([reply(PDF, headers={"Content-Encoding": encoding})])
    async with Running(service) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF
