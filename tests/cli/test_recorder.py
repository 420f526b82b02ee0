"""The record of a bulk job: its files, counts and exit codes."""

import json
from pathlib import Path

from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, ids_in_file, records


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


async def test_a_hint_is_shown_once(run: Run, api: Sandbox) -> None:
    """The hint of an error is one line before the summary, however many ids have that error."""
    hint = "There is none, or this token may not see it, or $RAYDOCS_BASE_URL is not right"
    others = [f"{UNKNOWN[:-1]}{digit}" for digit in "123"]
    done = await run("fetch", UNKNOWN, *others, "x", *api.ids(1))
    *failures, shown, _ = done.err.splitlines()
    assert shown == f"HTTP 404: {hint}."
    assert len(failures) == 5
    assert not [each for each in failures if hint in each]
    assert hint not in (await run("fetch", UNKNOWN, "--quiet")).err


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
    assert ids_in_file(out) == sorted(api.ids(40))
    for each in (pending, processing):
        api.put(api.session(each) | {"status": "completed"})
    ids_file.write_text(pending)  # the other one is fetched again all the same
    done = await run(*command, "--resume")
    assert done.code == 0
    assert "out.jsonl: sessions to fetch again, because they were not finished: 2.\n" in done.err
    assert ", 38 were there already.\n" in done.err
    assert ids_in_file(out) == sorted(api.ids(40))
    assert api.stats.requests == 42


async def test_temporary_failures(run: Run, api: Sandbox) -> None:
    """Temporary failures alone give code 75; an unknown id gives code 1."""
    first, second = api.ids(2)
    # Longer than a call waits, so that the command does not wait either.
    api.script_for(second, *[Fault.status(503, retry_after=300)] * 2)
    done = await run("fetch", first, second)
    assert done.code == 75
    assert "Z argument 2: session " in done.err
    assert "Not done: 1 session to fetch again later.\n" in done.err
    assert ", 1 not fetched (--errors FILE keeps the reasons).\n" in done.err
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
