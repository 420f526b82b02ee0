"""Lines of ids from files, pipes and terminals, in bounded time and memory."""

import asyncio
import codecs
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from attrs import define

from raydocs_async.cli._streams import read_some

MAX_LINE_BYTES: Final = 1024
"""Bytes that are kept of a line; an id has 36, so a longer line cannot be one."""

T = TypeVar("T")

_CHUNK: Final = 1 << 16
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@define
class LineSplitter:
    """Splits bytes into lines.

    White space before a line's text is dropped. A line longer than `MAX_LINE_BYTES` is cut there,
    and ``…`` is added.
    """

    name: str
    """The input's name, for error messages."""
    _line: bytes = b""
    """The current line so far."""
    _is_cut: bool = False
    _has_begun: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Add some bytes; yield the lines that they complete.

        Raises:
            OSError: the bytes are UTF-16, in which every line would be an invalid id.
        """
        if not self._has_begun and piece.startswith(_UTF_16):
            raise OSError(f"{self.name} is UTF-16; save it as UTF-8")
        self._has_begun = True
        *completed, rest = piece.split(b"\n")
        for part in completed:
            self._append(part)
            yield self._pop()
        self._append(rest)

    def close(self) -> Iterator[bytes]:
        """Yield the last line, if the input ended within it."""
        if self._line:
            yield self._pop()

    def _append(self, part: bytes) -> None:
        # Leading white space goes, because a line of blanks longer than the limit would otherwise
        # hide an id behind them.
        line = self._line + part if self._line else part.lstrip()
        self._is_cut = self._is_cut or bool(line[MAX_LINE_BYTES:].strip())
        # Keeping all of it would make a file without line ends take quadratic time.
        self._line = line[:MAX_LINE_BYTES]

    def _pop(self) -> bytes:
        line = self._line + "…".encode() if self._is_cut else self._line
        self._line, self._is_cut = b"", False
        return line


def read_file(path: Path, name: str) -> Iterator[bytes]:
    """Yield the lines of a file.

    Raises:
        OSError: the file, which `name` names, cannot be read, or is UTF-16.
    """
    splitter = LineSplitter(name)
    with _name_errors(name, lambda: path.open("rb", buffering=0)) as file:
        while piece := _name_errors(name, file.read, _CHUNK):
            yield from splitter.feed(piece)
    yield from splitter.close()


def _name_errors(name: str, function: Callable[..., T], *args: Any) -> T:
    """Call a function; its `OSError` names the input, because a job can have several."""
    try:
        return function(*args)
    except OSError as exc:
        raise OSError(f"{name} cannot be read: {exc.strerror}") from None


async def split_lines(pieces: AsyncIterable[bytes], name: str) -> AsyncIterator[bytes]:
    """Yield the lines of a stream of bytes, however it is cut into pieces.

    Raises:
        OSError: the stream, which `name` names, is UTF-16.
    """
    splitter = LineSplitter(name)
    async for piece in pieces:
        for line in splitter.feed(piece):
            yield line
    for line in splitter.close():
        yield line


async def read_chunks(fd: int, name: str) -> AsyncIterator[bytes]:
    """Yield the content of a pipe or a terminal, read no faster than the caller asks for it.

    Raises:
        OSError: the input, which `name` names, cannot be read.
    """
    # In a thread, because the loop's own readers make a descriptor non-blocking for all processes
    # that share it, and cannot watch regular files, nor anything but sockets on Windows.
    while piece := await asyncio.to_thread(_name_errors, name, read_some, fd, _CHUNK):
        yield piece
