"""`get` and `wait`: one session, for a person or for a program."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from raydocs_async import Session, converter
from raydocs_async.cli import _trees
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start
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
    """A person sees the results with their values first, then the documents with their parsings."""
    (session_id,) = api.ids(1)
    code, shown = await terminal("get", session_id)
    assert code == 0
    screen = plain(shown).replace("\r", "")
    assert screen.startswith(f"Invoices 753  completed  {session_id}\n├── results\n")
    assert "    │   └── parsing 2.0.0  ready" in screen
    assert "result  completed  " in screen


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


def test_a_name_that_steers_terminals(session: Session) -> None:
    """Names from the service are shown without control characters."""
    label = str(_trees.build_tree(session).label)
    assert "\x1b" not in label


@pytest.fixture
def session() -> Session:
    """A session without documents and results, and with a malicious name."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Session(
        id=UUID(UNKNOWN),
        name="\x1b[2Jgone",
        extraction_template_id=UUID(UNKNOWN),
        settings={},
        created_at=moment,
        updated_at=moment,
        documents=(),
        results=(),
    )


def test_an_empty_session(session: Session) -> None:
    """A session without documents and results is its name alone."""
    assert _trees.build_tree(session).children == []
