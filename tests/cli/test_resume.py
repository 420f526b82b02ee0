"""Resumed jobs, and the command that continues an interrupted one."""

import asyncio
import io
import os
import random
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from raydocs_async.cli._commands.fetch import fetch
from raydocs_async.cli._resume import describe_resumption
from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start, ids_in_file, records, until_written


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch", "-o", "my out's.jsonl", "--", "-"],
        ["fetch", "-o", "--resume", "a"],
        ["fetch", "--", "--resume"],
        ["fetch", os.fsdecode(b"caf\xe9\\'\n\x1b1"), "-o", "x$y"],
        ["fetch", "ünï", "-o", "x"],
        ["fetch", "-o", "x", "a", "--"],
    ],
)
def test_pasting_the_command(arguments: list[str]) -> None:
    """A shell reads the line as the same command, with --resume as an option."""
    (line,) = describe_resumption(arguments, [], resume=False).lines
    assert line.isprintable()
    printing = f"printf '%s\\0' {line.removeprefix('To continue: raydocs-async ')}"
    done = subprocess.run(["bash", "-c", printing], capture_output=True, check=True)
    pasted = [os.fsdecode(each) for each in done.stdout.split(b"\0")[:-1]]
    assert sorted(pasted) == sorted([*arguments, "--resume"])
    context = fetch.make_context("fetch", pasted[1:], resilient_parsing=True)
    assert context.params["resume"]
    assert (
        context.params["ids"]
        == fetch.make_context("fetch", arguments[1:], resilient_parsing=True).params["ids"]
    )


def test_arguments_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that standard error cannot show are escaped, so that the line can be pasted."""
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert describe_resumption(["fetch", "ü"], [], resume=False).lines == [
        r"To continue: raydocs-async fetch $'\303\274' --resume"
    ]


def test_resuming_a_resumed_job() -> None:
    """A command with --resume stays the same."""
    assert describe_resumption(["fetch", "--resume", "--", "a"], [], resume=True).lines == [
        "To continue: raydocs-async fetch --resume -- a"
    ]


async def test_resume(run: Run, api: Sandbox, ids_file: Path, out: Path, tmp_path: Path) -> None:
    """A resumed job tries failed ids again if it is asked to, and counts what it had."""
    first = api.ids(40)[0]
    errors = tmp_path / "errors.jsonl"
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl", "-e", "errors.jsonl")
    api.script_for(first, Fault.status(404))
    assert (await run(*command)).code == 1
    assert [each["id"] for each in records(errors.read_text())] == [first]
    done = await run(*command, "--resume", "--retry-failed")
    assert done.code == 0
    assert ", 39 were there already.\n" in done.err
    assert ids_in_file(out) == sorted(api.ids(40))
    assert errors.read_text() == ""
    assert api.stats.requests == 41


async def test_failures_that_are_kept(
    run: Run, api: Sandbox, ids_file: Path, out: Path, tmp_path: Path
) -> None:
    """An id that failed permanently is not asked for again, and stays in the errors file."""
    first, second = api.ids(2)
    errors = tmp_path / "errors.jsonl"
    ids_file.write_text(f"{first}\n{second}\nnot-an-id\n{UNKNOWN.upper()}\n")
    api.script_for(second, *[Fault.status(503, retry_after=300)] * 2)
    command = ("fetch", "-i", "ids.txt", "-o", "out.jsonl", "-e", "errors.jsonl")
    assert (await run(*command)).code == 75
    assert {each["id"]: each["is_permanent"] for each in records(errors.read_text())} == {
        second: False,
        "not-an-id": True,
        UNKNOWN.upper(): True,
    }
    api.clear_script()
    before = api.stats.requests
    done = await run(*command, "--resume")
    assert (done.code, api.stats.requests - before) == (1, 1)
    assert "errors.jsonl: ids to try again, because their failures were temporary: 1.\n" in done.err
    assert "1 were there already, 2 failed earlier (errors.jsonl has the reasons).\n" in done.err
    kept = [each["id"] for each in records(errors.read_text())]
    assert sorted(kept) == sorted(["not-an-id", UNKNOWN.upper()])
    assert ids_in_file(out) == sorted([first, second])
    done = await run(*command, "--resume")
    assert (done.code, api.stats.requests - before) == (1, 1)


async def test_an_errors_file_without_the_mark(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """A failure that does not say that it is permanent is tried again."""
    (session_id,) = api.ids(1)
    (tmp_path / "e.jsonl").write_text(f'{{"id":"{session_id}","where":"x","error":{{}}}}\n')
    done = await run("fetch", session_id, "-o", "out.jsonl", "-e", "e.jsonl", "--resume")
    assert (done.code, (tmp_path / "e.jsonl").read_text()) == (0, "")


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
    assert ids_in_file(out) == sorted(api.ids(40))


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
    assert Counter(ids_in_file(out)) == Counter(ids)


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


KEEP = ("--column", "id", "--keep", "n,the customer")
NAMED = "with --keep 'n,the customer'"
CHANGES = {
    "none": (KEEP, KEEP[:2], NAMED, "without --keep"),
    "fewer": (KEEP, (*KEEP[:3], "n"), NAMED, "with --keep n"),
    "more": (KEEP[:2], KEEP, "without --keep", NAMED),
}
"""The options of the first run and of the second one, and both in words."""


@pytest.mark.parametrize("change", CHANGES)
async def test_keep_and_resume(
    run: Run, api: Sandbox, out: Path, tmp_path: Path, change: str
) -> None:
    """A file can only be resumed with the columns that it was begun with, in any order."""
    begun, now, was, wanted = CHANGES[change]
    first, second = api.ids(2)
    (tmp_path / "orders.csv").write_text(f"id,n,the customer\n{first},1,A\n{second},2,B\n")
    command = ("fetch", "-i", "orders.csv", "-o", "out.jsonl", "-e", "errors.jsonl")
    assert (await run(*command, *begun)).code == 0
    content, before = out.read_bytes(), api.stats.requests
    done = await run(*command, *now, "--resume")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: out.jsonl was begun {was}; continuing it {wanted} would mix lines of different "
        f"columns. Continue it {was}, or write to another file\n"
    )
    assert (out.read_bytes(), api.stats.requests) == (content, before)
    again = tuple(each.replace("n,the customer", "the customer, n") for each in begun)
    assert (await run(*command, *again, "--resume")).code == 0


async def test_keep_and_the_errors_file(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """Failures of other columns are refused, too, unless the errors file begins anew."""
    (tmp_path / "orders.csv").write_text(f"id,n\n{UNKNOWN},1\n1,2,3\n")
    errors = tmp_path / "errors.jsonl"
    options = ("-i", "orders.csv", "--column", "id", "-o", "out.jsonl", "-e", "errors.jsonl")
    assert (await run("fetch", *options, "--keep", "n")).code == 1
    content = errors.read_bytes()
    assert (await run("fetch", *options, "--keep", "n", "--resume")).code == 1
    done = await run("fetch", *options, "--resume")
    assert done.code == 2
    assert "errors.jsonl was begun with --keep n; continuing it without --keep would" in done.err
    assert errors.read_bytes() == content
    assert (await run("fetch", *options, "--resume", "--retry-failed")).code == 1
    assert [each.get("_input") for each in records(errors.read_text())] == [None, None]


async def test_keep_and_ids_among_the_arguments(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """Lines without columns are those of ids among the arguments, in a file that can have them."""
    first, second, third = api.ids(3)
    (tmp_path / "orders.csv").write_text(f"id,n\n{second},2\n")
    assert (await run("fetch", first, "-o", "out.jsonl")).code == 0
    command = ("-i", "orders.csv", "--column", "id", "--keep", "n", "-o", "out.jsonl", "--resume")
    assert (await run("fetch", *command)).code == 2
    assert (await run("fetch", first, *command)).code == 0
    assert (await run("fetch", third, *command)).code == 0
    assert ids_in_file(tmp_path / "out.jsonl") == sorted([first, second, third])


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
