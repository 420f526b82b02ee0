"""Fixtures for the command line: real processes, and a sandbox that they talk to."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from raydocs_async.sandbox import Sandbox
from tests.support.terminal import Terminal, open_terminal, read_screen

COMMAND = (sys.executable, "-m", "raydocs_async")


class Done(NamedTuple):
    """The exit code and the output of a command."""

    code: int | None
    out: str
    err: str


Start = Callable[..., Awaitable[Process]]
Run = Callable[..., Awaitable[Done]]


@pytest.fixture
async def api() -> AsyncIterator[Sandbox]:
    """A sandbox with a rate limit that no test reaches."""
    async with Sandbox(limit=1_000_000) as running:
        yield running


@pytest.fixture
def environment(api: Sandbox) -> dict[str, str]:
    """The environment of a command that talks to the sandbox."""
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return kept | {"RAYDOCS_BASE_URL": api.url, "RAYDOCS_API_TOKEN": api.token, "TERM": "xterm"}


@pytest.fixture
async def start(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Start]:
    """Start commands in a directory of their own; kill those that the test leaves running."""
    started: list[Process] = []

    async def start(*arguments: str, **options: Any) -> Process:
        """Start a command, with pipes for its output."""
        pipes: dict[str, Any] = {
            "stdin": DEVNULL,
            "stdout": PIPE,
            "stderr": PIPE,
            "env": environment,
        }
        process = await asyncio.create_subprocess_exec(
            *COMMAND, *arguments, cwd=tmp_path, **pipes | {"env": environment} | options
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
