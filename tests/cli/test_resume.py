"""The command that continues an interrupted job."""

import io
import os
import subprocess
import sys

import pytest

from raydocs_async.cli._commands.fetch import fetch
from raydocs_async.cli._resume import describe_resumption


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
    (line,) = describe_resumption(arguments, [], resume=False)
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
    assert describe_resumption(["fetch", "ü"], [], resume=False) == [
        r"To continue: raydocs-async fetch $'\303\274' --resume"
    ]


def test_resuming_a_resumed_job() -> None:
    """A command with --resume stays the same."""
    assert describe_resumption(["fetch", "--resume", "--", "a"], [], resume=True) == [
        "To continue: raydocs-async fetch --resume -- a"
    ]
