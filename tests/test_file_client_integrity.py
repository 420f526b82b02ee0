"""The checks of a downloaded file: its length, its checksum, and its end."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from raydocs_async import FileError
from tests.support.files import ID, PDF, Running, Service, files_in
from tests.support.wire import End

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sha256": "0" * 64}, "the file has another checksum instead of the document's sha256"),
        ({"size": len(PDF) + 1}, f"the file has {len(PDF)} bytes instead of {len(PDF) + 1}"),
        ({"size": 5}, f"the file has {len(PDF)} bytes instead of 5"),
    ],
)
async def test_another_file(tmp_path: Path, document: dict[str, Any], message: str) -> None:
    """A file whose length or checksum is not the document's is not kept."""
    async with Running(Service(**document)) as (_, client):
        with pytest.raises(FileError) as caught:
            await client.download_document(ID, tmp_path / "a.pdf")
    assert caught.value.message == f"{message}; nothing was kept"
    assert (caught.value.resource, caught.value.resource_id) == ("file of document", ID)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("size", [3, len(PDF) + 1])
async def test_another_length_than_the_document_has(tmp_path: Path, size: int) -> None:
    """Without a Content-Length the client counts the bytes, and stops reading in time."""
    service = Service(size=size, sha256=None)
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF, End.CLOSE)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="bytes instead of"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("end", [End.CLOSE, End.RESET])
async def test_a_cut_that_nothing_would_show(tmp_path: Path, end: End) -> None:
    """A file is refused if neither reply nor document would reveal a cut."""
    service = Service(size=None, sha256="md5:abc")
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF[:1000], end)])
    async with Running(service) as (_, client):
        with pytest.raises(FileError, match="a cut would go unnoticed; nothing was kept"):
            await client.download_document(ID, tmp_path / "a.pdf")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("known", [{"size": None}, {"sha256": None}, {}], ids=repr)
async def test_a_file_that_ends_with_its_connection(tmp_path: Path, known: dict[str, Any]) -> None:
    """The document's length or its checksum is enough to prove a file whole."""
    service = Service(**known)
    service.files = iter([(b"HTTP/1.1 200 OK\r\n\r\n" + PDF, End.CLOSE)])
    async with Running(service) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF


@pytest.mark.parametrize("sha256", [None, "", "md5:abc", hashlib.sha256(PDF).hexdigest().upper()])
async def test_a_document_that_tells_little(
    tmp_path: Path, sha256: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing length or checksum is not checked; a checksum may be in either case.

    A checksum of another kind is not checked, and a warning says so.
    """
    async with Running(Service(size=None, sha256=sha256)) as (_, client):
        await client.download_document(ID, tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == PDF
    said = "its sha256 is not 64 hexadecimal digits, so the content of its file is not verified"
    assert (said in caplog.text) is (sha256 == "md5:abc")
