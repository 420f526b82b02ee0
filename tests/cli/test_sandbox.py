"""`sandbox`: a stand-in for the API, as a real process."""

import signal
from pathlib import Path

import pytest

from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import Run, Start


async def test_other_commands_find_it(
    start: Start, run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    """The printed variables direct the other commands to it, and its ids are sessions there."""
    serving = await start("sandbox", "--ids", "ids.txt", "--sessions", "3", "--faults", "0.1")
    assert serving.stdout is not None
    said = (await serving.stdout.readline() + await serving.stdout.readline()).decode()
    exported = dict(line.removeprefix("export ").split("=") for line in said.splitlines())
    done = await run("fetch", "-i", "ids.txt", env=environment | exported)
    assert (done.code, done.out.count("\n")) == (0, 3)
    serving.send_signal(signal.SIGINT)
    assert await serving.wait() == 130


async def test_sessions_that_finish_later(
    start: Start, run: Run, environment: dict[str, str]
) -> None:
    """With --finish-within, a session is not finished from the start."""
    serving = await start("sandbox", "--ids", "ids.txt", "--finish-within", "1e8")
    assert serving.stdout is not None
    said = (await serving.stdout.readline() + await serving.stdout.readline()).decode()
    exported = dict(line.removeprefix("export ").split("=") for line in said.splitlines())
    done = await run("fetch", *Sandbox().ids(1), env=environment | exported)
    assert done.code == 75
    assert "1 not finished yet" in done.err


@pytest.mark.parametrize(
    "arguments", [["--faults", "2"], ["--port", "70000"], ["--finish-within", "0"]]
)
async def test_options_out_of_range(run: Run, arguments: list[str]) -> None:
    """An option that is out of range is a usage error."""
    assert (await run("sandbox", *arguments)).code == 2


async def test_a_port_that_is_taken(start: Start, run: Run, tmp_path: Path) -> None:
    """A port in use is refused by its number, and no file is written."""
    serving = await start("sandbox")
    assert serving.stdout is not None
    port = (await serving.stdout.readline()).decode().strip().rpartition(":")[2]
    done = await run("sandbox", "--port", port, "--ids", "ids.txt")
    assert (done.code, done.err) == (2, f"Error: port {port} is in use, or not allowed\n")
    assert list(tmp_path.iterdir()) == []
    serving.terminate()
    assert await serving.wait() == 130


async def test_a_file_of_ids_that_is_there(run: Run, tmp_path: Path) -> None:
    """A file with content is not overwritten with the sandbox's ids."""
    (path := tmp_path / "ids.txt").write_text("mine\n")
    done = await run("sandbox", "--ids", "ids.txt")
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: ids.txt exists already; move it away\n"
    assert path.read_text() == "mine\n"
