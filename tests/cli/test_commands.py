"""The command line as such: help, how it is refused, and what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

import raydocs_async.cli
from raydocs_async.cli import _commands
from tests.cli.conftest import Run

COMMANDS = ["get", "fetch", "wait", "sandbox", "demo"]


@pytest.mark.parametrize("arguments", [["--help"], *([each, "--help"] for each in COMMANDS)])
def test_help_does_not_wait_for_aiohttp(arguments: list[str]) -> None:
    """Help, of any command, imports neither the HTTP library nor what draws on terminals."""
    code = (
        "import sys; from raydocs_async.cli._commands import execute; code = execute();"
        "print([name for name in ('aiohttp', 'asyncio', 'rich') if name in sys.modules], code)"
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
        (["fetch", "-", "--token-file", "-"], "can be the token's or the ids', not both"),
        (["fetch", "-i", "-", "--token-file", "-"], "can be the token's or the ids', not both"),
        (["fetch", "a", "--resume"], "--resume needs a file"),
        (["fetch", "a", "-o", "x", "-e", "./x"], "a file each"),
        (["fetch", "a", "--shard", "0/3"], "'0/3' is none of 1/N, 2/N"),
        (["fetch", "a", "--shard", "3"], "'3' is none of 1/N, 2/N"),
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
        (["get", "a", "--max-wait", "nan"], "nan is not a number below 1e9"),
        (["sandbox", "--faults", "nan"], "nan is not a number below 1e9"),
        (["fetch", "a", "--shard", f"1/{'9' * 5000}"], "is none of 1/N, 2/N"),
        (["fetch", "-i", "no\nError: x"], "no\ufffdError: x cannot be read: No such"),
        (["get", "a", "--token-file", "no\nx"], "token file no\ufffdx cannot be read: No such"),
        (["sandbox", "--ids", "missing/ids"], "missing/ids cannot be written: No such file"),
        (["sandbox", "--rate-limit", "0/1"], "'0/1' is not of the form 100/60"),
    ],
)
async def test_wrong_use(run: Run, arguments: list[str], complaint: str, tmp_path: Path) -> None:
    """What cannot be done is refused with exit code 2 and a reason, and leaves nothing behind."""
    done = await run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


async def test_no_token(run: Run, environment: dict[str, str]) -> None:
    """Without a token, it says where one is looked for."""
    done = await run("get", "a", env=environment | {"RAYDOCS_API_TOKEN": ""})
    assert done.code == 2
    assert "no token: set RAYDOCS_API_TOKEN, or give --token-file" in done.err


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
    """What is wrong with the server's address is told of the variable that has it."""
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
    """Where the command's packages are missing, it says which, and how to get them if one can."""
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
    """What the system refuses is told in words, with exit code 1."""

    def fail(**options: object) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(sys, "argv", ["raydocs-async", "demo"])
    monkeypatch.setattr(_commands.DEMO, "callback", fail)
    assert _commands.execute() == 1
    assert "Address already in use" in capsys.readouterr().err


async def test_version(run: Run) -> None:
    """It tells its version."""
    assert (await run("--version")).out.startswith("raydocs-async, version ")


async def test_no_summary_is_cut(run: Run) -> None:
    """`--help` has a whole sentence on each command."""
    assert "..." not in (await run("--help")).out.partition("Commands:")[2]
