"""Where ids come from, and which of them are wanted."""

import asyncio
import codecs
import os
import stat
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Set
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar

from attrs import define, field, frozen

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._printable import printable
from raydocs_async.cli._streams import read_some

T = TypeVar("T")

LONGEST_LINE: Final = 1024
"""Bytes that are read of a line; an id has 36, and a longer line cannot be one."""

_CHUNK = 1 << 16
_ID_LENGTH = 36
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Id(str):
    """An id as it was given, that knows where."""

    __slots__ = ("where",)
    where: str

    def __new__(cls, text: str, where: str) -> Self:
        """Keep `where` beside the text: ``ids.txt:3``."""
        self = super().__new__(cls, text)
        self.where = where
        return self


Source: TypeAlias = Iterable[Id] | AsyncIterable[Id]


def parse_line(line: bytes, where: str) -> Id | None:
    """The id in a line of a file; ``None`` for an empty line or a comment (``#``).

    Undecodable bytes become an invalid id, reported with file and line.
    """
    text = decode(line.removeprefix(codecs.BOM_UTF8)).strip()
    return Id(text, where) if text and not text.startswith("#") else None


def decode(given: bytes) -> str:
    """Text that can be encoded again, whatever the bytes are."""
    return given.decode("utf-8", "backslashreplace")


@define
class LineSplitter:
    """Cuts bytes into lines, in time and memory that no line can spoil.

    Spaces before a line's text are dropped. Of a line longer than `LONGEST_LINE`, only the
    beginning is kept, with ``…`` behind it.
    """

    name: str
    """Of the input, for its error."""
    _line: bytes = b""
    _is_cut: bool = False
    _has_begun: bool = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take some bytes; return the lines that they end.

        Raises:
            OSError: the bytes are UTF-16, in which every line would be an invalid id.
        """
        if not self._has_begun and piece.startswith(_UTF_16):
            raise OSError(f"{self.name} is UTF-16; save it as UTF-8")
        self._has_begun = True
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._take()
        self._add(rest)

    def close(self) -> Iterator[bytes]:
        """Return the last line, if it has no end."""
        if self._line:
            yield self._take()

    def _add(self, part: bytes) -> None:
        line = self._line + part if self._line else part.lstrip()
        self._is_cut = self._is_cut or bool(line[LONGEST_LINE:].strip())
        self._line = line[:LONGEST_LINE]

    def _take(self) -> bytes:
        line = self._line + "…".encode() if self._is_cut else self._line
        self._line, self._is_cut = b"", False
        return line


@define
class Wanted:
    """Tells the ids to fetch: those of the shard that are neither there already nor given twice."""

    shard: tuple[int, int] = (1, 1)
    """Which part, and of how many; a part is chosen by a hash, the same one everywhere."""
    seen: set[str] = field(factory=set)
    """Ids in lower case."""

    def needs(self, given: Id) -> bool:
        """Whether it is to be fetched; from then on it is not."""
        key = given.lower()
        index, count = self.shard
        if key in self.seen or zlib.crc32(key.encode()) % count != index - 1:
            return False
        self.seen.add(key)
        return True


@frozen
class IdFile:
    """The ids in a file, one a line; it can be read any number of times."""

    path: Path

    def __iter__(self) -> Iterator[Id]:
        name = printable(str(self.path))
        for number, line in enumerate(_lines_in(self.path, name), 1):
            if (found := parse_line(line, f"{name}:{number}")) is not None:
                yield found


@frozen
class IdPipe:
    """The ids that come out of a pipe or a terminal, one a line."""

    fd: int
    name: str

    async def __aiter__(self) -> AsyncIterator[Id]:
        number = 0
        async for line in split_lines(chunks(self.fd, self.name), self.name):
            number += 1
            if (found := parse_line(line, f"{self.name}:{number}")) is not None:
                yield found


@frozen
class Selection:
    """The wanted ids of sources that can be read again, and so be counted."""

    sources: tuple[Iterable[Id], ...]
    shard: tuple[int, int]
    done: Set[str]

    def __iter__(self) -> Iterator[Id]:
        return filter(Wanted(self.shard, set(self.done)).needs, chain.from_iterable(self.sources))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def find_sources(arguments: Iterable[str], files: Iterable[str]) -> tuple[Source, ...]:
    """Where the ids are: in the arguments, in files, and in standard input for a ``-`` in either.

    Raises:
        CannotStart: a file cannot be read, or is given as an id; or there is none of all that.
    """
    given = [(n, text) for n, text in enumerate(arguments, 1) if text != "-"]
    for _, text in given:
        _refuse_file(text)
    ids = [Id(decode(os.fsencode(text)), f"argument {n}") for n, text in given]
    sources: list[Source] = [ids] if ids else []
    if "-" in (*arguments, *files):
        sources.append(_open_stdin())
    sources.extend(_open(path) for path in files if path != "-")
    if not sources:
        raise CannotStart("no ids: give them as arguments, in a file with -i, or - to read them")
    return tuple(sources)


Ids: TypeAlias = Selection | AsyncIterator[Id]


def select(sources: tuple[Source, ...], shard: tuple[int, int], done: Set[str]) -> Ids:
    """The ids to fetch, without those that are `done`; counted, if that is possible."""
    repeatable = tuple(each for each in sources if not isinstance(each, AsyncIterable))
    if len(repeatable) == len(sources):
        return Selection(repeatable, shard, done)
    return _filter(sources, Wanted(shard, set(done)))


async def _filter(sources: tuple[Source, ...], wanted: Wanted) -> AsyncIterator[Id]:
    for source in sources:
        if isinstance(source, AsyncIterable):
            async for each in source:
                if wanted.needs(each):
                    yield each
        else:
            for each in filter(wanted.needs, source):
                yield each


def _refuse_file(text: str) -> None:
    # `Path.is_file` raises for a text that is too long to be a name.
    if len(text) != _ID_LENGTH and os.path.isfile(text):  # noqa: PTH113
        raise CannotStart(f"{text} is a file: give it with -i")


def _open_stdin() -> IdPipe:
    try:
        os.read(0, 0)
    except OSError as exc:
        raise CannotStart(f"standard input cannot be read: {exc.strerror}") from None
    return IdPipe(0, "standard input")


def _open(path: str) -> IdFile | IdPipe:
    """A file as it is; what is no regular one (a pipe, a shell's substitution) as a pipe."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return IdFile(Path(path))
            return IdPipe(os.dup(file.fileno()), printable(path))
    except OSError as exc:
        raise CannotStart(f"{path} cannot be read: {exc.strerror}") from None


def _lines_in(path: Path, name: str) -> Iterator[bytes]:
    splitter = LineSplitter(name)
    with _naming(name, lambda: path.open("rb", buffering=0)) as file:
        while piece := _naming(name, file.read, _CHUNK):
            yield from splitter.feed(piece)
    yield from splitter.close()


def _naming(name: str, function: Callable[..., T], *args: Any) -> T:
    """Make a call; its `OSError` names the input, of which there can be many."""
    try:
        return function(*args)
    except OSError as exc:
        raise OSError(f"{name} cannot be read: {exc.strerror}") from None


async def split_lines(pieces: AsyncIterable[bytes], name: str) -> AsyncIterator[bytes]:
    """Whole lines from pieces of any length.

    Raises:
        OSError: `name` is UTF-16.
    """
    splitter = LineSplitter(name)
    async for piece in pieces:
        for line in splitter.feed(piece):
            yield line
    for line in splitter.close():
        yield line


async def chunks(fd: int, name: str) -> AsyncIterator[bytes]:
    """What comes out of a pipe or a terminal, read in a thread no faster than it is asked for.

    A thread is what works everywhere, and leaves the descriptor blocking, as those who share it
    expect it.

    Raises:
        OSError: it cannot be read; the error calls it by `name`.
    """
    while piece := await asyncio.to_thread(_naming, name, read_some, fd, _CHUNK):
        yield piece
