"""`fetch --wait`: the job stays until the sessions are finished."""

import signal
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start, ids_in_file, records


@pytest.fixture
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """A sandbox whose sessions finish in the parameter's seconds."""
    async with Sandbox(limit=1_000_000, finish_within=getattr(request, "param", 1e6)) as running:
        yield running


COMMAND = ("fetch", "-i", "ids.txt", "-o", "out.jsonl")


@pytest.mark.parametrize("api", [2.0], indirect=True)
@pytest.mark.parametrize("seconds", [[], ["3600"]])
async def test_it_stays_until_all_are_finished(
    run: Run, api: Sandbox, ids_file: Path, out: Path, seconds: list[str]
) -> None:
    """With --wait, each session is in the file once, and finished."""
    done = await run(*COMMAND, "--wait", *seconds)
    assert done.code == 0, done.err
    assert ids_in_file(out) == sorted(api.ids(40))
    assert {each["status"] for each in records(out.read_text())} <= {"completed", "failed"}
    assert "not finished" not in done.err


async def test_what_is_unfinished_at_its_end(run: Run, ids_file: Path, out: Path) -> None:
    """Sessions that are not finished in time are written as they are; the exit code is 75."""
    done = await run(*COMMAND, "--wait", "0.5")
    assert done.code == 75
    assert done.err.startswith("Not done: 40 sessions to fetch again later.\n40 sessions written ")
    assert ", 40 not finished yet.\n" in done.err
    assert done.err.endswith(
        "To continue: raydocs-async fetch -i ids.txt -o out.jsonl --wait 0.5 --resume\n"
    )
    assert len(records(out.read_text())) == 40


async def test_an_interrupted_wait(
    start: Start, run: Run, api: Sandbox, ids_file: Path, out: Path
) -> None:
    """Ctrl-C ends the wait; finished sessions are in the file, and the others are counted."""
    for each in api.ids(39):
        api.put(api.session(each) | {"status": "completed"})
    process = await start(*COMMAND, "--wait", "--log-interval", "0.1", stderr=PIPE)
    assert process.stderr is not None
    while b"40 of 40 sessions, 1 unfinished" not in await process.stderr.readline():
        assert process.returncode is None
    process.send_signal(signal.SIGINT)
    said = (await process.stderr.read()).decode()
    assert await process.wait() == 130
    assert "39 sessions written to out.jsonl in " in said
    assert ", 39 completed, 1 not finished yet.\n" in said
    assert "--wait --log-interval 0.1 --resume\n" in said
    api.put(api.session(api.ids(40)[-1]) | {"status": "completed"})
    assert (await run(*COMMAND, "--resume")).code == 0
    assert ids_in_file(out) == sorted(api.ids(40))


async def test_what_fails_while_it_waits(run: Run, api: Sandbox, out: Path) -> None:
    """A failure while a session is polled is a failure of the session, and no longer unfinished."""
    session_id = api.ids(1)[0]
    api.script_for(session_id, Fault.latency(0), Fault.status(404))
    done = await run("fetch", session_id, "-o", "out.jsonl", "--wait", "5")
    assert done.code == 1
    assert "0 sessions written to out.jsonl in " in done.err
    assert ", 1 failed (" in done.err
    assert "not finished" not in done.err
    assert out.read_bytes() == b""


async def test_values_beside_the_ids_of_unfinished_sessions(
    run: Run, api: Sandbox, tmp_path: Path, out: Path
) -> None:
    """The values of --keep are written for a session that is waited for, too."""
    (tmp_path / "orders.csv").write_text(f"order,session_id\n7,{api.ids(1)[0]}\n")
    table = ("-i", "orders.csv", "--column", "session_id", "--keep", "order")
    await run("fetch", *table, "-o", "out.jsonl", "--wait", "0.2")
    assert [each["_input"] for each in records(out.read_text())] == [{"order": "7"}]


async def test_failed_and_unfinished(run: Run, api: Sandbox, ids_file: Path) -> None:
    """While something is left, the job is to be run again; the run after that tells failures."""
    ids_file.write_text(f"{api.ids(1)[0]}\n{UNKNOWN}")
    done = await run(*COMMAND)
    assert done.code == 75
    assert ", 1 failed" in done.err
    assert "Not done: 1 session to fetch again later.\n" in done.err
    assert done.err.endswith("To continue: raydocs-async fetch -i ids.txt -o out.jsonl --resume\n")


@pytest.mark.parametrize("value", ["770e8400-e29b-41d4-a716-446655440000", "0", "nan", "1e9"])
async def test_the_seconds_of_a_wait(run: Run, value: str) -> None:
    """A value that is not a number of seconds is refused, such as the id behind it."""
    done = await run("fetch", "--wait", value)
    assert done.code == 2
    assert f"{value!r} is not a number of seconds; put ids before --wait" in done.err
