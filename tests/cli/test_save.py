"""`download` and `export`: files, as real processes."""

from pathlib import Path

import pytest

from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run
from tests.support.terminal import Terminal, plain


@pytest.fixture
def document_id(api: Sandbox) -> str:
    """The id of a document that the sandbox has."""
    return str(api.session(api.ids(1)[0])["documents"][0]["id"])


@pytest.fixture
def result_id(api: Sandbox) -> str:
    """The id of a result that the sandbox has."""
    return str(api.session(api.ids(1)[0])["results"][0]["id"])


async def test_a_document(run: Run, document_id: str, tmp_path: Path) -> None:
    """`download` saves the file, and says where on standard error."""
    done = await run("download", document_id, "-o", "a.pdf")
    assert done == (0, "", "Saved to a.pdf\n")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


async def test_a_result(run: Run, result_id: str, tmp_path: Path) -> None:
    """`export` saves a spreadsheet."""
    done = await run("export", result_id, "-o", "a.xlsx")
    assert done == (0, "", "Saved to a.xlsx\n")
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")


async def test_progress_on_a_terminal(terminal: Terminal, result_id: str) -> None:
    """A terminal shows the bytes, and the cursor is restored."""
    code, screen = await terminal("export", result_id, "-o", "a.xlsx")
    assert code == 0
    assert " bytes" in plain(screen) or " kB" in plain(screen)
    assert screen.endswith("Saved to a.xlsx\r\n")
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0


async def test_a_dumb_terminal(terminal: Terminal, result_id: str) -> None:
    """A terminal that cannot redraw shows the path alone."""
    shown = await terminal("export", result_id, "-o", "a.xlsx", env={"TERM": "dumb"})
    assert shown == (0, "Saved to a.xlsx\r\n")


async def test_a_file_that_is_there(run: Run, result_id: str, tmp_path: Path) -> None:
    """A file that is there is replaced with --overwrite alone."""
    (path := tmp_path / "a.xlsx").write_text("mine")
    done = await run("export", result_id, "-o", "a.xlsx")
    assert (done.code, path.read_text()) == (2, "mine")
    assert done.err == "Error: a.xlsx is there already; replace it with --overwrite\n"
    assert (await run("export", result_id, "-o", "a.xlsx", "--overwrite")).code == 0
    assert path.read_bytes().startswith(b"PK")


async def test_a_suffix_of_another_kind(run: Run, result_id: str, tmp_path: Path) -> None:
    """A spreadsheet is not saved under a name that says something else."""
    done = await run("export", result_id, "-o", "a.csv")
    message = "Error: a.csv: an export is an Excel file; give it a name ending in .xlsx\n"
    assert done == (2, "", message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a", "a.XLSX"])
async def test_a_name_that_fits(run: Run, result_id: str, tmp_path: Path, name: str) -> None:
    """A name without a suffix is taken as it is, and the suffix in either case."""
    assert (await run("export", result_id, "-o", name)).code == 0
    assert (tmp_path / name).read_bytes().startswith(b"PK")


async def test_a_stream(run: Run, result_id: str) -> None:
    """Standard output is refused, because a file takes its place by a rename."""
    done = await run("export", result_id, "-o", "-")
    assert done.code == 2
    assert "-o needs a file's path" in done.err


async def test_a_file_that_fails(run: Run, api: Sandbox, document_id: str, tmp_path: Path) -> None:
    """A file that is not the document's is exit code 1, and leaves nothing behind."""
    api.script_for(f"/files/{document_id}", *[Fault.body(b"short", content_type="x/y")] * 9)
    done = await run("download", document_id, "-o", "a.pdf")
    assert done.code == 1
    assert "nothing was kept" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [503, 404])
async def test_a_storage_that_fails(
    run: Run, api: Sandbox, document_id: str, tmp_path: Path, status: int
) -> None:
    """An outage of the files' storage is exit code 75, and any other refusal 1."""
    # Longer than a call waits, so that the command does not wait either.
    api.script_for(f"/files/{document_id}", *[Fault.status(status, retry_after=300)] * 9)
    done = await run("download", document_id, "-o", "a.pdf")
    assert done.code == (75 if status == 503 else 1)
    assert f"storage answered HTTP {status}" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["download", "export"])
async def test_a_missing_object(run: Run, command: str, tmp_path: Path) -> None:
    """An object that does not exist is exit code 1, and leaves nothing behind."""
    done = await run(command, UNKNOWN, "-o", "a")
    assert done.code == 1
    assert f"{UNKNOWN}: HTTP 404" in done.err
    assert list(tmp_path.iterdir()) == []
