"""Lines of ids, from files and from pipes."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._ids import IdFile, IdPipe, open_sources
from raydocs_async.cli._lines import MAX_LINE_BYTES, read_chunks, split_lines
from raydocs_async.cli._located_id import LocatedId


@given(st.binary().filter(lambda text: b"\xff" not in text), st.lists(st.integers(0, 20)))
def test_lines_from_pieces(text: bytes, lengths: list[int]) -> None:
    """The lines of a stream do not depend on its pieces; white space before them is dropped."""

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
        (b"x" * 70_000, ["x" * MAX_LINE_BYTES + "…"]),
        (b"a" + b" " * 70_000, ["a"]),
        (b" " * 70_000 + b"a", ["a"]),
        (b" " * 70_000, []),
        (b"a" + b" " * 70_000 + b"b", ["a" + " " * (MAX_LINE_BYTES - 1) + "…"]),
        (b"#" + b"x" * 70_000, []),
        (b"\xff" * 70_000, ["\\xff" * MAX_LINE_BYTES + "…"]),
        (b"\0" * 70_000, ["\0" * MAX_LINE_BYTES + "…"]),
    ],
)
async def test_a_long_line(tmp_path: Path, line: bytes, ids: list[str]) -> None:
    """A line that is too long for an id is one invalid id, shown cut; no other id is lost."""
    path, pipe = tmp_path / "ids.txt", tmp_path / "pipe"
    path.write_bytes(b"first\n" + line + b"\nlast")
    os.mkfifo(pipe)
    writing = os.open(pipe, os.O_RDWR)
    found = asyncio.create_task(collect(pipe))
    await asyncio.to_thread(os.write, writing, path.read_bytes())
    os.close(writing)
    for each in (list(IdFile(path)), await found):
        assert each == ["first", *ids, "last"]
        assert each[-1].location.endswith(":3")


async def collect(pipe: Path) -> list[LocatedId]:
    """Read all ids from a pipe."""
    (source,) = open_sources((), [str(pipe)])
    assert isinstance(source, IdPipe)
    return [each async for each in source]


@pytest.mark.timeout(20)  # a line of 64 MB took longer, when each piece was added to all before
async def test_a_line_without_end() -> None:
    """A line's memory does not grow with its length, and its time only in proportion."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4096):
            yield b"x" * (1 << 16)

    tracemalloc.start()
    (line,) = [line async for line in split_lines(pieces(), "a pipe")]
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert len(line) < 2 * MAX_LINE_BYTES


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
async def test_utf_16(tmp_path: Path, encoding: str) -> None:
    """A UTF-16 file, as some editors write it, is one error, not an invalid id for each line."""
    path = tmp_path / "ids.txt"
    path.write_bytes("\ufeffa\nb\n".encode(encoding))
    with pytest.raises(OSError, match=r"ids.txt is UTF-16; save it as UTF-8"):
        list(IdFile(path))


async def test_a_pipe_that_cannot_be_read() -> None:
    """An error of the descriptor is raised to the reader of the chunks."""
    with pytest.raises(OSError, match="standard input cannot be read: Bad file descriptor"):
        await anext(aiter(read_chunks(-1, "standard input")))


async def test_reading_on_demand(caplog: pytest.LogCaptureFixture) -> None:
    """A pipe is read only on demand, and an abandoned reader does no harm."""
    reading, writing = os.pipe()
    os.write(writing, b"a\n")
    taken = aiter(read_chunks(reading, "standard input"))
    assert await anext(taken) == b"a\n"
    os.write(writing, b"b\n")
    assert os.read(reading, 10) == b"b\n"
    os.close(writing)
    os.close(reading)
    assert caplog.records == []
