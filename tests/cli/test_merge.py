"""``merge``: the parts of a job that ran on several machines."""

import gzip
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from raydocs_async.cli import _merge
from raydocs_async.cli._exit import CannotStart, CommandFailed, ExitCode
from raydocs_async.cli._files import OutputFile
from raydocs_async.cli._merge import Part
from tests.cli.conftest import Run, ids_in_file
from tests.cli.records import LINE_A, LINE_B, LINE_C, A, B, C

UNFINISHED_A = LINE_A.replace(b"completed", b"pending")
OUT = "all.jsonl"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a file of the ids A, B and C."""
    monkeypatch.chdir(tmp_path)
    Path("ids.txt").write_text(f"{A}\n\n{B.upper()}\n{C}\n")
    return tmp_path


def merge(*parts: bytes, output: str = OUT, missing: str | None = None) -> ExitCode:
    """Join files with the given content, and compare them with A, B and C."""
    names = [f"part-{number}.jsonl" for number in range(len(parts))]
    for name, content in zip(names, parts, strict=True):
        Path(name).write_bytes(content)
    return _merge.run(names, ["ids.txt"], output, missing)


async def test_the_parts_of_a_job(run: Run, ids_file: Path, tmp_path: Path) -> None:
    """Two machines fetch a part each, and `merge` joins them to every id exactly once."""
    for number in (1, 2):
        done = await run(
            "fetch", "-i", str(ids_file), "--shard", f"{number}/2", "-o", f"{number}.jsonl.gz"
        )
        assert done.code == 0
    done = await run("merge", "1.jsonl.gz", "2.jsonl.gz", "-i", str(ids_file), "-o", OUT)
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"40 sessions of 2 files written to {OUT}.\nNo id of the input is missing (40).\n"
    )
    assert ids_in_file(tmp_path / OUT) == sorted(ids_file.read_text().split())


@pytest.mark.usefixtures("folder")
def test_missing_ids_are_fetched_and_merged(capsys: pytest.CaptureFixture[str]) -> None:
    """Missing ids go into a file, one a line and in the order of the input."""
    assert merge(LINE_B, missing="missing.txt") is ExitCode.FAILED
    assert Path("missing.txt").read_text() == f"{A}\n{C}\n"
    assert Path(OUT).read_bytes() == LINE_B
    shown = capsys.readouterr().err
    assert shown.endswith("2 of 3 ids have no finished session: missing.txt lists them.\n")


@pytest.mark.usefixtures("folder")
def test_missing_ids_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file for them, the first few missing ids are shown."""
    assert merge(LINE_B) is ExitCode.FAILED
    assert capsys.readouterr().err.endswith(f"no finished session: {A}, {C}.\n")
    Path("ids.txt").write_text("".join(f"{number}\n" for number in range(9)))
    assert merge(LINE_B, output="again.jsonl") is ExitCode.FAILED
    assert capsys.readouterr().err.endswith(": 0, 1, 2, 3, 4, …; --missing FILE lists them.\n")


@pytest.mark.usefixtures("folder")
def test_an_id_in_two_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an id in several lines, the first finished one is kept, and the others are counted."""
    other = LINE_A.replace(b"Unicode", b"Other")
    parts = (UNFINISHED_A + LINE_B, LINE_A + LINE_B + LINE_A, other + LINE_C)
    assert merge(*parts) is ExitCode.OK
    assert Path(OUT).read_bytes() == LINE_B + LINE_A + LINE_C
    assert "Left out 4 lines of ids that another line has.\n" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_an_unfinished_session() -> None:
    """A session that was not finished is kept, and its id is missing all the same."""
    assert merge(UNFINISHED_A + LINE_B + LINE_C, missing="missing.txt") is ExitCode.FAILED
    assert Path(OUT).read_bytes() == UNFINISHED_A + LINE_B + LINE_C
    assert Path("missing.txt").read_text() == f"{A}\n"


@pytest.mark.usefixtures("folder")
def test_ids_that_nobody_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """A session whose id is not in the input is kept, and counted in the summary."""
    Path("ids.txt").write_text(A)
    assert merge(LINE_A + LINE_B) is ExitCode.OK
    assert Path(OUT).read_bytes() == LINE_A + LINE_B
    assert "Among them are 1 session of ids not in the input.\n" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("part", "expected", "warning"),
    [
        (LINE_A + LINE_B[:-9], LINE_A, "part-0.jsonl: line 2 is cut off, and was left out."),
        (LINE_A[:9] + b"\0" * 99 + b"\n" + LINE_B, LINE_B, "line 1 is damaged, as after a power"),
        (LINE_A + LINE_B[:-1], LINE_A + LINE_B, None),
        (b"", b"", None),
    ],
    ids=["torn", "zeroed", "no line end", "empty"],
)
def test_what_a_crash_leaves(
    capsys: pytest.CaptureFixture[str], part: bytes, expected: bytes, warning: str | None
) -> None:
    """Damaged lines are left out with a warning; their ids are missing."""
    assert merge(part) is ExitCode.FAILED
    assert Path(OUT).read_bytes() == expected
    shown = capsys.readouterr().err
    assert ("left out" in shown) is (warning is not None)
    assert (warning or "") in shown


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("damage", "expected", "warned"),
    [
        (lambda whole: whole[:-8], LINE_A + LINE_B, False),
        (lambda whole: whole[:-8] + b"\0" * 8, LINE_A + LINE_B, True),
        (lambda whole: whole + b"junk", LINE_A + LINE_B, True),
        (lambda _: gzip.compress(LINE_A + b"notes\n")[:-8] + b"\0" * 8, LINE_A, True),
    ],
    ids=["no end yet", "wrong checksum", "junk", "a wrong line by damage"],
)
def test_a_damaged_archive(
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[bytes], bytes],
    expected: bytes,
    *,
    warned: bool,
) -> None:
    """A compressed part is read up to its damage, and a warning names it, but only for damage."""
    Path("part.jsonl.gz").write_bytes(damage(gzip.compress(LINE_A + LINE_B, mtime=0)))
    _merge.run(["part.jsonl.gz"], ["ids.txt"], OUT, None)
    assert Path(OUT).read_bytes() == expected
    assert ("it is damaged" in capsys.readouterr().err) is warned


@pytest.mark.usefixtures("folder")
def test_a_compressed_output() -> None:
    """An output whose name ends in .gz is one gzip file."""
    assert merge(LINE_A, LINE_B + LINE_C, output="all.jsonl.gz") is ExitCode.OK
    assert gzip.decompress(Path("all.jsonl.gz").read_bytes()) == LINE_A + LINE_B + LINE_C


@pytest.mark.parametrize("content", [b"notes\nmore\n", gzip.compress(b"notes\nmore\n", mtime=0)])
def test_a_file_of_another_program(folder: Path, content: bytes) -> None:
    """A file that `fetch` did not write is refused, and nothing is written."""
    name = "notes.gz" if content.startswith(b"\x1f") else "notes"
    Path(name).write_bytes(content)
    with pytest.raises(CannotStart, match=f"^{name}:1 was not written by fetch$"):
        _merge.run([name], ["ids.txt"], OUT, "missing.txt")
    assert sorted(each.name for each in folder.iterdir()) == sorted(["ids.txt", name])


@pytest.mark.usefixtures("folder")
def test_a_part_that_still_grows() -> None:
    """Lines that a running command adds meanwhile are in no reading."""
    path = Path("part.jsonl")
    path.write_bytes(LINE_A + LINE_B[:9])
    with Part.open(str(path)) as part:
        assert [each.content for each in part.read()] == [LINE_A]
        path.write_bytes(LINE_A + LINE_B + LINE_C)
        assert [each.content for each in part.read()] == [LINE_A]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((["none"], ["ids.txt"], OUT, None), "none cannot be read: No such file"),
        (([os.devnull], ["none"], OUT, None), "none cannot be read: No such file"),
        (([], ["ids.txt"], "ids.txt", None), "ids.txt exists already; move it away"),
        (([], ["ids.txt"], "-", None), "so it needs a file's path"),
        (([], ["ids.txt"], os.devnull, None), "/dev/null is not a regular file"),
        (([], ["ids.txt"], "all.csv", None), "the format is JSON Lines; name it all.jsonl"),
        (([], ["ids.txt"], OUT, f"./{OUT}"), "sessions and missing ids need separate files"),
    ],
)
def test_wrong_use(arguments: tuple[list[str], list[str], str, str | None], complaint: str) -> None:
    """An unusable file is named, and no output is left."""
    with pytest.raises(Exception, match=complaint) as caught:
        _merge.run(*arguments)
    assert caught.value.exit_code == ExitCode.USAGE  # type: ignore[attr-defined]
    assert not Path(OUT).exists()


@pytest.mark.usefixtures("folder")
def test_a_part_that_is_a_pipe() -> None:
    """A pipe, which cannot be read twice, is refused."""
    ours, theirs = os.pipe()
    os.close(theirs)
    with pytest.raises(CannotStart, match="cannot be read twice"):
        Part.open(f"/dev/fd/{ours}")
    os.close(ours)


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for the output ends the command, and no part of it is left."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("raydocs_async.cli._files.write_all", fail)
    with pytest.raises(CommandFailed, match=f"^{OUT} cannot be written: No space left"):
        merge(LINE_A)
    assert sorted(each.name for each in folder.iterdir()) == ["ids.txt", "part-0.jsonl"]


def test_a_full_disk_for_the_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room for the temporary database ends the command with a message."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(_merge.Index, "count", fail)
    with pytest.raises(CommandFailed, match="temporary database failed: database or disk is full"):
        merge(LINE_A)
    assert sorted(each.name for each in folder.iterdir()) == ["ids.txt", "part-0.jsonl"]


def test_filling_a_file(tmp_path: Path) -> None:
    """Content that cannot be made leaves the file empty."""
    path = tmp_path / OUT
    file = OutputFile.open(str(path))
    with pytest.raises(ZeroDivisionError):
        file.fill(b"x" * (1 // number) for number in (1, 0))
    assert path.read_bytes() == b""
    file.fill([LINE_A])
    file.close()
    assert path.read_bytes() == LINE_A
