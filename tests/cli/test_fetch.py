"""`fetch`: many sessions into a file, as real processes on real HTTP."""

import asyncio
import json
import os
import random
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._fetch import _close
from raydocs_async.cli._output import JsonLinesFile, OutputError
from raydocs_async.cli._progress import Reporter
from raydocs_async.cli._recorder import Recorder
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import Run, Start
from tests.support.terminal import Terminal

UNKNOWN = "00000000-0000-4000-8000-000000000000"


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


def records(text: str) -> list[dict[str, Any]]:
    """Return the objects in JSON Lines, all of which have their line's end."""
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def ids_in(path: Path) -> list[str]:
    """Return the ids in a file of JSON Lines, in order."""
    return sorted(each["id"] for each in records(path.read_text()))


async def until_written(process: Process, path: Path, size: int) -> None:
    """Wait until a file has more than `size` bytes."""
    while not path.exists() or path.stat().st_size <= size:
        assert process.returncode is None, await process.communicate()
        await asyncio.sleep(0.002)


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
    assert ids_in(out) == sorted(api.ids(40))


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
    """With --quiet, standard error is empty."""
    assert (await run("fetch", "--quiet", UNKNOWN, *api.ids(1))).err == ""


async def test_failures(run: Run, api: Sandbox) -> None:
    """A failed id is reported with its location, other ids are fetched, and the exit code is 1."""
    done = await run("fetch", UNKNOWN, *api.ids(1))
    assert (done.code, len(records(done.out))) == (1, 1)
    assert f"argument 1: session {UNKNOWN}: HTTP 404" in done.err
    assert "or $RAYDOCS_BASE_URL is not right" in done.err
    assert "1 session written to standard output in 1 s, 1 failed.\n" in done.err


async def test_an_invalid_id(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """An invalid id is reported with its line, and the other ids are fetched."""
    ids_file.write_text(f"{api.ids(1)[0]}\n\nnonsense\n")
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert done.code == 1
    assert "ids.txt:3: not a session id: 'nonsense'" in done.err
    assert ids_in(out) == api.ids(1)


async def test_failures_in_a_file(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """With --errors, each failed id is a line with the reason, without the body of the reply."""
    done = await run("fetch", UNKNOWN, "x", *api.ids(1), "--errors", "errors.jsonl")
    assert "2 failed (errors.jsonl has the reasons).\n" in done.err
    assert "404" not in done.err
    unknown, invalid = sorted(
        records((tmp_path / "errors.jsonl").read_text()), key=lambda each: str(each["id"])
    )
    assert unknown["id"] == UNKNOWN
    assert unknown["where"] == "argument 1"
    assert unknown["error"]["type"] == "NotFoundError"
    assert (unknown["error"]["status"], unknown["error"]["attempts"]) == (404, 1)
    assert (invalid["id"], invalid["error"]["type"]) == ("x", "InvalidIdError")


async def test_resume(run: Run, api: Sandbox, ids_file: Path, out: Path, tmp_path: Path) -> None:
    """A resumed job fetches missing and failed ids, and counts the sessions that it had."""
    first = api.ids(40)[0]
    errors = tmp_path / "errors.jsonl"
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl", "-e", "errors.jsonl")
    api.script_for(first, Fault.status(404))
    assert (await run(*command)).code == 1
    assert [each["id"] for each in records(errors.read_text())] == [first]
    done = await run(*command, "--resume")
    assert done.code == 0
    assert ", 39 were there already.\n" in done.err
    assert ids_in(out) == sorted(api.ids(40))
    assert errors.read_text() == ""
    assert api.stats.requests == 41


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


async def test_resuming_with_standard_input(
    run: Run, environment: dict[str, str], api: Sandbox
) -> None:
    """If the ids came from standard input, a message says that they are needed again."""
    done = await run(
        *("fetch", "-", "-o", "out.jsonl"),
        stdin=api.ids(1)[0],
        env=environment | {"RAYDOCS_API_TOKEN": "old"},
    )
    assert done.err.endswith(
        "To continue: raydocs-async fetch - -o out.jsonl --resume\n"
        "The same ids are needed again from standard input.\n"
    )


async def test_a_full_disk(run: Run, ids_file: Path) -> None:
    """A full disk stops the job with a message."""
    done = await run("fetch", "-i", "ids.txt", "-o", "/dev/full")
    assert done.code == 1
    assert "Stopped: /dev/full cannot be written any more: No space left on device.\n" in done.err
    assert "Traceback" not in done.err


async def test_a_disk_that_fills_up(
    start: Start, run: Run, api: Sandbox, ids_file: Path, out: Path
) -> None:
    """The lines that fitted are whole, and the job can be resumed when there is room again."""
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    process = await start(
        *command,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)),
    )
    assert await process.wait() == 1
    assert 20 < len(records(out.read_text())) < 40
    assert (await run(*command, "--resume")).code == 0
    assert ids_in(out) == sorted(api.ids(40))


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
    """An error of reading the input stops the job with a message that names the input."""
    done = await run("fetch", "-i", "/proc/self/mem")
    assert done.code == 1
    assert "Stopped: /proc/self/mem cannot be read: Input/output error" in done.err
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


@pytest.mark.timeout(180)  # it starts 21 processes
async def test_killed_at_any_moment(start: Start, run: Run, api: Sandbox, out: Path) -> None:
    """A job that is killed at 20 random moments and resumed ends with every id exactly once."""
    api.latency = 0.3
    ids = api.ids(1000)
    command = ("fetch", "-", "-o", "out.jsonl", "--resume", "--quiet")
    chance, size = random.Random(), 0
    for _ in range(20):
        process = await start(*command, stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write("\n".join(ids).encode())
        process.stdin.close()
        await until_written(process, out, size + chance.randrange(100_000))
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        size = out.stat().st_size
    api.latency = 0
    assert (await run(*command, stdin="\n".join(ids))).code == 0
    assert Counter(ids_in(out)) == Counter(ids)


async def test_progress_on_a_terminal(
    terminal: Terminal, api: Sandbox, ids_file: Path, out: Path
) -> None:
    """A terminal shows a bar, the counts and the failures, and the cursor is restored."""
    ids_file.write_text("\n".join([*api.ids(40), UNKNOWN]))
    code, screen = await terminal("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert code == 1
    assert "━━━━" in screen
    assert "41 of 41 sessions" in screen
    assert "1 failed" in screen
    assert f"ids.txt:41: session {UNKNOWN}: HTTP 404" in screen
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0


@pytest.mark.parametrize("errors", [[], ["-e", "/dev/stderr"]])
async def test_sessions_on_a_terminal(terminal: Terminal, api: Sandbox, errors: list[str]) -> None:
    """Sessions and errors on a terminal are lines of their own, without a bar."""
    _, screen = await terminal("fetch", *api.ids(20), "x", *errors)
    *lines, summary, end = screen.split("\r\n")
    assert len([each for each in lines if each.startswith("{")]) == 20 + len(errors) // 2
    assert "\x1b" not in screen
    assert (summary[:20], end) == ("20 sessions written ", "")


async def test_no_colour(terminal: Terminal, ids_file: Path) -> None:
    """With NO_COLOR, the output has no colours."""
    _, screen = await terminal("fetch", "-i", "ids.txt", "-o", "out.jsonl", env={"NO_COLOR": "1"})
    assert "\x1b[3" not in screen


async def test_a_dumb_terminal(terminal: Terminal, ids_file: Path) -> None:
    """A terminal that cannot redraw gets plain lines."""
    _, screen = await terminal("fetch", "-i", "ids.txt", "-o", "out.jsonl", env={"TERM": "dumb"})
    assert screen.startswith("40 sessions written to out.jsonl")


async def test_unfinished_sessions(
    run: Run, api: Sandbox, ids_file: Path, out: Path, tmp_path: Path
) -> None:
    """Unfinished sessions are written, counted, reported by code 75, and fetched again."""
    pending, processing, failed = api.ids(3)
    for each, status in ((pending, "pending"), (processing, "processing"), (failed, "failed")):
        api.put(api.session(each) | {"status": status})
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    done = await run(*command)
    assert done.code == 75
    assert done.err.startswith("Not done: 2 sessions to fetch again later.\n")
    assert ", 1 with status failed, 2 not finished yet.\n" in done.err
    assert done.err.endswith("To continue: raydocs-async fetch -i ids.txt -o out.jsonl --resume\n")
    assert ids_in(out) == sorted(api.ids(40))
    for each in (pending, processing):
        api.put(api.session(each) | {"status": "completed"})
    ids_file.write_text(pending)  # the other one is fetched again all the same
    done = await run(*command, "--resume")
    assert done.code == 0
    assert "out.jsonl: sessions to fetch again, because they were not finished: 2.\n" in done.err
    assert ", 38 were there already.\n" in done.err
    assert ids_in(out) == sorted(api.ids(40))
    assert api.stats.requests == 42


async def test_temporary_failures(run: Run, api: Sandbox) -> None:
    """Temporary failures alone give code 75; an unknown id gives code 1."""
    first, second = api.ids(2)
    # Longer than a call waits, so that the command does not wait either.
    api.script_for(second, *[Fault.status(503, retry_after=300)] * 2)
    done = await run("fetch", first, second)
    assert done.code == 75
    assert done.err.startswith("argument 2: session ")
    assert "Not done: 1 session to fetch again later.\n" in done.err
    assert (await run("fetch", first, UNKNOWN)).code == 1


async def test_an_unreadable_reply(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """A reply that does not fit the models is kept in the errors file alone."""
    first, second = api.ids(2)
    odd = api.session(first) | {"name": 3, "deep": json.loads("[" * 300 + "]" * 300)}
    api.put(odd)
    api.script_for(second, Fault.body(b'{"id":\n"\xff"'))
    command = ("fetch", "-o", "out.jsonl", "-e", "errors.jsonl", first, second)
    done = await run(*command)
    assert done.code == 1
    assert "deep" not in done.out + done.err
    kept = {each["id"]: each for each in records((tmp_path / "errors.jsonl").read_text())}
    assert kept[first]["payload"] == odd
    assert kept[first]["payload_size"] > 1000
    assert kept[second]["payload"] == '{"id":\n"\\xff"'
    assert (await run(*command, "--resume")).code == 1


async def test_shard_and_resume(run: Run, api: Sandbox, ids_file: Path, out: Path) -> None:
    """A file can only be resumed by the shard that it was begun with."""
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl")
    assert (await run(*command, "--shard", "1/3")).code == 0
    content = out.read_bytes()
    for other, named in ((("--shard", "2/3"), "with --shard 2/3"), ((), "without --shard")):
        done = await run(*command, *other, "--resume")
        assert done.code == 2
        assert f"out.jsonl was begun with --shard 1/3; continuing it {named} would" in done.err
    assert out.read_bytes() == content
    assert (await run(*command, "--shard", "1/3", "--resume")).code == 0
    assert out.read_bytes() == content


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


async def test_resuming_a_pipe(
    run: Run, api: Sandbox, environment: dict[str, str], tmp_path: Path
) -> None:
    """A pipe keeps no sessions, so --resume is refused, and no message recommends it."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    done = await run("fetch", *api.ids(1), "-o", "pipe", "--resume")
    assert (done.code, "pipe is not a regular file" in done.err) == (2, True)
    wrong = environment | {"RAYDOCS_API_TOKEN": "old"}
    done = await run("fetch", *api.ids(1), "-o", "pipe", env=wrong)
    os.close(reading)
    assert (done.code, "To continue" in done.err) == (4, False)


async def test_an_unfinished_session_that_cannot_be_dropped(
    run: Run, api: Sandbox, out: Path, tmp_path: Path
) -> None:
    """If the file cannot be rewritten, it is unchanged, and no request is sent."""
    (pending,) = api.ids(1)
    api.put(api.session(pending) | {"status": "pending"})
    assert (await run("fetch", *api.ids(3), "-o", "out.jsonl")).code == 75
    (tmp_path / "errors.jsonl").touch()
    out.with_name("second").hardlink_to(out)
    content = out.read_bytes()
    done = await run("fetch", *api.ids(3), "-o", "out.jsonl", "-e", "errors.jsonl", "--resume")
    assert done.code == 2
    assert "hard links" in done.err
    assert out.read_bytes() == content
