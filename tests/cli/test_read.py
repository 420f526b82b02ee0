"""The commands that read: objects and lists, for a person or for a program."""

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from raydocs_async import Session, converter
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start, records
from tests.support.terminal import Terminal, plain


def same(written: str, session: dict[str, Any]) -> bool:
    """Return True if the written session is complete; times may be spelled differently."""
    written_keys = json.loads(written).keys()
    return written_keys == session.keys() and loads(written) == loads(json.dumps(session))


def loads(text: str) -> Session:
    """Return the session that the library reads."""
    return converter.loads(text.encode(), Session)


async def test_a_pipe_gets_json(run: Run, api: Sandbox) -> None:
    """A program gets the complete session as one line of JSON."""
    (session_id,) = api.ids(1)
    done = await run("get", session_id)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("}\n")
    assert same(done.out, api.session(session_id))


async def test_unknown_keys_are_kept(run: Run, api: Sandbox) -> None:
    """Keys that the models do not know are in the output."""
    (session_id,) = api.ids(1)
    session = api.session(session_id) | {"new": {"deep": [1]}}
    api.put(session)
    assert same((await run("get", session_id)).out, session)


async def test_a_terminal_gets_a_tree(terminal: Terminal, api: Sandbox) -> None:
    """A person sees the results with their values, and the documents with their parsings."""
    (session_id,) = api.ids(1)
    code, shown = await terminal("get", session_id)
    assert code == 0
    screen = plain(shown).replace("\r", "")
    assert screen.startswith(f"Invoices 753  completed  {session_id}\n├── results\n")
    assert "│       invoice.number        586459              p. 1" in screen
    assert "    │   └── parsing 2.0.0  ready" in screen


async def test_json_on_a_terminal(terminal: Terminal, api: Sandbox) -> None:
    """With --json, a terminal shows indented JSON."""
    (session_id,) = api.ids(1)
    code, screen = await terminal("get", session_id, "--json")
    assert code == 0
    assert same(screen, api.session(session_id))
    assert '\r\n  "name": ' in screen


@pytest.mark.parametrize(
    ("token", "code", "complaint"),
    [
        ("nobody's", 4, "HTTP 401"),
        ("sandbox-token-forbidden", 4, "HTTP 403"),
        ("sandbox-token", 1, "or $RAYDOCS_BASE_URL is not right"),
    ],
)
async def test_rejections(
    run: Run, environment: dict[str, str], token: str, code: int, complaint: str
) -> None:
    """A rejected token gives another exit code than a missing session."""
    done = await run("get", UNKNOWN, env=environment | {"RAYDOCS_API_TOKEN": token})
    assert (done.code, done.out) == (code, "")
    assert complaint in done.err
    assert token not in done.err


async def test_wait(run: Run, api: Sandbox) -> None:
    """`wait` shows the finished session."""
    (session_id,) = api.ids(1)
    done = await run("wait", session_id)
    assert (done.code, json.loads(done.out)["status"]) == (0, "completed")


async def test_wait_in_vain(run: Run, api: Sandbox) -> None:
    """`wait` ends with exit code 75 if the session takes too long."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"status": "processing"})
    done = await run("wait", session_id, "--timeout", "0.01")
    assert done.code == 75
    assert "not finished within 0.01 s" in done.err


async def test_a_service_that_is_down(run: Run, api: Sandbox) -> None:
    """`get --max-wait` is the time-out of the whole call."""
    api.script(*[Fault.stall()] * 10)
    done = await run("get", *api.ids(1), "--max-wait", "0.2")
    assert done.code == 75
    assert "no answer within 0.2 s" in done.err


async def test_wait_shows_the_last_status(run: Run, api: Sandbox) -> None:
    """If the session takes too long, the message has its last status."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"status": "processing"})
    done = await run("wait", session_id, "--timeout", "1")
    assert done.err.endswith("not finished within 1 s; last seen as processing\n")


async def test_wait_on_a_terminal(terminal: Terminal, api: Sandbox) -> None:
    """On a terminal, a message says that the command waits, and how long at most."""
    _, screen = await terminal("wait", *api.ids(1))
    assert screen.startswith("Waiting for the session, 10 min 0 s at most.\r\n")


async def test_wait_interrupted(start: Start, api: Sandbox) -> None:
    """Ctrl-C ends the command with a message, and exit code 130."""
    api.script(Fault.stall())
    process = await start("wait", *api.ids(1))
    while not api.stats.requests:
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert (process.returncode, said) == (130, b"\nInterrupted.\n")


async def test_an_output_that_cannot_be_written(run: Run, api: Sandbox) -> None:
    """A full disk behind standard output is reported by a message."""
    (session_id,) = api.ids(1)
    full = os.open("/dev/full", os.O_WRONLY)
    done = await run("get", session_id, stdout=full)
    os.close(full)
    assert done.code == 1
    assert done.err == "Error: standard output cannot be written: No space left on device\n"


async def test_a_reader_that_has_gone(run: Run, api: Sandbox) -> None:
    """A reader that has gone (`| head -0`) ends the command quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    done = await run("get", *api.ids(1), stdout=writing)
    os.close(writing)
    assert (done.code, done.err) == (1, "")


READ = {
    "result": lambda api: next(iter(api.session(api.ids(1)[0])["results"])),
    "document": lambda api: next(iter(api.session(api.ids(1)[0])["documents"])),
}
"""The commands that show one object, and the object that the sandbox has."""


@pytest.mark.parametrize("command", ["get", "result"])
async def test_sources(terminal: Terminal, api: Sandbox, command: str) -> None:
    """With ``--sources`` a person reads below each value the passage that it was read from."""
    session_id = api.ids(1)[0]
    shown = {"get": session_id, "result": api.session(session_id)["results"][0]["id"]}
    code, screen = await terminal(command, shown[command], "--sources")
    assert code == 0
    lines = [line.split() for line in plain(screen).splitlines()]
    total = next(n for n, line in enumerate(lines) if "invoice.total" in line)
    value = lines[total][-1]
    assert f"“Total: {value}”" in " ".join(lines[total + 2])


@pytest.mark.parametrize("command", READ)
async def test_one_object(run: Run, terminal: Terminal, api: Sandbox, command: str) -> None:
    """Each object is one line of JSON in a pipe, and a tree with its id on a terminal."""
    expected = READ[command](api)
    done = await run(command, expected["id"])
    assert (done.code, done.err) == (0, "")
    assert [each["id"] for each in records(done.out)] == [expected["id"]]
    code, screen = await terminal(command, expected["id"])
    assert code == 0
    assert f"  {expected['id']}" in plain(screen).partition("\n")[0]


@pytest.mark.parametrize("command", ["results", "documents"])
async def test_a_list(run: Run, api: Sandbox, command: str) -> None:
    """The list of a session's parts is JSON Lines, in the service's order."""
    (session_id,) = api.ids(1)
    done = await run(command, session_id)
    ids = [each["id"] for each in api.session(session_id)[command]]
    assert (done.code, [each["id"] for each in records(done.out)]) == (0, ids)


async def test_chunks(terminal: Terminal, api: Sandbox) -> None:
    """The passages of a document show their pages and their text."""
    document_id = READ["document"](api)["id"]
    code, screen = await terminal("chunks", document_id)
    assert code == 0
    assert "chunk 0  p. 1  " in plain(screen)
    assert "Name: Studio Ōkami" in screen
    code, screen = await terminal("chunks", document_id, "--json")
    assert all(json.loads(line)["blocks"] for line in screen.splitlines())


async def test_an_empty_list(terminal: Terminal, run: Run, api: Sandbox) -> None:
    """A list without items is no output at all, and a message for a person."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"documents": []})
    assert await run("documents", session_id) == (0, "", "")
    assert await terminal("documents", session_id) == (0, "There are none.\r\n")


@pytest.mark.parametrize("command", ["result", "results", "document", "documents", "chunks"])
async def test_a_missing_object(run: Run, command: str) -> None:
    """An object that does not exist is one message and exit code 1, as for `get`."""
    done = await run(command, UNKNOWN)
    assert (done.code, done.out) == (1, "")
    assert f"{UNKNOWN}: HTTP 404" in done.err
