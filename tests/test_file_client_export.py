"""Exports of results: spreadsheets, saved only if they are whole."""

import io
import zipfile
from pathlib import Path

import pytest

from raydocs_async import APIConnectionError, FileError
from raydocs_async._file_client import XLSX
from tests.support.clients import TOKEN, client_for
from tests.support.files import ID, files_in
from tests.support.replies import gzipped, reply
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


def sheet() -> bytes:
    """Return a ZIP archive, which is all that the client checks of a workbook."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>" * 1000)
    return archive.getvalue()


SHEET = sheet()


async def test_a_result_is_exported(tmp_path: Path) -> None:
    """The spreadsheet is saved as it came, by one request to the API."""
    answer = reply(SHEET, headers={"Content-Type": f"{XLSX}; charset=binary"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        path = await client.export_result(ID, tmp_path / "a.xlsx")
    assert path.read_bytes() == SHEET
    assert [each.target for each in server.requests] == [f"/extractions/results/{ID}/export/excel"]
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("body", [b"", SHEET[:-30], b"<html>"], ids=["empty", "cut", "HTML"])
async def test_a_spreadsheet_that_is_not_whole(tmp_path: Path, body: bytes) -> None:
    """A body without a length that is cut, or not a spreadsheet, is not saved."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {XLSX}\r\n\r\n".encode()
    async with WireServer((head + body, End.CLOSE)) as server, client_for(server.url) as client:
        with pytest.raises(FileError, match=r"the file is not an Excel file, or is cut; nothing"):
            await client.export_result(ID, tmp_path / "a.xlsx")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("body", [gzipped(SHEET), gzipped(SHEET)[:-50]], ids=["whole", "cut"])
async def test_a_compressed_spreadsheet_is_refused(tmp_path: Path, body: bytes) -> None:
    """A compressed reply is not saved, because nothing would reveal its cut."""
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
