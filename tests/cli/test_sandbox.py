"""`sandbox`: a stand-in for the API, as a real process."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from raydocs_async.cli._sandbox import _show_requests, describe
from raydocs_async.sandbox import LogEntry, Sandbox, Stats
from tests.cli.conftest import UNKNOWN, Run, Start


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


async def test_sessions_that_never_finish(
    start: Start, run: Run, environment: dict[str, str]
) -> None:
    """With --unfinished N, the first N are not finished; at its end it counts requests."""
    serving = await start("sandbox", "--unfinished", "2", "--sessions", "9", "--verbose")
    assert serving.stdout is not None
    assert serving.stderr is not None
    said = (await serving.stdout.readline() + await serving.stdout.readline()).decode()
    exported = dict(line.removeprefix("export ").split("=") for line in said.splitlines())
    done = await run("fetch", *Sandbox().ids(3), UNKNOWN, env=environment | exported)
    assert (done.code, "2 not finished yet" in done.err) == (75, True)
    while (
        f"404  GET /extractions/sessions/{UNKNOWN}\n".encode()
        not in await serving.stderr.readline()
    ):
        assert serving.returncode is None
    serving.send_signal(signal.SIGINT)
    said_last = (await serving.stderr.read()).decode().splitlines()
    assert await serving.wait() == 130
    assert "4 requests: 3 × 200, 1 × 404; 0 met a fault, 0 the rate limit." in said_last


@pytest.mark.parametrize(
    ("stats", "words"),
    [
        (Stats(), "0 requests; 0 met a fault, 0 the rate limit."),
        (
            Stats(requests=3, faults=1, throttled=1, statuses=Counter({429: 1, 200: 1})),
            "3 requests: 1 × 200, 1 × 429, 1 without a reply; 1 met a fault, 1 the rate limit.",
        ),
    ],
)
def test_the_count(stats: Stats, words: str) -> None:
    """The count names each status, and requests that got no reply."""
    assert describe(stats) == words


def test_a_request_without_a_reply(capsys: pytest.CaptureFixture[str]) -> None:
    """A request that a fault has cut off is shown as that."""
    api = Sandbox()
    api.log.append(LogEntry(1.5, "/x", None, None, None, 1))
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(_show_requests(api, verbose=True), 0.2))
    assert capsys.readouterr().err == "    1.50 s  window 1  no reply  GET /x\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--unfinished", "4", "--sessions", "3"],
        ["--faults", "2"],
        ["--port", "70000"],
        ["--finish-within", "0"],
    ],
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
