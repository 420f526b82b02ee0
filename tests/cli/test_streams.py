"""Standard streams that are closed, stuck, slow or shared, in real processes."""

import asyncio
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raydocs_async.cli._streams import is_same_file, read_some
from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start
from tests.support.pipes import read_all
from tests.support.terminal import Terminal


def closing(*fds: int) -> Callable[[], None]:
    """Return a function that closes standard streams, as `>&-` does."""

    def close() -> None:  # pragma: no cover  (in the child, before it becomes the command)
        """Close them in the started process."""
        for fd in fds:
            os.close(fd)

    return close


def ids_in(text: str) -> list[str]:
    """Return the ids in JSON Lines, all of which are whole."""
    assert text.endswith("\n")
    return sorted(json.loads(line)["id"] for line in text.splitlines())


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
async def test_closed_streams(
    run: Run, api: Sandbox, tmp_path: Path, closed: tuple[int, ...]
) -> None:
    """Closed streams do not affect the output file, and messages never get into it."""
    arguments = ("fetch", *api.ids(3), "not-an-id", "-o", "out.jsonl")
    done = await run(*arguments, preexec_fn=closing(*closed))
    assert done.code == 1
    assert ids_in((tmp_path / "out.jsonl").read_text()) == sorted(api.ids(3))
    assert done.out == ""
    assert ("not a session id" in done.err) == (2 not in closed)


@pytest.mark.parametrize(
    ("closed", "arguments", "code", "complaint"),
    [
        (1, ["fetch", UNKNOWN], 2, "standard output cannot be written: Bad file descriptor"),
        (1, ["fetch", UNKNOWN, "-o", "/dev/stdout"], 2, "standard output cannot be written"),
        (0, ["fetch", "-"], 2, "standard input cannot be read: Bad file descriptor"),
        (0, ["get", UNKNOWN, "--token-file", "-"], 2, "standard input cannot be read: Bad file"),
    ],
)
async def test_a_closed_stream_for_data(
    run: Run, closed: int, arguments: list[str], code: int, complaint: str
) -> None:
    """A closed stream that data needs is invalid usage, with a message."""
    done = await run(*arguments, preexec_fn=closing(closed))
    assert done.code == code
    assert complaint in done.err


async def test_get_without_standard_output(run: Run, api: Sandbox) -> None:
    """A closed standard output makes `get` fail."""
    done = await run("get", *api.ids(1), preexec_fn=closing(1))
    assert done.code == 1
    assert "standard output cannot be written: Bad file descriptor" in done.err


async def test_a_device_beside_a_closed_stream(run: Run, api: Sandbox) -> None:
    """A closed standard output is not mistaken for the named device."""
    done = await run("fetch", *api.ids(1), "-o", "/dev/null", preexec_fn=closing(1))
    assert done.code == 0


async def test_a_slow_reader_of_a_pipe_that_does_not_block(start: Start, api: Sandbox) -> None:
    """While a non-blocking pipe is full, the command waits without using the processor."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = await start("fetch", *api.ids(60), stdout=writing)
    os.close(writing)
    while (spent := await cpu_seconds(process.pid)) > 0.1:
        assert process.returncode is None
    assert spent <= 0.1
    received = await asyncio.to_thread(read_all, reading)
    assert ids_in(received) == sorted(api.ids(60))
    assert await process.wait() == 0


async def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process uses in one second."""

    def ticks() -> int:
        """Count the ticks so far."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    await asyncio.sleep(1)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK")


async def test_an_input_that_does_not_block(start: Start, api: Sandbox) -> None:
    """The command waits for ids from a non-blocking pipe."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = await start("fetch", "-", stdin=reading)
    os.close(reading)
    assert process.stdout is not None
    for session_id in api.ids(2):
        os.write(writing, f"{session_id}\n".encode())
        assert json.loads(await process.stdout.readline())["id"] == session_id
    os.close(writing)
    assert await process.wait() == 0


def test_reading_a_non_blocking_pipe() -> None:
    """A read of a non-blocking pipe waits for its first byte."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    threading.Timer(0.05, os.write, (writing, b"x")).start()
    assert read_some(reading, 10) == b"x"
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("errors", ["/dev/stderr", "/dev/fd/2", "log"])
async def test_errors_among_the_messages(
    run: Run, api: Sandbox, tmp_path: Path, errors: str
) -> None:
    """Errors and messages in one file are whole lines, in order."""
    log = tmp_path / "log"
    log.write_text("earlier\n")
    with log.open("r+") as file:
        file.seek(0, os.SEEK_END)
        arguments = ("fetch", "x", *api.ids(1), "y", "-o", "out.jsonl", "-e", errors)
        done = await run(*arguments, stderr=file)
    assert done.code == 1
    first, *failures, summary = log.read_text().splitlines()
    assert first == "earlier"
    assert [json.loads(line)["id"] for line in failures] == ["x", "y"]
    assert summary.startswith("1 session written to out.jsonl in ")


async def test_sessions_behind_earlier_content(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """An output in /dev that is standard output is written through it, not over its file."""
    log = tmp_path / "log"
    with log.open("w") as file:
        file.write('{"id": "earlier"}\n')
        file.flush()
        done = await run("fetch", *api.ids(2), "-o", "/dev/stdout", stdout=file)
    assert done.code == 0
    assert ids_in(log.read_text()) == sorted([*api.ids(2), "earlier"])


async def test_resuming_a_stream(run: Run) -> None:
    """A standard stream cannot be resumed, also by its name in /dev."""
    done = await run("fetch", UNKNOWN, "-o", "/dev/stdout", "--resume")
    assert done.code == 2
    assert "--resume needs a file" in done.err


async def test_one_file_by_two_names(run: Run, tmp_path: Path) -> None:
    """Sessions and errors cannot go into one file, also if it has two names."""
    (tmp_path / "a").touch()
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    done = await run("fetch", UNKNOWN, "-o", "a", "-e", "b")
    assert done.code == 2
    assert "separate files" in done.err


def test_one_file(tmp_path: Path) -> None:
    """Two names of one file are recognized, also if it is missing; devices can be shared."""
    (path := tmp_path / "a").touch()
    (second := tmp_path / "b").hardlink_to(path)
    assert is_same_file(str(path), str(second))
    assert is_same_file("missing", str(Path.cwd() / "missing"))
    assert not is_same_file(str(path), os.devnull)
    assert not is_same_file(str(path), "missing")


async def test_a_disk_that_is_full_behind_a_stream(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """A line that does not fit on the disk is removed, and earlier content stays."""
    log = tmp_path / "log"
    with log.open("w") as file:
        file.write('{"id": "earlier"}\n')
        file.flush()
        done = await run(
            *("fetch", *api.ids(40)),
            stdout=file,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        )
    assert done.code == 1
    assert "Stopped: standard output cannot be written any more: File too large.\n" in done.err
    assert "earlier" in ids_in(log.read_text())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
async def test_encodings(
    run: Run, api: Sandbox, environment: dict[str, str], encoding: str
) -> None:
    """JSON is UTF-8 in every locale, and messages never fail to encode."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"name": "Müller № 1"})
    env = environment | {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    done = await run("fetch", session_id, "Ünïcode №", env=env)
    assert json.loads(done.out)["name"] == "Müller № 1"
    assert "Traceback" not in done.err
    assert json.loads((await run("get", session_id, env=env)).out)["name"] == "Müller № 1"


async def test_a_tree_in_ascii(terminal: Terminal, api: Sandbox) -> None:
    """Characters that the terminal's encoding lacks are shown as escapes."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"name": "Müller № 1"})
    code, screen = await terminal("get", session_id, env={"PYTHONIOENCODING": "ascii"})
    assert code == 0
    assert r"M\xfcller \u2116 1" in screen


async def test_undecodable_names(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """Ids and file names with control characters or undecodable bytes are shown safely."""
    name = os.fsdecode(b"ids\xff\x1b[31m.txt")
    (tmp_path / name).write_bytes(b"\xfe\n\x1b[2J\n" + api.ids(1)[0].encode())
    out = os.fsdecode(b"out\xff\x1b.jsonl")
    given = os.fsdecode(b"id\xff\x1b")
    done = await run("fetch", given, "-i", name, "-o", out, "-e", "errors.jsonl")
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    assert ids_in((tmp_path / out).read_text()) == api.ids(1)
    errors = [json.loads(line) for line in (tmp_path / "errors.jsonl").read_text().splitlines()]
    assert [(each["id"], each["where"]) for each in errors] == [
        ("id\\xff\x1b", "argument 1"),
        ("\\xfe", "ids\\xff\ufffd[31m.txt:1"),
        ("\x1b[2J", "ids\\xff\ufffd[31m.txt:2"),
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", os.fsdecode(b"\xff\x1b")],
        ["\x1b[2J"],
        ["get", "a", "--\x1b[2J"],
        ["get", "a", "b\x1b[2J"],
        ["fetch", "a", "--shard", "\x1b[2J"],
        ["fetch", "-i", os.fsdecode(b"\xff\x1b")],
        ["fetch", "a", "-o", os.fsdecode(b"missing\xff\x1b/x")],
        ["get", "a", "--token-file", os.fsdecode(b"missing\xff\x1b")],
        ["fetch", "a\x1b[2J\udcff"],
    ],
)
async def test_messages_show_no_escapes(run: Run, arguments: list[str]) -> None:
    """A message that repeats an argument has no control characters."""
    done = await run(*arguments)
    assert done.code in {1, 2}
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err


async def test_json_on_a_terminal(terminal: Terminal, api: Sandbox) -> None:
    """JSON on a terminal has escapes for control characters, and is the same JSON."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"name": "\x9b2J\u202e"})
    for arguments in (["get", "--json"], ["fetch", "--quiet", "--summary", "s"]):
        _, screen = await terminal(*arguments, session_id)
        assert r"\u009b2J\u202e" in screen
        assert json.loads(screen)["name"] == "\x9b2J\u202e"


def test_python_without_streams(tmp_path: Path, environment: dict[str, str]) -> None:
    """The command works if Python has no standard streams, as in `pythonw`."""
    code = (
        "import sys; sys.stdin = sys.stdout = sys.stderr = None;"
        "from raydocs_async.cli import main; main()"
    )
    done: subprocess.CompletedProcess[Any] = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("raydocs-async, version ")
