"""`report`, as a real process."""

import asyncio
import gzip
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from raydocs_async.sandbox import Sandbox
from tests.cli.conftest import UNKNOWN, Run, Start
from tests.cli.sessions import session, write_lines
from tests.support.terminal import Terminal, plain


@pytest.fixture
def sessions(tmp_path: Path) -> str:
    """A file of 3 sessions."""
    return write_lines(tmp_path / "s.jsonl", *map(session, range(3)))


def text(path: Path) -> str:
    """Return the text of a page."""
    return path.read_text(encoding="utf-8")


def sections(page: Path) -> list[str]:
    """Return the headings of a page."""
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text(page))


def names(page: Path) -> list[str]:
    """Return the anchors of the sessions in a page."""
    return re.findall(r'id="session-([^"]*)"', text(page))


async def test_from_fetch_to_a_page(run: Run, api: Sandbox, tmp_path: Path) -> None:
    """The files that `fetch` has written become one page with each session and each failure."""
    ids = api.ids(3)
    await run(
        "fetch",
        *ids,
        UNKNOWN,
        "not-an-id",
        "-o",
        "out.jsonl",
        "-e",
        "errors.jsonl",
        "--summary",
        "s.json",
    )
    done = await run(
        *("report", "out.jsonl", "-o", "o.html", "--errors", "errors.jsonl"),
        *("--summary", "s.json"),
    )
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(r"3 sessions and 2 failures written to o\.html \(.* kB\)\.\n", done.err)
    page = tmp_path / "o.html"
    assert "<dt>Failures</dt><dd>2</dd>" in text(page)
    assert sections(page) == ["Overview", "Failures", "Latest run", "Sessions"]
    assert set(names(page)) == set(ids)
    assert "NotFoundError (HTTP 404)" in text(page)
    assert text(page).count(f"<bdi>{UNKNOWN}</bdi>") == 1
    assert "{{" not in text(page)


async def test_a_file_alone(run: Run, sessions: str, tmp_path: Path) -> None:
    """Without the other files, their sections are absent."""
    assert await run("report", sessions, "-o", "o.html", "-q") == (0, "", "")
    assert sections(tmp_path / "o.html") == ["Overview", "Sessions"]
    assert "Failures" not in text(tmp_path / "o.html")


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
async def test_sessions_that_are_not_finished(
    run: Run, tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    """The summary says how many sessions are not finished, even if it is left out otherwise."""
    statuses = ("pending", "failed", "completed")
    lines = (session(number, status=each) for number, each in enumerate(statuses))
    write_lines(tmp_path / "s.jsonl", *lines)
    done = await run("report", "s.jsonl", "-o", "o.html", *quiet)
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(
        r"3 sessions written to o\.html \(.* kB\); "
        r"1 session is not finished: complete it by `fetch --resume --wait`\.\n",
        done.err,
    )


async def test_failures_alone(run: Run, tmp_path: Path) -> None:
    """A job in which every id has failed has a report, too."""
    write_lines(tmp_path / "s.jsonl")
    write_lines(tmp_path / "e.jsonl", *({"id": "a", "where": "x", "error": {}} for _ in range(21)))
    done = await run("report", "s.jsonl", "-o", "o.html", "-e", "e.jsonl")
    assert done.err.startswith("0 sessions and 21 failures written to o.html (")
    assert '<details class="all">' in text(tmp_path / "o.html")


async def test_several_files(run: Run, tmp_path: Path) -> None:
    """Several files, compressed or not, are one page; a session that comes again is told apart."""
    write_lines(tmp_path / "a.jsonl", session(1), session(2))
    lines = "".join(json.dumps(session(number)) + "\n" for number in (2, 3))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    done = await run("report", "a.jsonl", "b.jsonl.gz", "-o", "o.html")
    assert done.err.startswith("4 sessions written to o.html")
    one, two, again, three = names(tmp_path / "o.html")
    assert (one, three) == (session(1)["id"], session(3)["id"])
    assert again == f"{two}-2"
    repeated = "1 session came before in the same files, and is counted again."
    assert repeated in text(tmp_path / "o.html")


async def test_standard_input(run: Run, tmp_path: Path) -> None:
    """`-` is standard input."""
    done = await run("report", "-", "-o", "o.html", stdin=json.dumps(session(1)) + "\n")
    assert done.err.startswith("1 session written to o.html")
    done = await run("report", "-", "-o", "o2.html", stdin="mine\n")
    assert done.err == (
        "Error: standard input:1 is not JSON; name a file that `fetch` has written\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["o.html"]


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        (b"", [], "in: no sessions, so nothing to report; fetch some first"),
        (b"", ["-e", "empty"], "in: no sessions, so nothing to report; fetch some first"),
        (b"id,customer\n1,2\n", [], "in:1 is not JSON; name a file that `fetch` has written"),
        (b"\xff\xfe{\x00}\x00", [], "in is UTF-16; save it as UTF-8"),
        (b'{"id": 1}\n', [], "in:1 is not a session: "),
        (b'{"id":"x","where":"a","error":{}}\n', [], "in:1 is a failure, as `fetch --errors`"),
        (None, ["-e", "in"], "in:1 is not a failure; name a file that `fetch --errors`"),
        (None, ["-e", "no"], "no cannot be read: No such file or directory"),
        (None, ["--summary", "in"], "in is not a summary: Object missing required field"),
        (None, ["--summary", "no"], "no cannot be read: No such file or directory"),
        (None, ["-o", "o.pdf"], "o.pdf: the suffix is to be .html"),
        (None, ["-o", "in"], "the report would replace a file that it is made of"),
        (None, ["-e", "mine.html", "-o", "mine.html"], "replace a file that it is made of"),
        (None, ["--summary", "mine.html", "-o", "mine.html"], "replace a file that it is made of"),
        (None, ["-o", "mine.html"], "mine.html is there already; replace it with --overwrite"),
        (None, ["-o", "-"], "-: the suffix is to be .html"),
        (None, ["-o", "no/o.html"], "no/o.html: there is no such folder; make it first"),
    ],
)  # fmt: skip
async def test_what_is_refused(
    run: Run, tmp_path: Path, content: bytes | None, arguments: list[str], complaint: str
) -> None:
    """Anything wrong is one line with a remedy and exit code 2, and changes no file."""
    (tmp_path / "in").write_bytes(json.dumps(session()).encode() if content is None else content)
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "empty").touch()
    done = await run("report", "in", "-o", "o.html", *arguments)
    assert (done.code, done.out) == (2, "")
    assert complaint in done.err
    assert len([line for line in done.err.splitlines() if "Error: " in line]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "in", "mine.html"]
    assert (tmp_path / "mine.html").read_text() == "mine"


FULL_DISK = """
import resource, sys
from raydocs_async.cli import main
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), before[1]))
try:
    main()
finally:  # the report of what the tests cover is a file, too
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
"""


@pytest.mark.parametrize("room", [5_000, 100_000, 1_000_000])
async def test_a_full_disk(run: Run, tmp_path: Path, room: int) -> None:
    """A disk that fills up, early, in the middle or at the end, leaves the old file alone."""
    source = write_lines(tmp_path / "s.jsonl", *map(session, range(300)))
    (tmp_path / "o.html").write_text("mine")
    command = (sys.executable, "-c", FULL_DISK, str(room))
    done = await run("report", source, "-o", "o.html", "--overwrite", command=command)
    assert done.code == 1
    assert done.err.startswith("Error: o.html cannot be written: ")
    assert done.err.endswith("; nothing was kept\n")
    assert done.err.count("\n") == 1
    assert (tmp_path / "o.html").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["o.html", "s.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt(start: Start, tmp_path: Path, number: int) -> None:
    """An interrupted report leaves nothing behind."""
    os.mkfifo(tmp_path / "pipe")
    process = await start("report", "pipe", "-o", "o.html")
    with await asyncio.to_thread((tmp_path / "pipe").open, "w", encoding="utf-8") as pipe:
        pipe.write(json.dumps(session()) + "\n")
        pipe.flush()
        assert list(tmp_path.glob(".*.part/ids"))
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err.strip()) == (130, b"Interrupted.")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


async def test_a_name_that_is_not_text(run: Run, tmp_path: Path) -> None:
    """A file name with markup, or with bytes that are not UTF-8, is shown as text."""
    name = os.fsdecode(b"<img src=x>\xff\x1b.jsonl")
    write_lines(tmp_path / name, session())
    done = await run("report", name, "-o", "o.html")
    assert done.code == 0
    heading = "<h1><bdi>&lt;img src=x&gt;\ufffd\ufffd.jsonl</bdi></h1>"
    assert heading in text(tmp_path / "o.html")


async def test_overwrite(run: Run, sessions: str, tmp_path: Path) -> None:
    """`--overwrite` replaces a page."""
    (tmp_path / "o.html").write_text("old")
    assert await run("report", sessions, "-o", "o.html", "--overwrite", "-q") == (0, "", "")
    assert len(names(tmp_path / "o.html")) == 3


async def test_progress_on_a_terminal(terminal: Terminal, sessions: str) -> None:
    """A terminal shows the bytes that were read, and the cursor is restored."""
    code, screen = await terminal("report", sessions, "-o", "o.html")
    assert code == 0
    assert " kB" in plain(screen)
    assert plain(screen).endswith(" kB).\r\n")
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") > 0
