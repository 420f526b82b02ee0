"""Where ids come from, and which of them are wanted."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._ids import (
    LONGEST_LINE,
    Id,
    IdPipe,
    Wanted,
    chunks,
    find_sources,
    select,
    split_lines,
)

EVERYTHING = (1, 1)


def read(path: Path, *, done: frozenset[str] = frozenset()) -> list[Id]:
    """The ids to fetch from a file."""
    selected = select(find_sources((), [str(path)]), EVERYTHING, done)
    assert not isinstance(selected, AsyncIterator)
    return list(selected)


def test_a_file_has_an_id_a_line(tmp_path: Path) -> None:
    """Empty lines, comments, spaces, a BOM and any line end are no part of an id."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\n# not one\n  b \nc")
    assert read(path) == ["a", "b", "c"]


def test_an_id_knows_its_line(tmp_path: Path) -> None:
    """An id remembers the file and the line that it came from."""
    path = tmp_path / "ids.txt"
    path.write_text("a\n\nb\n")
    assert [each.where for each in read(path)] == [f"{path}:1", f"{path}:3"]


def test_a_line_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no text are an id that will be refused, not an end of everything."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"a\n\xff\nb\n")
    assert read(path) == ["a", "\\xff", "b"]


def test_arguments_know_their_place() -> None:
    """An id from the command line remembers which argument it was."""
    (given,) = find_sources(["a", "b"], [])
    assert not isinstance(given, IdPipe)
    assert [each.where for each in given] == ["argument 1", "argument 2"]  # type: ignore[union-attr]


def test_a_file_that_is_called_like_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session can be asked for beside a file of its name."""
    name = "770e8400-e29b-41d4-a716-446655440000"
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert find_sources([name], []) == ([name],)


def test_an_id_that_is_too_long_for_a_name() -> None:
    """What cannot be a file's name is an id that will be refused, like any other."""
    assert find_sources(["x" * 5000], []) == (["x" * 5000],)


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A file that is not there, or is a directory, is refused before anything starts."""
    with pytest.raises(CannotStart, match=r"cannot be read: (No such file|Is a directory)"):
        find_sources([], [str(tmp_path / name)])


def test_no_ids_at_all() -> None:
    """Without arguments and files, it says what to give."""
    with pytest.raises(CannotStart, match="no ids: give them"):
        find_sources([], [])


def test_the_same_id_twice(tmp_path: Path) -> None:
    """An id is wanted once, in whatever case it is written."""
    path = tmp_path / "ids.txt"
    path.write_text("aa\nAA\nbb\naa\n")
    assert read(path) == ["aa", "bb"]


def test_what_is_there_already(tmp_path: Path) -> None:
    """An id that an earlier run has fetched is not wanted."""
    path = tmp_path / "ids.txt"
    path.write_text("AA\nbb\n")
    assert read(path, done=frozenset({"aa"})) == ["bb"]


def test_files_are_counted(tmp_path: Path) -> None:
    """How many are wanted is known beforehand, and counting uses none of them up."""
    path = tmp_path / "ids.txt"
    path.write_text("aa\nAA\nbb\n")
    selected = select(find_sources(["cc"], [str(path)]), EVERYTHING, frozenset())
    assert not isinstance(selected, AsyncIterator)
    assert (len(selected), list(selected)) == (3, ["cc", "aa", "bb"])


@given(st.lists(st.uuids().map(str), unique=True), st.integers(1, 5))
def test_shards_are_a_partition(ids: list[str], count: int) -> None:
    """Each id is in exactly one shard, in either case."""
    taken = [
        each
        for index in range(1, count + 1)
        for each in filter(
            Wanted((index, count)).needs, [Id(text, "") for text in [*ids, *map(str.upper, ids)]]
        )
    ]
    assert sorted(taken) == sorted(ids)


def test_a_shard_is_the_same_everywhere() -> None:
    """The hash is no part of a process: another machine takes the other ids."""
    ids = [Id(f"00000000-0000-4000-8000-00000000000{n}", "") for n in range(10)]
    assert [each[-1] for each in filter(Wanted((1, 3)).needs, ids)] == ["0", "7", "8", "9"]


@given(st.binary().filter(lambda text: b"\xff" not in text), st.lists(st.integers(0, 20)))
def test_lines_from_pieces(text: bytes, lengths: list[int]) -> None:
    """However a stream of bytes is cut, its lines are the same, but for spaces before them."""

    async def pieces() -> AsyncIterator[bytes]:
        rest = text
        for length in lengths:
            yield rest[:length]
            rest = rest[length:]
        yield rest

    async def lines() -> list[bytes]:
        return [line async for line in split_lines(pieces(), "a pipe")]

    *ended, rest = map(bytes.lstrip, text.split(b"\n"))
    assert asyncio.run(lines()) == [*ended, *([rest] if rest else [])]


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (b"x" * 70_000, ["x" * LONGEST_LINE + "…"]),
        (b"a" + b" " * 70_000, ["a"]),
        (b" " * 70_000 + b"a", ["a"]),
        (b" " * 70_000, []),
        (b"a" + b" " * 70_000 + b"b", ["a" + " " * (LONGEST_LINE - 1) + "…"]),
        (b"#" + b"x" * 70_000, []),
        (b"\xff" * 70_000, ["\\xff" * LONGEST_LINE + "…"]),
        (b"\0" * 70_000, ["\0" * LONGEST_LINE + "…"]),
    ],
)
async def test_a_long_line(tmp_path: Path, line: bytes, ids: list[str]) -> None:
    """A line that is too long for an id is one invalid id, and is shown cut; no id is lost."""
    path, pipe = tmp_path / "ids.txt", tmp_path / "pipe"
    path.write_bytes(b"first\n" + line + b"\nlast")
    os.mkfifo(pipe)
    writing = os.open(pipe, os.O_RDWR)
    (source,) = find_sources((), [str(pipe)])
    assert isinstance(source, IdPipe)
    found = asyncio.create_task(collect(source))
    await asyncio.to_thread(os.write, writing, path.read_bytes())
    os.close(writing)
    for each in (read(path), await found):
        assert each == ["first", *ids, "last"]
        assert each[-1].where.endswith(":3")


async def collect(source: IdPipe) -> list[Id]:
    """All ids of a pipe."""
    return [each async for each in source]


@pytest.mark.timeout(20)  # a line of 64 MB took longer, when each piece was added to all before
async def test_a_line_without_end() -> None:
    """The time and memory for a line do not grow with its length."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4096):
            yield b"x" * (1 << 16)

    tracemalloc.start()
    (line,) = [line async for line in split_lines(pieces(), "a pipe")]
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert len(line) < 2 * LONGEST_LINE


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
async def test_utf_16(tmp_path: Path, encoding: str) -> None:
    """UTF-16, as some editors write it, is named, instead of each of its lines being refused."""
    path = tmp_path / "ids.txt"
    path.write_bytes("\ufeffa\nb\n".encode(encoding))
    with pytest.raises(OSError, match=r"ids.txt is UTF-16; save it as UTF-8"):
        read(path)


def test_an_argument_that_is_no_text() -> None:
    """Bytes of an argument that are not UTF-8 are shown as those of a file are."""
    (given,) = find_sources([os.fsdecode(b"a\xff")], [])
    assert given == ["a\\xff"]


async def test_a_pipe() -> None:
    """Ids come out of a pipe as they are written to it, with their line."""
    reading, writing = os.pipe()
    ids = aiter(IdPipe(reading, "standard input"))
    os.write(writing, b"a\n# none\nb\nc")
    assert [await anext(ids), (await anext(ids)).where] == ["a", "standard input:3"]
    os.close(writing)
    assert [each async for each in ids] == ["c"]
    os.close(reading)


async def test_a_pipe_beside_a_file(tmp_path: Path) -> None:
    """What cannot be read twice is not counted, and everything is fetched in turn."""
    pipe, path = tmp_path / "pipe", tmp_path / "ids.txt"
    os.mkfifo(pipe)
    writing = os.open(pipe, os.O_RDWR)
    os.write(writing, b"bb\nAA\n")
    path.write_text("aa\nbb\n")
    sources = find_sources((), [str(path), str(pipe)])
    os.close(writing)
    selected = select(sources, EVERYTHING, frozenset({"bb"}))
    assert isinstance(selected, AsyncIterator)
    assert [each async for each in selected] == ["aa"]


async def test_a_pipe_that_cannot_be_read() -> None:
    """An error of reading is the reader's."""
    with pytest.raises(OSError, match="standard input cannot be read: Bad file descriptor"):
        await anext(aiter(chunks(-1, "standard input")))


async def test_a_reader_that_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    """A pipe is read no further than it was asked for, and a reader left behind does no harm."""
    reading, writing = os.pipe()
    os.write(writing, b"a\n")
    taken = aiter(chunks(reading, "standard input"))
    assert await anext(taken) == b"a\n"
    os.write(writing, b"b\n")
    assert os.read(reading, 10) == b"b\n"
    os.close(writing)
    os.close(reading)
    assert caplog.records == []
