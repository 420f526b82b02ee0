"""Signals that ask a command to end, sent to real processes and to the handler."""

import asyncio
import fcntl
import json
import os
import signal
import sys
import termios
from array import array
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from raydocs_async.cli._signals import SignalHandler
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start

NEVER_RESOLVES = (
    "import socket, threading; socket.getaddrinfo = lambda *_, **__: ("
    "print('resolving', flush=True), threading.Event().wait());"
    "from raydocs_async.cli import main; main()"
)
MOST = 5
"""Seconds to end in: four more than the promise, for a busy machine."""


async def end(process: Process, number: signal.Signals) -> str:
    """Send a signal, wait for exit code 130, and return the messages."""
    assert process.stderr is not None
    async with asyncio.timeout(MOST):
        process.send_signal(number)
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 130
    assert "Traceback" not in said
    return said


async def until_full(reading: int) -> None:
    """Wait until an unread pipe is full."""
    waiting, before = array("i", [0]), -1
    while not waiting[0] or waiting[0] != before:
        before = waiting[0]
        await asyncio.sleep(0.2)
        fcntl.ioctl(reading, termios.FIONREAD, waiting)


async def until_asked(api: Sandbox) -> None:
    """Wait for the first request."""
    while not api.stats.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def read_all(fd: int) -> bytes:
    """Read a pipe to its end, and close it."""
    with os.fdopen(fd, "rb") as pipe:
        return pipe.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_an_unread_pipe(start: Start, api: Sandbox, number: signal.Signals) -> None:
    """A full, unread pipe does not keep the process, and all lines in it but the last are whole."""
    reading, writing = os.pipe()
    process = await start("fetch", *api.ids(40), stdout=writing)
    os.close(writing)
    await until_full(reading)
    said = await end(process, number)
    *lines, rest = read_all(reading).split(b"\n")
    assert all(line.endswith(b"}") for line in lines)
    assert said.startswith(f"Interrupted.\n{len(lines)} sessions written to standard output")
    with pytest.raises(json.JSONDecodeError):  # it can end with a brace of an inner object
        json.loads(rest.decode(errors="replace"))


async def test_an_unread_session(start: Start, api: Sandbox) -> None:
    """A signal ends `get` while it writes a session that is larger than the pipe."""
    (session_id,) = api.ids(1)
    api.put(api.session(session_id) | {"more": "x" * 1_000_000})
    reading, writing = os.pipe()
    process = await start("get", session_id, stdout=writing)
    os.close(writing)
    await until_full(reading)
    assert await end(process, signal.SIGTERM) == "\nInterrupted.\n"
    os.close(reading)


@pytest.mark.parametrize("command", ["fetch", "get", "wait"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_name_that_never_resolves(
    environment: dict[str, str], command: str, number: signal.Signals
) -> None:
    """A resolver that never answers does not keep the process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NEVER_RESOLVES, command, UNKNOWN),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment | {"RAYDOCS_BASE_URL": "https://api.example"},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"resolving\n"
    assert "Interrupted.\n" in await end(process, number)


async def test_two_signals(start: Start, api: Sandbox) -> None:
    """A second signal that follows at once, as `timeout` sends it, is ignored."""
    api.script(*[Fault.stall()] * 40)
    process = await start("fetch", *api.ids(40), "-o", "out.jsonl")
    await until_asked(api)
    process.send_signal(signal.SIGTERM)
    assert (await end(process, signal.SIGINT)).startswith("Interrupted.\n0 sessions written")


async def test_nohup(start: Start, run: Run, api: Sandbox, tmp_path: Path) -> None:
    """A hangup that the command was started to ignore does not end it."""
    api.script(Fault.latency(1))
    process = await start(
        *("fetch", *api.ids(1), "-o", "out.jsonl"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    await until_asked(api)
    process.send_signal(signal.SIGHUP)
    assert await process.wait() == 0


def test_a_signal_outside_the_loop() -> None:
    """Without a running loop, the first signal raises `KeyboardInterrupt`."""
    with pytest.raises(KeyboardInterrupt):
        SignalHandler()(signal.SIGINT, None)


def test_signals_while_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first signal cancels, further ones are ignored, and one after the grace ends at once."""
    did: list[object] = []
    times = iter([10.0, 10.1, 11.0, 11.1])
    monkeypatch.setattr("raydocs_async.cli._signals.time.monotonic", lambda: next(times))
    monkeypatch.setattr("raydocs_async.cli._signals.os._exit", did.append)
    handler = SignalHandler(cancel=lambda: did.append("cancelled"))
    for _ in range(3):
        handler(signal.SIGINT, None)
    assert did == ["cancelled"]
    handler(signal.SIGINT, None)
    assert did == ["cancelled", 130]
