"""Fixtures for the command line: real processes, and a sandbox that they talk to."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from raydocs_async.sandbox import Sandbox
from tests.support.terminal import Terminal, open_terminal, read_screen

UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""The id of a session that the sandbox does not have."""

# DuckDB has no wheels yet for the newest Python, where only these tests cannot run.
collect_ignore_glob = [] if find_spec("duckdb") else ["test_table*.py", "test_id_tables.py"]

COMMAND = (sys.executable, "-m", "raydocs_async")


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int | None
    out: str
    err: str


Start = Callable[..., Awaitable[Process]]
Run = Callable[..., Awaitable[Done]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of an output that does not exist yet."""
    return tmp_path / "out.jsonl"


@pytest.fixture
async def api() -> AsyncIterator[Sandbox]:
    """A sandbox with a rate limit that no test reaches."""
    async with Sandbox(limit=1_000_000) as running:
        yield running


@pytest.fixture
def environment(api: Sandbox) -> dict[str, str]:
    """The environment of a command that talks to the sandbox."""
    unwanted = ("NO_COLOR", "RAYDOCS_SHARED_LIMIT")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"RAYDOCS_BASE_URL": api.url, "RAYDOCS_API_TOKEN": api.token, "TERM": "xterm"}


def records(text: str) -> list[dict[str, Any]]:
    """Return the objects in JSON Lines, all of which have their line's end."""
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def ids_in_file(path: Path) -> list[str]:
    """Return the ids in a file of JSON Lines, in order."""
    return sorted(each["id"] for each in records(path.read_text()))


async def until_written(process: Process, path: Path, size: int) -> None:
    """Wait until a file has more than `size` bytes."""
    while not path.exists() or path.stat().st_size <= size:
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.002)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The path of the output file."""
    return tmp_path / "out.jsonl"


@pytest.fixture
def ids_file(tmp_path: Path, api: Sandbox) -> Path:
    """A file of 40 ids."""
    path = tmp_path / "ids.txt"
    path.write_text("\n".join(api.ids(40)))
    return path


@pytest.fixture
async def start(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Start]:
    """Start commands in a directory of their own; kill those that the test leaves running."""
    started: list[Process] = []

    async def start(*arguments: str, command: tuple[str, ...] = COMMAND, **options: Any) -> Process:
        """Start a command, with pipes for its output."""
        pipes: dict[str, Any] = {
            "stdin": DEVNULL,
            "stdout": PIPE,
            "stderr": PIPE,
            "env": environment,
        }
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, cwd=tmp_path, **pipes | {"env": environment} | options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # most of them have ended
            process.kill()
        await process.communicate()


@pytest.fixture
def run(start: Start) -> Run:
    """Run a command to its end."""

    async def run(*arguments: str, stdin: str | None = None, **options: Any) -> Done:
        """Run a command, with `stdin` as its standard input."""
        process = await start(*arguments, **{"stdin": DEVNULL if stdin is None else PIPE} | options)
        out, err = await process.communicate(None if stdin is None else stdin.encode())
        message = (err or b"").decode("utf-8", "backslashreplace")
        return Done(process.returncode, (out or b"").decode(), message)

    return run


@pytest.fixture
def terminal(start: Start, environment: dict[str, str]) -> Terminal:
    """Run a command in a terminal; return its exit code and everything that it showed."""

    async def run(
        *arguments: str, env: dict[str, str] | None = None, typed: str = ""
    ) -> tuple[int, str]:
        """Run a command to its end; the keys in `typed` are pressed at once."""
        ours, theirs = open_terminal()
        os.write(ours, typed.encode())
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        process = await start(*arguments, env=environment | (env or {}), **streams)
        os.close(theirs)
        screen = await read_screen(ours)
        os.close(ours)
        return await process.wait(), screen

    return run
