"""Where ids come from, and which of them are wanted."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._ids import Id, IdPipe, Wanted, chunks, find_sources, select, split_lines

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


@given(st.binary().filter(lambda text: b"\r" not in text), st.lists(st.integers(0, 20)))
def test_lines_from_pieces(text: bytes, lengths: list[int]) -> None:
    """However a stream of bytes is cut, its lines are the same."""

    async def pieces() -> AsyncIterator[bytes]:
        rest = text
        for length in lengths:
            yield rest[:length]
            rest = rest[length:]
        yield rest

    async def lines() -> list[bytes]:
        return [line async for line in split_lines(pieces())]

    assert asyncio.run(lines()) == text.removesuffix(b"\n").split(b"\n")[: None if text else 0]


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
    with pytest.raises(OSError, match="Bad file descriptor"):
        await anext(aiter(chunks(-1)))


async def test_a_reader_that_nobody_waits_for(caplog: pytest.LogCaptureFixture) -> None:
    """A pipe is read no further than it was asked for, and a reader left behind does no harm."""
    reading, writing = os.pipe()
    os.write(writing, b"a\n")
    taken = aiter(chunks(reading))
    assert await anext(taken) == b"a\n"
    os.write(writing, b"b\n")
    assert os.read(reading, 10) == b"b\n"
    os.close(writing)
    os.close(reading)
    assert caplog.records == []
