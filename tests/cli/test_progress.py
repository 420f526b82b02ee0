"""Progress reports of a bulk job."""

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve

from raydocs_async import Progress, RateLimitStatus, RaydocsClient
from raydocs_async.cli._log_format import LogFormat
from raydocs_async.cli._progress import (
    LineReporter,
    LiveReporter,
    Reporter,
    choose_reporter,
    report_progress,
)
from raydocs_async.cli._snapshot import Snapshot
from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN
from tests.support.terminal import Terminal, plain

STATUS = RateLimitStatus(
    limit=100, per=60.0, remaining=0, resets_in=20.0, in_flight=0, waiting=0, foreign=0
)
PROGRESS = Progress(total=9, done=3, failed=1, in_flight=2, eta=20.0, rate_limit=STATUS)


def at(seconds: float, progress: Progress = PROGRESS) -> Snapshot:
    """Return a snapshot of a job in which one id failed."""
    return Snapshot(progress=progress, seconds=seconds, failed=1)


class FakeReporter(Reporter):
    """Keeps the calls with their times."""

    period = 10.0

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, float]] = []

    def update(self, snapshot: Snapshot) -> None:
        """Keep the call."""
        self.calls.append(("update", snapshot.progress.done, round(snapshot.seconds)))

    def finish(self, snapshot: Snapshot) -> None:
        """Keep the call."""
        self.calls.append(("finish", snapshot.progress.done, round(snapshot.seconds)))


@pytest.mark.looptime
@pytest.mark.usefixtures("no_task_left")
async def test_a_job_is_reported() -> None:
    """The progress is reported once in each period, and at the end."""
    reporter = FakeReporter()
    async with Sandbox() as api, RaydocsClient(api.token, base_url=api.url) as client:
        stream = client.stream_sessions(api.ids(150))
        async with stream, report_progress(lambda seconds: at(seconds, stream.progress), reporter):
            async for _ in stream:
                pass
    assert [each for each in reporter.calls if each[0] == "update"] == [
        ("update", 100, seconds) for seconds in (10, 20, 30, 40, 50, 60)
    ]
    assert reporter.calls[-1][:2] == ("finish", 150)


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """With --quiet, the reporter is silent."""
    with choose_reporter(quiet=True) as reporter:
        reporter.update(at(1.0))
        reporter.say("something")
        reporter.finish(at(1.0))
    assert capsys.readouterr() == ("", "")


def at_six() -> datetime:
    """Return a time for the lines."""
    return datetime(2026, 1, 31, 6, tzinfo=UTC)


@pytest.fixture
def log_format(monkeypatch: pytest.MonkeyPatch) -> LogFormat:
    """A format for the lines of the test, whose time stands still."""
    found = LogFormat(at_six)
    for module in ("_streams", "_progress"):
        monkeypatch.setattr(f"raydocs_async.cli.{module}.LOG_FORMAT", found)
    return found


@pytest.mark.usefixtures("log_format")
def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, there is a line in each interval, with its time, and none at the end."""
    with choose_reporter(quiet=False, interval=30.0) as reporter:
        for seconds in (1.0, 29.0, 30.0, 31.0, 61.0):
            reporter.update(at(seconds))
        reporter.say("something")
        reporter.finish(at(62.0))
    progress = "3 of 9 sessions, 1 failed, {} a minute, window opens in 20 s, about 20 s to go"
    assert capsys.readouterr().err.splitlines() == [
        f"2026-01-31T06:00:00.000Z {words}"
        for words in (progress.format(6), progress.format(3), "something")
    ]


@pytest.mark.usefixtures("log_format")
def test_lines_of_an_outage(capsys: pytest.CaptureFixture[str]) -> None:
    """The beginning and the end of an outage are lines at once."""
    down = evolve(PROGRESS, outage=3.0)
    with choose_reporter(quiet=False) as reporter:
        for seconds, progress in ((1.0, PROGRESS), (2.0, down), (3.0, down), (4.0, PROGRESS)):
            reporter.update(at(seconds, progress))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("; the service does not answer, trying again")
    assert "the service" not in second


def test_lines_of_json(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    """In JSON, each line is an object with its time, and the progress in numbers."""
    log_format.as_json = True
    with choose_reporter(quiet=False) as reporter:
        reporter.update(at(10.0))
        reporter.say("\x1bsomething", event="failure", id="x")
    progress, failure = map(json.loads, capsys.readouterr().err.splitlines())
    assert progress.pop("message").startswith("3 of 9 sessions, 1 failed, ")
    moment = "2026-01-31T06:00:00.000Z"
    assert progress == {
        "time": moment,
        "event": "progress",
        "seconds": 10.0,
        "total": 9,
        "done": 3,
        "failed": 1,
        "unfinished": 0,
        "retries": 0,
        "outage_seconds": None,
    }
    assert failure == {
        "time": moment, "event": "failure", "message": "�something", "id": "x"
    }  # fmt: skip


class FakeTerminal(io.StringIO):
    """A file that claims to be a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows a bar, and messages stay above it."""
    screen = FakeTerminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with choose_reporter(quiet=False) as reporter:
        assert isinstance(reporter, LiveReporter)
        reporter.update(at(60.0))
        reporter.say("[red]something")
        reporter.finish(at(61.0))
    shown = plain(screen.getvalue())
    assert "3 of 9 sessions, 1 failed, window opens in 20 s, about 20 s to go" in shown
    assert "[red]something\n" in shown


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (80, "━ 3 of 9 sessions, 1 failed, opens in 20 s, 20 s to go"),
        (60, "━ 3/9, 1 failed, opens in 20 s, 20 s to go"),
        (40, " 3/9, 1 failed, 20 s to go"),
        (5, " "),
    ],
)
def test_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, words: str) -> None:
    """The bar is one line, shortened to the terminal, with room for the echo of Ctrl-C."""
    screen = FakeTerminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    with choose_reporter(quiet=False) as reporter:
        reporter.update(at(60.0))
    frames = re.split(r"[\r\n]|\x1b\[2K", CONTROL.sub("", screen.getvalue()))
    assert any(frame.rstrip().endswith(words.rstrip()) for frame in frames)
    assert max(map(len, frames)) <= max(columns - len("^C^C"), 3)


CONTROL = re.compile(r"\x1b\[(\?25[lh]|[0-9;]*m|1A)")
"""Sequences that colour text, and show and hide the cursor."""


def test_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a known number of ids, the bar is shown, too."""
    screen = FakeTerminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with choose_reporter(quiet=False) as reporter:
        reporter.update(at(60.0, evolve(PROGRESS, total=None, eta=None)))
    assert "3 sessions, 1 failed, window opens in 20 s, 3 a minute" in plain(screen.getvalue())


def test_data_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bar is shown if data is written to a terminal, too."""
    monkeypatch.setattr("sys.stderr", FakeTerminal())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(choose_reporter(quiet=False, data_on_terminal=True), LineReporter)


def test_json_on_a_terminal(monkeypatch: pytest.MonkeyPatch, log_format: LogFormat) -> None:
    """No bar is shown if lines are JSON."""
    monkeypatch.setattr("sys.stderr", FakeTerminal())
    monkeypatch.setenv("TERM", "xterm")
    log_format.as_json = True
    assert isinstance(choose_reporter(quiet=False), LineReporter)


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
