"""Where ids come from, and which of them are wanted."""

import asyncio
import contextlib
import os
import queue
import stat
import threading
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Set
from itertools import chain
from pathlib import Path
from typing import Self, TypeAlias

from attrs import define, field, frozen

from raydocs_async.cli._exit import CannotStart

_CHUNK = 1 << 16
_ID_LENGTH = 36


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

    What is no text becomes an id that is none, and so is named with its line, like any other.
    """
    text = line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace").strip()
    return Id(text, where) if text and not text.startswith("#") else None


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
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if (found := parse_line(line, f"{self.path}:{number}")) is not None:
                    yield found


@frozen
class IdPipe:
    """The ids that come out of a pipe or a terminal, one a line."""

    fd: int
    name: str

    async def __aiter__(self) -> AsyncIterator[Id]:
        number = 0
        async for line in split_lines(chunks(self.fd)):
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
    given = [Id(text, f"argument {n}") for n, text in enumerate(arguments, 1) if text != "-"]
    sources: list[Source] = [given] if given else []
    for text in given:
        _refuse_file(text)
    if "-" in (*arguments, *files):
        sources.append(IdPipe(0, "standard input"))
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


def _open(path: str) -> IdFile | IdPipe:
    """A file as it is; what is no regular one (a pipe, a shell's substitution) as a pipe."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return IdFile(Path(path))
            return IdPipe(os.dup(file.fileno()), path)
    except OSError as exc:
        raise CannotStart(f"{path} cannot be read: {exc.strerror}") from None


async def split_lines(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Whole lines from pieces of any length."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


async def chunks(fd: int) -> AsyncIterator[bytes]:
    """What comes out of a pipe or a terminal, read in a thread no faster than it is asked for.

    A thread is what works everywhere, and leaves the descriptor blocking, as those who share it
    expect it. It is a daemon: a read that never returns must not keep the process from ending.

    Raises:
        OSError: it cannot be read.
    """
    loop = asyncio.get_running_loop()
    asked: queue.SimpleQueue[None] = queue.SimpleQueue()
    got: asyncio.Queue[bytes | OSError] = asyncio.Queue()

    def read() -> None:
        """Read once each time it is asked to."""
        while True:
            asked.get()
            try:
                found: bytes | OSError = os.read(fd, _CHUNK)
            except OSError as exc:
                found = exc
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(got.put_nowait, found)

    threading.Thread(target=read, name="raydocs-async ids", daemon=True).start()
    while True:
        asked.put(None)
        found = await got.get()
        if isinstance(found, OSError):
            raise found
        if not found:
            return
        yield found
