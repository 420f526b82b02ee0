"""The parts of a session by the command line: a tree for a person, JSON for a program, files."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import evolve

from raydocs_async import Chunk, Result, converter
from raydocs_async.cli import _trees
from raydocs_async.sandbox import Fault, Sandbox
from raydocs_async.testing import build_session
from tests.cli.conftest import UNKNOWN, Run, Start, records
from tests.support.terminal import Terminal, plain


@pytest.fixture
def session(api: Sandbox) -> dict[str, Any]:
    """The first session of the sandbox."""
    return api.session(api.ids(1)[0])


def lines(shown: str) -> list[str]:
    """The lines on a screen."""
    return [each.rstrip() for each in plain(shown).replace("\r", "").splitlines()]


async def test_one_resource_as_json(run: Run, session: dict[str, Any]) -> None:
    """A program gets a result or a document as one line of JSON."""
    for name, wire in (("result", session["results"][1]), ("document", session["documents"][0])):
        done = await run(name, wire["id"])
        assert (done.code, done.err) == (0, "")
        assert json.loads(done.out) == wire


async def test_lists_as_json_lines(run: Run, session: dict[str, Any]) -> None:
    """A program gets a list as JSON Lines, all pages of it."""
    documents = records((await run("documents", session["id"])).out)
    assert [each["id"] for each in documents] == [each["id"] for each in session["documents"]]
    results = records((await run("results", session["id"])).out)
    assert [each["id"] for each in results] == [each["id"] for each in session["results"]]
    chunks = records((await run("chunks", documents[0]["id"])).out)
    assert {each["document_id"] for each in chunks} == {documents[0]["id"]}


async def test_a_result_on_a_terminal(terminal: Terminal, session: dict[str, Any]) -> None:
    """A person sees each value with its name and the page that it was read from."""
    code, shown = await terminal("result", session["results"][0]["id"])
    assert code == 0
    assert lines(shown)[0] == f"result  completed  {session['results'][0]['id']}"
    assert "├── invoice.total  13323.16  p. 1" in lines(shown)


async def test_the_values_of_a_session(terminal: Terminal, session: dict[str, Any]) -> None:
    """`get` shows the values, too."""
    _, shown = await terminal("get", session["id"])
    assert any("supplier.name  Studio Ōkami  p. 1" in line for line in lines(shown))


async def test_chunks_on_a_terminal(terminal: Terminal, session: dict[str, Any]) -> None:
    """A person sees the text of each chunk under its page."""
    _, shown = await terminal("chunks", session["documents"][0]["id"])
    assert lines(shown)[0].startswith("p. 1  ")
    assert "├── Total: 13323.16" in [line.replace("└", "├") for line in lines(shown)]


async def test_json_of_a_document_on_a_terminal(
    terminal: Terminal, session: dict[str, Any]
) -> None:
    """With --json, a terminal shows JSON; without, the document and its parsings."""
    document = session["documents"][0]
    _, shown = await terminal("document", document["id"], "--json")
    assert json.loads(shown) == document
    _, shown = await terminal("document", document["id"])
    assert lines(shown)[0] == f"{document['filename']}  ready  application/pdf"


@pytest.mark.parametrize(
    "command", ["result", "document", "chunks", "documents", "results", "download", "export"]
)
async def test_an_unknown_id(run: Run, tmp_path: Path, command: str) -> None:
    """An id that does not exist is a failure that names it, and leaves no file."""
    output = ["-o", str(tmp_path / "file")] if command in ("download", "export") else []
    done = await run(command, UNKNOWN, *output)
    assert (done.code, done.out) == (1, "")
    assert f"{UNKNOWN}: HTTP 404" in done.err
    assert not list(tmp_path.glob("*.part"))


# -- files -------------------------------------------------------------------------------------


async def test_a_downloaded_file(run: Run, tmp_path: Path, session: dict[str, Any]) -> None:
    """The file is where the user wants it, and the message says so."""
    done = await run("download", session["documents"][0]["id"], "-o", "a.pdf")
    assert (done.code, done.out, done.err) == (0, "", "Saved a.pdf\n")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


async def test_an_export(terminal: Terminal, tmp_path: Path, session: dict[str, Any]) -> None:
    """On a terminal the bar is gone in the end, and the message is left."""
    code, shown = await terminal("export", session["results"][0]["id"], "-o", "a.xlsx")
    assert code == 0
    assert shown.endswith("\x1b[2KSaved a.xlsx\r\n")
    assert (tmp_path / "a.xlsx").read_bytes().startswith(b"PK")


async def test_a_file_that_is_there(run: Run, tmp_path: Path, session: dict[str, Any]) -> None:
    """A file is replaced with --overwrite, and the message names the option."""
    (tmp_path / "a.pdf").write_text("mine")
    command = ("download", session["documents"][0]["id"], "-o", "a.pdf")
    done = await run(*command)
    assert (done.code, done.err) == (
        2,
        "Error: a.pdf is there already; allow it by --overwrite\n",
    )
    assert (await run(*command, "--overwrite")).code == 0


async def test_an_interrupted_download(
    start: Start, api: Sandbox, tmp_path: Path, session: dict[str, Any]
) -> None:
    """Ctrl-C leaves no part of a file."""
    api.script(Fault.status(200), Fault.status(200), Fault.stall())
    process = await start("download", session["documents"][0]["id"], "-o", "a.pdf")
    while len(list(tmp_path.glob(".*.part"))) == 0:
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


# -- trees -------------------------------------------------------------------------------------


def shown(resource: _trees.Resource) -> list[str]:
    """The labels of a tree's children."""
    return [str(each.label) for each in _trees.build_tree(resource).children]


def result_with(data: Any, audit: Any = None) -> Result:
    """A result with that data."""
    return evolve(build_session(UNKNOWN).results[0], data=data, audit_data=audit)


def test_values_of_every_kind() -> None:
    """Values are shown as JSON, but for strings, and without control characters."""
    data: dict[str, Any] = {"a": "x\x1b[2J", "b": None, "c": True, "d": [], "e": 1.5}
    assert shown(result_with(data)) == ["a  x\ufffd[2J", "b  null", "c  true", "d  []", "e  1.5"]
    assert shown(result_with(7)) == ["value  7"]


def test_a_source_without_a_page() -> None:
    """A page is shown where a source has one."""
    audit = {"a": {"sources": [{"text": "x"}, {"page": 3}]}, "b": {"sources": [{"text": "x"}]}}
    assert shown(result_with({"a": 1, "b": 2}, audit)) == ["a  1  p. 3", "b  2"]


def test_a_result_with_many_values() -> None:
    """A person sees the first hundred, and how many more there are."""
    labels = shown(result_with(list(range(150))))
    assert labels[99:] == ["[99]  99", "… and 50 more; --json has all of them"]


def test_a_chunk_without_pages() -> None:
    """A chunk whose pages are unknown is just a chunk."""
    chunk = converter.structure({"id": UNKNOWN, "content": "a\nb"}, Chunk)
    tree = _trees.build_tree(chunk)
    assert (str(tree.label), shown(chunk)) == (f"chunk  {UUID(UNKNOWN)}", ["a", "b"])
