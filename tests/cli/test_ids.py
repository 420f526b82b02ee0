"""Sources of session ids, and the selection of those to fetch."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._ids import IdFilter, IdPipe, open_sources, select_ids
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._shard import ALL_IDS, Shard


def read(path: Path, *, finished: frozenset[str] = frozenset()) -> list[LocatedId]:
    """Return the ids to fetch from a file."""
    selected = select_ids(open_sources((), [str(path)]), ALL_IDS, finished)
    assert not isinstance(selected, AsyncIterator)
    return list(selected)


def test_a_file_has_an_id_a_line(tmp_path: Path) -> None:
    """Empty lines, comments, spaces, a BOM and any line end are dropped."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\n# not one\n  b \nc")
    assert read(path) == ["a", "b", "c"]


def test_location_in_a_file(tmp_path: Path) -> None:
    """An id has the file and the line that it came from."""
    path = tmp_path / "ids.txt"
    path.write_text("a\n\nb\n")
    assert [each.location for each in read(path)] == [f"{path}:1", f"{path}:3"]


def test_undecodable_line(tmp_path: Path) -> None:
    """Undecodable bytes become an invalid id, and the other lines are read."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"a\n\xff\nb\n")
    assert read(path) == ["a", "\\xff", "b"]


def test_location_in_the_arguments() -> None:
    """An id from the command line has the number of its argument."""
    (given,) = open_sources(["a", "b"], [])
    assert not isinstance(given, IdPipe)
    assert [each.location for each in given] == ["argument 1", "argument 2"]  # type: ignore[union-attr]


def test_a_file_with_an_id_as_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session can be fetched beside a file that has its id as a name."""
    name = "770e8400-e29b-41d4-a716-446655440000"
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert open_sources([name], []) == ([name],)


def test_an_id_that_is_too_long_for_a_name() -> None:
    """A text that is too long for a file name becomes an invalid id."""
    assert open_sources(["x" * 5000], []) == (["x" * 5000],)


@pytest.mark.parametrize("name", ["missing.txt", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """A missing file or a directory is refused at the start."""
    with pytest.raises(CannotStart, match=r"cannot be read: (No such file|Is a directory)"):
        open_sources([], [str(tmp_path / name)])


def test_no_ids_at_all() -> None:
    """Without arguments and files, the message says how to give ids."""
    with pytest.raises(CannotStart, match="no ids: give them"):
        open_sources([], [])


def test_the_same_id_twice(tmp_path: Path) -> None:
    """An id that is given twice, in either case, is selected once."""
    path = tmp_path / "ids.txt"
    path.write_text("aa\nAA\nbb\naa\n")
    assert read(path) == ["aa", "bb"]


def test_finished_ids(tmp_path: Path) -> None:
    """An id that an earlier run has fetched is not selected."""
    path = tmp_path / "ids.txt"
    path.write_text("AA\nbb\n")
    assert read(path, finished=frozenset({"aa"})) == ["bb"]


def test_files_are_counted(tmp_path: Path) -> None:
    """The ids of files can be counted before they are read, and the count consumes none."""
    path = tmp_path / "ids.txt"
    path.write_text("aa\nAA\nbb\n")
    selected = select_ids(open_sources(["cc"], [str(path)]), ALL_IDS, frozenset())
    assert not isinstance(selected, AsyncIterator)
    assert (len(selected), list(selected)) == (3, ["cc", "aa", "bb"])


@given(st.lists(st.uuids().map(str), unique=True), st.integers(1, 5))
def test_shards_are_a_partition(ids: list[str], count: int) -> None:
    """Each id, in either case, is in exactly one shard."""
    taken = [
        each
        for index in range(1, count + 1)
        for each in filter(IdFilter(Shard(index, count)).accept, [*ids, *map(str.upper, ids)])
    ]
    assert sorted(taken) == sorted(ids)


def test_a_shard_is_the_same_everywhere() -> None:
    """The hash is the same in every process, so machines select disjoint ids."""
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(10)]
    assert [each[-1] for each in filter(IdFilter(Shard(1, 3)).accept, ids)] == ["0", "7", "8", "9"]


def test_undecodable_argument() -> None:
    """Undecodable bytes of an argument are shown like those of a file."""
    (given,) = open_sources([os.fsdecode(b"a\xff")], [])
    assert given == ["a\\xff"]


async def test_a_pipe() -> None:
    """A pipe delivers ids as they are written, with their lines."""
    reading, writing = os.pipe()
    ids = aiter(IdPipe(reading, "standard input"))
    os.write(writing, b"a\n# none\nb\nc")
    assert [await anext(ids), (await anext(ids)).location] == ["a", "standard input:3"]
    os.close(writing)
    assert [each async for each in ids] == ["c"]
    os.close(reading)


async def test_a_pipe_beside_a_file(tmp_path: Path) -> None:
    """Ids of a pipe are not counted, and all sources are read in turn."""
    pipe, path = tmp_path / "pipe", tmp_path / "ids.txt"
    os.mkfifo(pipe)
    writing = os.open(pipe, os.O_RDWR)
    os.write(writing, b"bb\nAA\n")
    path.write_text("aa\nbb\n")
    sources = open_sources((), [str(path), str(pipe)])
    os.close(writing)
    selected = select_ids(sources, ALL_IDS, frozenset({"bb"}))
    assert isinstance(selected, AsyncIterator)
    assert [each async for each in selected] == ["aa"]
