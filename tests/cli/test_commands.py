"""The group of commands: help, invalid usage, and missing packages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import raydocs_async.cli
from raydocs_async.cli import _commands, _lazy
from raydocs_async.cli._commands import command_line
from raydocs_async.cli._commands.sandbox import demo
from tests.cli.conftest import Run

COMMANDS = list(command_line.commands)


@pytest.mark.parametrize("arguments", [["--help"], *([each, "--help"] for each in COMMANDS)])
def test_help_is_fast(arguments: list[str]) -> None:
    """Help, of any command, imports no module that takes long."""
    code = (
        "import sys; from raydocs_async.cli._commands import execute; code = execute();"
        "slow = {'aiohttp', 'asyncio', 'attrs', 'msgspec', 'portalocker', 'rich', 'duckdb'};"
        "print(sorted(slow & sys.modules.keys()), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: ")
    assert done.stdout.endswith("\n[] 0\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["fetsh"], "No such command 'fetsh'"),
        (["get"], "Missing argument 'ID'"),
        (["fetch"], "no ids: give them as arguments"),
        (["fetch", "-", "--token-file", "-"], "can supply the token or the ids, but not both"),
        (
            ["fetch", "-i", "-", "--token-file", "-"],
            "can supply the token or the ids, but not both",
        ),
        (["fetch", "a", "--resume"], "--resume needs a file"),
        (["fetch", "a", "-o", "x", "-e", "./x"], "separate files"),
        (["fetch", "a", "--column", "id"], "--column needs a table of ids: give it with -i"),
        (["fetch", "a", "--retry-failed", "-o", "x", "-e", "y"], "needs --resume and --errors"),
        (["fetch", "a", "--retry-failed", "--resume", "-o", "x"], "needs --resume and --errors"),
        (["fetch", "-", "--keep", "x"], "--keep needs --column, which names the column of the"),
        (["fetch", "a", "--shard", "0/3"], "'0/3' is not one of 1/N, 2/N"),
        (["fetch", "a", "--shard", "3"], "'3' is not one of 1/N, 2/N"),
        (["fetch", "a", "--rate-limit", "100"], "'100' is not of the form 100/60"),
        (["fetch", "a", "--rate-limit", "0/60"], "'0/60' is not of the form 100/60"),
        (["get", "a", "--rate-limit", "100/0"], "'100/0' is not of the form 100/60, with both"),
        (["fetch", "-i", "missing.txt"], "missing.txt cannot be read: No such file"),
        (["fetch", "a", "-o", "missing/x"], "missing/x cannot be written: No such file"),
        (["get", "a", "--token-file", "missing"], "token file missing cannot be read: No such"),
        (["get", "a"], "not a session id: 'a'"),
        (["wait", "a", "--timeout", "0"], "0.0 is not in the range x>0"),
        (["wait", "a", "--timeout", "nan"], "nan is not a number below 1e9"),
        (["wait", "a", "--timeout", "inf"], "inf is not a number below 1e9"),
        (["get", "a", "--shared-limit", "http://h"], "--shared-limit must be the path of a file"),
        (["get", "a", "--max-wait", "nan"], "nan is not a number below 1e9"),
        (["sandbox", "--faults", "nan"], "nan is not a number below 1e9"),
        (["fetch", "a", "--shard", f"1/{'9' * 5000}"], "is not one of 1/N, 2/N"),
        (["fetch", "-i", "no\nError: x"], "no\ufffdError: x cannot be read: No such"),
        (["get", "a", "--token-file", "no\nx"], "token file no\ufffdx cannot be read: No such"),
        (["sandbox", "--ids", "missing/ids"], "missing/ids cannot be written: No such file"),
        (["sandbox", "--rate-limit", "0/1"], "'0/1' is not of the form 100/60"),
    ],
)
async def test_wrong_use(run: Run, arguments: list[str], complaint: str, tmp_path: Path) -> None:
    """Invalid usage is refused with exit code 2 and a reason, and leaves no file behind."""
    done = await run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("api.example", "$RAYDOCS_BASE_URL must be an absolute http or https URL"),
        ("https://me:secret@api.example", "$RAYDOCS_BASE_URL must not carry credentials"),
        (
            "http://api.example",
            "$RAYDOCS_BASE_URL is http, which shows the token to the network; use https",
        ),
    ],
)
async def test_a_base_url_that_is_refused(
    run: Run, environment: dict[str, str], url: str, complaint: str
) -> None:
    """A message about an invalid address names the variable that holds the address."""
    done = await run("get", "a", env=environment | {"RAYDOCS_BASE_URL": url})
    assert (done.code, done.err) == (2, f"Error: {complaint}\n")


@pytest.mark.parametrize(
    ("frozen", "advice"),
    [
        (False, r"The command line needs rich: pip install 'raydocs-async\[cli\]'"),
        (True, "This program was built without rich, which its command line needs"),
    ],
)
def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, *, frozen: bool, advice: str) -> None:
    """A missing package is named, with the command that installs it where that is possible."""
    monkeypatch.setattr(raydocs_async.cli._streams, "prepare", lambda: None)
    monkeypatch.setattr(
        raydocs_async.cli, "find_spec", lambda name: None if name == "rich" else sys
    )
    monkeypatch.setattr(sys, "frozen", frozen, raising=False)
    with pytest.raises(SystemExit, match=advice):
        raydocs_async.cli.main()


def test_an_unexpected_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of the operating system ends a command with a message and exit code 1."""

    def fail(**options: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(sys, "argv", ["raydocs-async", "demo"])
    monkeypatch.setattr(demo, "callback", fail)
    assert _commands.execute() == 1
    assert "Address already in use" in capsys.readouterr().err


async def test_version(run: Run) -> None:
    """`--version` prints the version."""
    assert (await run("--version")).out.startswith("raydocs-async, version ")


async def test_no_summary_is_cut(run: Run) -> None:
    """`--help` has a whole sentence on each command."""
    assert "..." not in (await run("--help")).out.partition("Commands:")[2]


def test_lazy_modules() -> None:
    """A misspelt name of a lazy module is an error like any other."""
    with pytest.raises(AttributeError, match="has no attribute 'fetsh'"):
        _lazy.fetsh  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(("word", "found"), [("fet", "fetch"), ("sand", "sandbox")])
def test_shell_completion(word: str, found: str) -> None:
    """A shell completes the names of commands, by the variable that the documentation names."""
    code = "import sys; sys.argv = ['raydocs-async']; from raydocs_async.cli import main; main()"
    variables = {
        "_RAYDOCS_ASYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": f"raydocs-async {word}",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"plain,{found}\n", "")
