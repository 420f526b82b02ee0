"""The summary of a bulk job as a file, and the lines of a job as JSON."""

import json
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from raydocs_async.cli._report._run import pieces
from raydocs_async.cli._summary import read_summary
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start, records, until_written

COMMAND = ("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--summary", "summary.json")


async def test_the_file(run: Run, api: Sandbox, ids_file: Path, tmp_path: Path) -> None:
    """The file counts sessions, failures and requests, and has the command that continues."""
    first, second, third = api.ids(3)
    api.put(api.session(first) | {"status": "pending"})
    api.put(api.session(second) | {"status": "failed"})
    api.script_for(third, Fault.status(503))
    ids_file.write_text("\n".join([*api.ids(40), UNKNOWN, "x"]))
    done = await run(*COMMAND)
    found = json.loads((tmp_path / "summary.json").read_text())
    latency, timeline = found.pop("latency"), found.pop("timeline")
    assert found.pop("started").endswith("Z")
    assert found.pop("seconds") > 0
    assert found.pop("windows") <= 1
    assert found == {
        "exit_code": done.code,
        "sessions": {"pending": 1, "failed": 1, "completed": 38},
        "failures": {"NotFoundError": 1, "InvalidIdError": 1},
        "unfinished": 1,
        "left": 1,
        "requests": 42,
        "rate_limited": 0,
        "retries": 1,
        "resume": " ".join(("raydocs-async", *COMMAND, "--resume")),
    }
    assert 0 < latency["p50"] <= latency["p95"] <= latency["max"]
    assert sum(timeline["requests"]) == 42
    assert timeline["seconds_per_bucket"] == 1.0
    assert sum(timeline["rate_limited"]) == 0


async def test_a_resumed_job(run: Run, api: Sandbox, ids_file: Path, tmp_path: Path) -> None:
    """The counts include what earlier runs left in the files; an earlier summary is replaced."""
    ids_file.write_text("\n".join([*api.ids(3), UNKNOWN]))
    command = (*COMMAND, "-e", "errors.jsonl")
    await run(*command)
    before = api.stats.requests
    again = await run(*command, "--resume", "--quiet")
    assert (again.code, again.out) == (1, "")
    assert again.err.endswith(", 1 failed earlier (errors.jsonl has the reasons).\n")
    assert api.stats.requests == before
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["sessions"] == {"completed": 3}
    assert found["failures"] == {"NotFoundError": 1}
    assert (found["exit_code"], found["left"], found["requests"]) == (1, 0, 0)
    assert found["resume"] is None
    assert found["latency"] == {"p50": None, "p95": None, "max": None}


async def test_an_interrupted_job(
    start: Start, api: Sandbox, ids_file: Path, out: Path, tmp_path: Path
) -> None:
    """Ids that were not tried are left, and the file is there."""
    api.script(*[Fault.latency(0)] * 20, *[Fault.stall()] * 100)
    process = await start(*COMMAND)
    await until_written(process, out, 0)
    process.send_signal(signal.SIGINT)
    await process.communicate()
    found = json.loads((tmp_path / "summary.json").read_text())
    assert found["exit_code"] == 130
    assert found["left"] == 40 - len(records(out.read_text()))
    assert found["resume"].endswith(" --resume")


async def test_input_of_unknown_length(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """If a job is stopped before the end of a pipe, it is unknown what is left."""
    api.script(Fault.status(403))
    await run("fetch", "-", "--summary", "summary.json", stdin=api.ids(1)[0])
    content = (tmp_path / "summary.json").read_bytes()
    summary = read_summary(content, "summary.json")
    assert summary.left is None
    assert "unknown" in "".join(pieces(summary).values())


async def test_a_file_of_something_else(
    run: Run, api: Sandbox, ids_file: Path, tmp_path: Path
) -> None:
    """A file that holds anything but a summary is not replaced."""
    (tmp_path / "orders.csv").write_text("order;session_id\n")
    done = await run(*COMMAND[:-1], "orders.csv")
    assert (done.code, api.stats.requests) == (2, 0)
    assert "orders.csv is not a summary: " in done.err
    assert (tmp_path / "orders.csv").read_text() == "order;session_id\n"


async def test_an_empty_file(run: Run, ids_file: Path, tmp_path: Path) -> None:
    """A file that was made beforehand, and is empty, is replaced."""
    (tmp_path / "summary.json").touch()
    assert (await run(*COMMAND)).code == 0
    assert json.loads((tmp_path / "summary.json").read_text())["exit_code"] == 0


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("out.jsonl", "the summary needs a file of its own"),
        ("ids.txt", "the summary needs a file of its own"),
        (".", "is a folder; name a file in it"),
        ("missing/a.json", "there is no such folder"),
    ],
)
async def test_a_path_that_cannot_work(
    run: Run, api: Sandbox, ids_file: Path, path: str, reason: str
) -> None:
    """A path that cannot work is refused before any request."""
    before = ids_file.read_text()
    done = await run("fetch", "-i", "ids.txt", "-o", "out.jsonl", "--summary", path)
    assert done.code == 2
    assert reason in done.err
    assert (ids_file.read_text(), api.stats.requests) == (before, 0)


async def test_a_summary_that_cannot_be_saved(start: Start, api: Sandbox, tmp_path: Path) -> None:
    """The job ends with code 1 and a message, and the sessions are there."""
    (tmp_path / "folder").mkdir()
    process = await start("fetch", "-", *COMMAND[3:-1], "folder/a.json", stdin=PIPE)
    assert process.stdin is not None
    process.stdin.write(f"{api.ids(1)[0]}\n".encode())
    await until_written(process, tmp_path / "out.jsonl", 0)
    (tmp_path / "folder").rmdir()
    process.stdin.close()
    assert process.stderr is not None
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 1
    assert "folder/a.json: there is no such folder; make it first.\n" in said
    assert "1 session written to out.jsonl" in said


async def test_lines_of_json(run: Run, api: Sandbox) -> None:
    """With --log-format json, each line is an object, also those of a failure and the summary."""
    arguments = ("--log-format", "json", "-o", "out.jsonl")
    done = await run("fetch", UNKNOWN, *api.ids(1), *arguments)
    lines = records(done.err)
    assert [each["event"] for each in lines] == ["failure", "message", "summary"]
    assert lines[0]["id"] == UNKNOWN
    assert lines[-1]["sessions"] == {"completed": 1}


async def test_verbose(run: Run, api: Sandbox) -> None:
    """With -v, each failed attempt and each retry is a line."""
    session_id = api.ids(1)[0]
    api.script_for(session_id, Fault.status(503))
    done = await run("fetch", "-v", session_id)
    assert f"Z session {session_id}: attempt 1: HTTP 503" in done.err
    assert f"Z session {session_id}: next attempt in " in done.err


async def test_an_outage_in_the_log(run: Run, api: Sandbox, ids_file: Path) -> None:
    """The log says what the service answers, and when the job tries again and gives up."""
    api.script(*[Fault.status(503)] * 10_000)
    done = await run(*COMMAND, "--max-wait", "3", "--log-interval", "0.2")
    assert done.code == 75
    assert "; the service answers 503, next try in " in done.err
    assert ", giving up in " in done.err
