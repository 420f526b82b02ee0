"""Chunks and exports that are not there yet: their exit code says whether another run helps."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run


@pytest.fixture
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A sandbox whose sessions are unfinished, or all finished with the parameter ``None``."""
    seconds = getattr(request, "param", 1e6)
    async with Sandbox(limit=1_000_000, finish_within=seconds) as running:
        yield running


def part(api: Sandbox, kind: str) -> str:
    """Return the id of a document or a result."""
    return str(api.session(api.ids(1)[0])[kind][0]["id"])


async def test_chunks_of_a_document_that_is_not_processed(run: Run, api: Sandbox) -> None:
    """A refusal of what is not there yet is exit code 75, with the status that says so."""
    document_id = part(api, "documents")
    done = await run("chunks", document_id)
    assert (done.code, done.out) == (75, "")
    assert f"chunks of document {document_id}: HTTP 404, while its status is " in done.err
    assert done.err.endswith("; run the command again later\n")


@pytest.mark.parametrize("status", [404, 409, 422])
async def test_an_export_of_an_unfinished_result(
    run: Run, api: Sandbox, status: int, tmp_path: Path
) -> None:
    """It is the same for an export, whichever status the service refuses it with."""
    result_id = part(api, "results")
    api.script(Fault.status(status))
    done = await run("export", result_id, "-o", "a.xlsx")
    assert (done.code, list(tmp_path.iterdir())) == (75, [])
    assert f"export of result {result_id}: HTTP {status}, while its status is " in done.err


@pytest.mark.parametrize("api", [None], indirect=True)
@pytest.mark.parametrize("command", ["chunks", "export"])
async def test_a_refusal_of_what_is_finished(
    run: Run, api: Sandbox, command: str, tmp_path: Path
) -> None:
    """A refusal that another run does not change is exit code 1, with the library's advice."""
    kind, output = ("documents", []) if command == "chunks" else ("results", ["-o", "a.xlsx"])
    api.script(Fault.status(404))
    done = await run(command, part(api, kind), *output)
    assert (done.code, list(tmp_path.iterdir())) == (1, [])
    assert "shows its status" in done.err
    assert "get_" not in done.err


async def test_a_document_that_does_not_exist(run: Run) -> None:
    """If the document cannot be read either, the refusal is a failure for good."""
    done = await run("chunks", UNKNOWN)
    assert done.code == 1
    assert f"chunks of document {UNKNOWN}: HTTP 404" in done.err


async def test_another_failure(run: Run, api: Sandbox) -> None:
    """A failure of another kind has its own exit code."""
    api.script(Fault.status(403))
    assert (await run("chunks", part(api, "documents"))).code == 4
