"""`fetch`: many sessions into a file, as real processes on real HTTP."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import cast

import pytest

from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._job import _close
from raydocs_async.cli._output import JsonLinesFile, OutputError
from raydocs_async.cli._progress import Reporter
from raydocs_async.cli._recorder import Recorder
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start, ids_in_file, records, until_written
from tests.support.terminal import Terminal


async def test_arguments_to_standard_output(run: Run, api: Sandbox) -> None:
    """Sessions go to standard output as JSON Lines, and the summary to standard error."""
    done = await run("fetch", *api.ids(3))
    assert done.code == 0
    assert sorted(each["id"] for each in records(done.out)) == sorted(api.ids(3))
    assert done.err.startswith("3 sessions written to standard output in ")


async def test_a_file_to_a_file(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """Ids from a file are fetched into a file, each once."""
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert (done.code, done.out) == (0, "")
    assert ids_in_file(out) == sorted(api.ids(40))


@pytest.mark.parametrize("arguments", [["-"], ["-i", "-"]])
async def test_standard_input(run: Run, api: Sandbox, arguments: list[str]) -> None:
    """A dash, as an argument or as a file name, reads ids from standard input."""
    done = await run("fetch", *arguments, stdin="\n".join(api.ids(3)))
    assert sorted(each["id"] for each in records(done.out)) == sorted(api.ids(3))


async def test_sessions_before_the_input_ends(start: Start, api: Sandbox) -> None:
    """A session is written before the input has ended."""
    process = await start("fetch", "-", stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for session_id in api.ids(2):
        process.stdin.write(f"{session_id}\n".encode())
        assert json.loads(await process.stdout.readline())["id"] == session_id
    process.stdin.close()
    assert await process.wait() == 0


async def test_typed_ids(terminal: Terminal, api: Sandbox) -> None:
    """On a terminal, a message says that ids are read from it, and how to end the input."""
    code, screen = await terminal("fetch", "-", "-o", "out.jsonl", typed=f"{api.ids(1)[0]}\n\x04")
    assert code == 0
    assert "Reading ids from the terminal; end with Ctrl-D.\r\n" in screen
    assert "1 session written to out.jsonl" in screen


async def test_no_ids(run: Run, ids_file: Path) -> None:
    """An input without ids is a success with a message."""
    ids_file.write_text("# none\n")
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert done.code == 0
    assert done.err.startswith("There were no ids to fetch.\n0 sessions written to out.jsonl")
    assert "To continue" not in done.err


async def test_a_file_as_an_id(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """A file name in the place of an id is refused before any request."""
    done = await run("fetch", *api.ids(1), "ids.txt", "-o", "out.jsonl")
    assert (done.code, done.err) == (2, "Error: ids.txt is a file: give it with -i\n")
    assert not out.exists()
    assert api.stats.requests == 0


async def test_quiet(run: Run, api: Sandbox) -> None:
    """With --quiet, there is only the summary."""
    done = await run("fetch", "--quiet", UNKNOWN, *api.ids(1))
    assert done.err.count("\n") == 1
    assert done.err.startswith("1 session written to standard output in ")


async def test_failures(run: Run, api: Sandbox) -> None:
    """A failed id is reported with its location, other ids are fetched, and the exit code is 1."""
    done = await run("fetch", UNKNOWN, *api.ids(1))
    assert (done.code, len(records(done.out))) == (1, 1)
    assert f"argument 1: session {UNKNOWN}: HTTP 404" in done.err
    assert "or $RAYDOCS_BASE_URL is not right" in done.err
    assert (
        "1 session written to standard output in 1 s, 1 failed (--errors FILE keeps the reasons).\n"
        in done.err
    )


async def test_an_invalid_id(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """An invalid id is reported with its line, and the other ids are fetched."""
    ids_file.write_text(f"{api.ids(1)[0]}\n\nnonsense\n")
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert done.code == 1
    assert "ids.txt:3: not a session id: 'nonsense'" in done.err
    assert ids_in_file(out) == api.ids(1)


async def test_an_existing_file(run: Run, ids_file: Path, out: Path, api: Sandbox) -> None:
    """Without --resume, an output with content is refused before any request."""
    out.write_text("mine\n")
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert done.code == 2
    assert "out.jsonl exists already" in done.err
    assert (out.read_text(), api.stats.requests) == ("mine\n", 0)


@pytest.mark.parametrize("errors", ["old.jsonl", "missing/e.jsonl"])
@pytest.mark.parametrize("there", [True, False])
async def test_an_errors_file_that_is_refused(
    run: Run, api: Sandbox, out: Path, tmp_path: Path, errors: str, *, there: bool
) -> None:
    """If the errors file is refused, a new output file is removed, and an old one stays."""
    (tmp_path / "old.jsonl").write_text("mine\n")
    if there:
        out.touch()
    done = await run("fetch", *api.ids(1), "-o", "out.jsonl", "-e", errors)
    assert done.code == 2
    assert errors in done.err
    assert out.exists() == there
    assert api.stats.requests == 0


async def test_shards(run: Run, api: Sandbox, ids_file: Path) -> None:
    """Three machines with a shard each fetch every id once."""
    done = [await run("fetch", "-i", "ids.txt", "--shard", f"{n}/3") for n in (1, 2, 3)]
    found = [each["id"] for one in done for each in records(one.out)]
    assert sorted(found) == sorted(api.ids(40))


async def test_a_rejected_token(
    run: Run, environment: dict[str, str], ids_file: Path, out: Path
) -> None:
    """A rejected token stops the job at once, with an exit code of its own."""
    done = await run(
        "fetch", "-i", "ids.txt", "-o", "out.jsonl", env=environment | {"RAYDOCS_API_TOKEN": "old"}
    )
    assert done.code == 4
    assert "Stopped: session " in done.err
    assert "To continue: raydocs-async fetch -i ids.txt -o out.jsonl --resume\n" in done.err
    assert out.read_text() == ""


async def test_an_outage_ends_it(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """A service that stays down stops the job with code 75."""
    api.script(*[Fault.status(503)] * 10_000)
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--max-wait", "0.1")
    assert done.code == 75
    assert "Stopped: session " in done.err
    assert " HTTP 503" in done.err


async def test_a_shared_limit(run: Run, ids_file: Path, out: Path, tmp_path: Path) -> None:
    """The job shares its limit by the file that the option or the environment names."""
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--shared-limit", "limit")
    assert done.code == 0
    assert (tmp_path / "limit").read_bytes().startswith(b"raydocs limit ")


async def test_a_shared_limit_that_cannot_be_used(run: Run, ids_file: Path) -> None:
    """The job goes on by the server's headers alone, and says so once."""
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--shared-limit", "missing/limit")
    assert done.code == 0
    assert done.err.count("by the server's headers alone") == 1


async def test_a_full_disk(run: Run, ids_file: Path) -> None:
    """A full disk stops the job with a message."""
    done = await run("fetch", "-i", "ids.txt", "-o", "/dev/full")
    assert done.code == 1
    assert "Stopped: /dev/full cannot be written any more: No space left on device.\n" in done.err
    assert "Traceback" not in done.err


async def test_a_closed_pipe(start: Start, ids_file: Path) -> None:
    """A reader that stops early (`| head -1`) ends the job without a traceback."""
    process = await start("fetch", "-i", "ids.txt")
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    process.stdout._transport.close()  # type: ignore[attr-defined]
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert "Stopped: standard output cannot be written any more: Broken pipe.\n" in said
    assert "Traceback" not in said


async def test_input_that_cannot_be_read(run: Run) -> None:
    """A file that cannot be read is refused at the start, with the system's reason."""
    done = await run("fetch", "-i", "/proc/self/mem")
    assert done == (2, "", "Error: /proc/self/mem cannot be read: Input/output error\n")


async def test_input_that_cannot_be_read_to_its_end(run: Run) -> None:
    """An error of reading a pipe stops the job with a message that names the input."""
    done = await run("fetch", "-", stdin="order,session_id\n")
    assert done.code == 1
    assert "Stopped: standard input is a table: name the column of the ids with --" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted(
    start: Start, api: Sandbox, ids_file: Path, out: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end the job at once, between lines, with code 130 and a way to resume."""
    api.script(*[Fault.latency(0)] * 20, *[Fault.stall()] * 100)
    process = await start("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert process.stderr is not None
    await until_written(process, out, 0)
    async with asyncio.timeout(10):  # long for a busy machine, and short for a stall
        process.send_signal(number)
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 130
    assert said.startswith("Interrupted.\n")
    assert said.endswith("To continue: raydocs-async fetch -i ids.txt -o out.jsonl --resume\n")
    assert records(out.read_text())


async def test_sigterm_in_the_background(start: Start, api: Sandbox, out: Path) -> None:
    """SIGTERM ends a job that ignores Ctrl-C, as one that a script starts with `&`."""
    api.script(Fault.latency(0), Fault.stall())
    process = await start(
        "fetch",
        *api.ids(2),
        "-o",
        "out.jsonl",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    await until_written(process, out, 0)
    process.send_signal(signal.SIGINT)
    process.terminate()
    assert await process.wait() == 130
    assert len(records(out.read_text())) == 1


async def test_ctrl_c_while_input_is_awaited(start: Start, api: Sandbox) -> None:
    """Ctrl-C does not wait for a silent pipe."""
    process = await start("fetch", "-", stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{api.ids(1)[0]}\n".encode())
    await process.stdout.readline()
    async with asyncio.timeout(1):
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130


async def test_compressed(start: Start, run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """A compressed file of a killed and resumed job has every id once, for any reader."""
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl.gz")
    api.script(*[Fault.latency(0)] * 20, *[Fault.stall()] * 100)
    process = await start(*command)
    packed = out.with_name("out.jsonl.gz")
    await until_written(process, packed, 3000)
    process.kill()
    await process.wait()
    api.clear_script()
    packed.write_bytes(packed.read_bytes()[:-5])
    assert (await run(*command, "--resume")).code == 0
    unpacking = await asyncio.create_subprocess_exec("gzip", "-dc", packed, stdout=PIPE)
    unpacked, _ = await unpacking.communicate()
    assert unpacking.returncode == 0
    assert sorted(each["id"] for each in records(unpacked.decode())) == sorted(api.ids(40))


async def test_a_failing_disk(environment: dict[str, str], ids_file: Path) -> None:
    """If data may not be on the disk, the job ends with a message, the summary and code 1."""
    code = (
        "import os, raydocs_async.cli as cli\n"
        "def fail(*_): raise OSError(5, os.strerror(5))\n"
        "os.fsync = fail; cli.main()"
    )
    arguments = ("fetch", "-i", ids_file, "-o", ids_file.with_name("o.jsonl"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *arguments, stderr=PIPE, env=environment
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"o.jsonl may not be complete: Input/output error.\n40 sessions written to" in said


async def test_a_deleted_output(start: Start, api: Sandbox, ids_file: Path, out: Path) -> None:
    """A file that is deleted while the job runs stops it, with one message."""
    api.latency = 0.05
    process = await start("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--rate-limit", "1/1")
    await until_written(process, out, 0)
    out.unlink()
    _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().count("out.jsonl was moved or deleted by another process.") == 1


def test_closing_both() -> None:
    """An error of the first file does not leave the second one open, and is reported once."""
    closed = []

    class Broken:
        def close(self) -> None:
            closed.append(self)
            raise OutputError("out.jsonl may not be complete")

    recorder = Recorder(cast(JsonLinesFile, Broken()), cast(JsonLinesFile, Broken()), Reporter())
    assert _close(recorder, ExitCode.INTERRUPTED, "Interrupted") == (
        ExitCode.FAILED,
        "Interrupted. out.jsonl may not be complete",
    )
    assert len(closed) == 2
    reason = "Stopped: out.jsonl may not be complete"
    assert _close(recorder, ExitCode.FAILED, reason) == (ExitCode.FAILED, reason)


async def test_one_file_for_both(run: Run, api: Sandbox, out: Path) -> None:
    """Sessions and errors need a file each, also if standard output leads to a file."""
    with out.open("wb") as file:
        done = await run("fetch", *api.ids(1), "-e", "out.jsonl", stdout=file)
    assert done.code == 2
    assert "sessions and errors need separate files" in done.err
    assert out.read_bytes() == b""


@pytest.mark.parametrize("stdin", [False, True], ids=["a file", "standard input"])
@pytest.mark.parametrize("files", [("e", "o"), ("o", "e")], ids=["errors", "output"])
async def test_ids_from_a_file_that_is_written(
    start: Start, tmp_path: Path, files: tuple[str, str], *, stdin: bool
) -> None:
    """Ids are not read from the errors file, which is emptied, nor from the output."""
    ids, other = tmp_path / files[0], tmp_path / files[1]
    ids.write_text('{"id":"x","error":{}}\n')
    options = ["-e", "e", "-o", "o", "--resume", "-i"]
    with ids.open() as file:
        process = await start("fetch", *options, "-" if stdin else str(ids), stdin=file)
    _, messages = await process.communicate()
    assert (process.returncode, ids.stat().st_size > 0, other.exists()) == (2, True, False)
    assert b"the ids would be read from a file that this command writes" in messages
