"""`get` and `wait`: one session, for a person or for a program."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from raydocs_async import Session, converter
from raydocs_async.cli import _session
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import Run, Start
from tests.support.terminal import Terminal, plain

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def same(written: str, session: dict[str, Any]) -> bool:
    """Whether a session is written with all it has; times may be spelled differently."""
    written_keys = json.loads(written).keys()
    return written_keys == session.keys() and loads(written) == loads(json.dumps(session))


def loads(text: str) -> Session:
    """A session as the library reads it."""
    return converter.loads(text.encode(), Session)


async def test_a_pipe_gets_json(run: Run, api: Sandbox) -> None:
    """A program gets the session as one line of JSON, whole."""
    (session_id,) = api.ids(1)
    done = await run("get", session_id)
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("}\n")
    assert same(done.out, api.session(session_id))


async def test_what_the_models_do_not_know_is_kept(run: Run, api: Sandbox) -> None:
    """Keys that are new to the library are in its output."""
    (session_id,) = api.ids(1)
    session = api.session(session_id) | {"new": {"deep": [1]}}
    api.put(session)
    assert same((await run("get", session_id)).out, session)


async def test_a_terminal_gets_a_tree(terminal: Terminal, api: Sandbox) -> None:
    """A person sees the documents with their parsings, and the results, each with its status."""
    (session_id,) = api.ids(1)
    code, shown = await terminal("get", session_id)
    assert code == 0
    screen = plain(shown).replace("\r", "")
    assert screen.startswith(f"Invoices 753  completed  {session_id}\n├── documents\n")
    assert "│   │   └── parsing 2.0.0  ready" in screen
    assert "result  completed  " in screen


async def test_a_terminal_gets_json_if_it_wants(terminal: Terminal, api: Sandbox) -> None:
    """With --json, a person sees it, indented."""
    (session_id,) = api.ids(1)
    code, screen = await terminal("get", session_id, "--json")
    assert code == 0
    assert same(screen, api.session(session_id))
    assert '\r\n  "name": ' in screen


async def test_a_token_from_a_file(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The token can be in a file, with a line's end."""
    (tmp_path / "token").write_text(f"{api.token}\n")
    (session_id,) = api.ids(1)
    done = await run("get", session_id, "--token-file", "token")
    assert done.code == 0


async def test_a_token_from_standard_input(run: Run, api: Sandbox) -> None:
    """The token can be piped in."""
    (session_id,) = api.ids(1)
    done = await run("get", session_id, "--token-file", "-", stdin=f"{api.token}\n")
    assert done.code == 0


async def test_a_token_file_that_is_no_text(run: Run, tmp_path: Path) -> None:
    """A file that cannot be a token's is named, and its content is not shown."""
    (tmp_path / "token").write_bytes(b"\xff")
    done = await run("get", UNKNOWN, "--token-file", "token")
    assert (done.code, done.err) == (
        2,
        "Error: the token file token cannot be read: it is not text\n",
    )


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\r\n"])
async def test_a_token_as_editors_write_it(
    run: Run, api: Sandbox, tmp_path: Path, before: bytes, after: bytes
) -> None:
    """A byte-order mark and a line's end are no part of the token."""
    content = before + api.token.encode() + after
    (tmp_path / "token").write_bytes(content)
    assert (await run("get", *api.ids(1), "--token-file", "token")).code == 0
    done = await run("get", *api.ids(1), "--token-file", "-", stdin=content.decode())
    assert done.code == 0


async def test_a_token_from_a_pipe(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The token can be what another program says, as a shell's substitution."""
    reading, writing = os.pipe()
    os.write(writing, api.token.encode())
    os.close(writing)
    done = await run("get", *api.ids(1), "--token-file", f"/dev/fd/{reading}", pass_fds=[reading])
    os.close(reading)
    assert done.code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/dev/zero", "is longer than 16384 bytes, so it holds no token"),
        ("utf-16-le", "is UTF-16; save it as UTF-8"),
        ("utf-16-be", "is UTF-16; save it as UTF-8"),
        (".", "cannot be read: Is a directory"),
    ],
)
async def test_a_token_file_that_is_none(
    run: Run, api: Sandbox, tmp_path: Path, name: str, reason: str
) -> None:
    """A file that cannot be a token's is named, with the reason, and read no further."""
    for encoding in ("utf-16-le", "utf-16-be"):
        (tmp_path / encoding).write_text("\ufeff" + api.token, encoding=encoding)
    done = await run("get", UNKNOWN, "--token-file", name)
    assert (done.code, done.err) == (2, f"Error: the token file {name} {reason}\n")


async def test_a_token_without_end(run: Run) -> None:
    """A line of standard input that is too long for a token is refused."""
    done = await run("get", UNKNOWN, "--token-file", "-", stdin="x" * 20_000)
    assert done.code == 2
    assert "standard input is longer than 16384 bytes, so it holds no token" in done.err


@pytest.mark.parametrize(
    ("token", "code", "complaint"),
    [
        ("nobody's", 4, "HTTP 401"),
        ("sandbox-token-forbidden", 4, "HTTP 403"),
        ("sandbox-token", 1, "or $RAYDOCS_BASE_URL is not right"),
    ],
)
async def test_refusals(
    run: Run, environment: dict[str, str], token: str, code: int, complaint: str
) -> None:
    """A token that is refused is another exit code than a session that is not there."""
    done = await run("get", UNKNOWN, env=environment | {"RAYDOCS_API_TOKEN": token})
    assert (done.code, done.out) == (code, "")
    assert complaint in done.err
    assert token not in done.err


async def test_wait(run: Run, api: Sandbox) -> None:
    """`wait` shows the session when it is finished."""
    (session_id,) = api.ids(1)
    done = await run("wait", session_id)
    assert (done.code, json.loads(done.out)["status"]) == (0, "completed")


async def test_wait_in_vain(run: Run, api: Sandbox) -> None:
    """`wait` ends with exit code 75, run it again, when the session takes too long."""
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


async def test_wait_tells_what_it_saw(run: Run, api: Sandbox) -> None:
    """When the session takes too long, its status is told."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"status": "processing"})
    done = await run("wait", session_id, "--timeout", "1")
    assert done.err.endswith("not finished within 1 s; last seen as processing\n")


async def test_wait_on_a_terminal(terminal: Terminal, api: Sandbox) -> None:
    """A person is told that it waits, and for how long."""
    _, screen = await terminal("wait", *api.ids(1))
    assert screen.startswith("Waiting until it is finished, 10 min 0 s at most.\r\n")


async def test_wait_interrupted(start: Start, api: Sandbox) -> None:
    """Ctrl-C ends it with a word, and exit code 130."""
    api.script(Fault.stall())
    process = await start("wait", *api.ids(1))
    while not api.stats.requests:
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert (process.returncode, said) == (130, b"\nInterrupted.\n")


async def test_an_output_that_cannot_be_written(run: Run, api: Sandbox) -> None:
    """A full disk behind standard output is told in words."""
    (session_id,) = api.ids(1)
    full = os.open("/dev/full", os.O_WRONLY)
    done = await run("get", session_id, stdout=full)
    os.close(full)
    assert done.code == 1
    assert done.err == "Error: standard output cannot be written: No space left on device\n"


async def test_an_output_that_nobody_reads(run: Run, api: Sandbox) -> None:
    """A reader that has gone (`| head -0`) ends it quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    done = await run("get", *api.ids(1), stdout=writing)
    os.close(writing)
    assert (done.code, done.err) == (1, "")


def test_a_name_that_steers_terminals(session: Session) -> None:
    """Names that came from elsewhere are shown without their control characters."""
    label = str(_session.tree(session).label)
    assert "\x1b" not in label


@pytest.fixture
def session() -> Session:
    """A session with no documents and no results, and a name that means harm."""
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
    assert _session.tree(session).children == []
