"""Sources of session ids, and the selection of those to fetch."""

import asyncio
import codecs
import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Set
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

from attrs import define, field, frozen

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._id_tables import read_table, read_text_table, refuse_table
from raydocs_async.cli._lines import read_chunks, read_file, split_lines
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._options import Columns
from raydocs_async.cli._printable import printable
from raydocs_async.cli._shard import Shard
from raydocs_async.cli._streams import DASH, InputStream

_ID_LENGTH: Final = 36

IdSource: TypeAlias = Iterable[LocatedId] | AsyncIterable[LocatedId]


def parse_line(line: bytes, location: str) -> LocatedId | None:
    """Return the id in a line; ``None`` for an empty line or a comment (``#``).

    Undecodable bytes become an invalid id, reported with file and line.
    """
    text = decode(line.removeprefix(codecs.BOM_UTF8)).strip()
    return LocatedId(text, location) if text and not text.startswith("#") else None


def decode(raw: bytes) -> str:
    """Decode bytes of any kind to text that can be encoded again."""
    return raw.decode("utf-8", "backslashreplace")


@define
class IdFilter:
    """Accepts each id of a shard once, but not those that are `seen`."""

    shard: Shard
    seen: set[str] = field(factory=set)
    """Ids in lower case."""

    def accept(self, session_id: str) -> bool:
        """Return True if an id is to be fetched; the filter will refuse it from then on."""
        key = session_id.lower()
        if key in self.seen or not self.shard.includes(key):
            return False
        self.seen.add(key)
        return True


@define
class LineParser:
    """Finds the ids in the lines of a file."""

    name: str
    _number: int = 0
    _has_begun: bool = False

    def parse(self, line: bytes) -> LocatedId | None:
        """Return the id in the next line; ``None`` for an empty line or a comment.

        Raises:
            OSError: the file is a table, in which every line would be an invalid id.
        """
        self._number += 1
        found = parse_line(line, f"{self.name}:{self._number}")
        if found is not None and not self._has_begun:
            self._has_begun = True
            refuse_table(line.removeprefix(codecs.BOM_UTF8).strip(), self.name)
        return found


@frozen
class IdFile:
    """A regular file of ids, one a line or in a column; it can be read any number of times."""

    path: Path
    columns: Columns | None = None

    def __iter__(self) -> Iterator[LocatedId]:
        name = printable(str(self.path))
        if self.columns is not None:
            yield from read_table(self.path, name, self.columns)
            return
        parser = LineParser(name)
        for line in read_file(self.path, name):
            if (found := parser.parse(line)) is not None:
                yield found


@frozen
class IdPipe:
    """A pipe or a terminal that delivers ids, one a line or in a column, and only once."""

    fd: int
    name: str
    columns: Columns | None = None

    async def __aiter__(self) -> AsyncIterator[LocatedId]:
        if self.columns is not None:
            rows = read_text_table(io.BufferedReader(InputStream(self.fd)), self.name, self.columns)
            # In a thread, because a pipe can block.
            while (row := await asyncio.to_thread(next, rows, None)) is not None:
                yield row
            return
        parser = LineParser(self.name)
        async for line in split_lines(read_chunks(self.fd, self.name), self.name):
            if (found := parser.parse(line)) is not None:
                yield found


@frozen
class CountableIds:
    """The selected ids of sources that can be read more than once.

    They are read for the length, which the progress display needs, and again for each iteration.
    So a file of millions of ids is never in memory.
    """

    sources: tuple[Iterable[LocatedId], ...]
    shard: Shard
    finished: Set[str]

    def __iter__(self) -> Iterator[LocatedId]:
        id_filter = IdFilter(self.shard, set(self.finished))
        return filter(id_filter.accept, chain.from_iterable(self.sources))

    def __len__(self) -> int:
        return sum(1 for _ in self)


SelectedIds: TypeAlias = CountableIds | AsyncIterator[LocatedId]


def select_ids(sources: tuple[IdSource, ...], shard: Shard, finished: Set[str]) -> SelectedIds:
    """Return the ids of a shard, each once, without those that are `finished`.

    They can be counted if all sources can be read more than once.
    """
    repeatable = tuple(each for each in sources if not isinstance(each, AsyncIterable))
    if len(repeatable) == len(sources):
        return CountableIds(repeatable, shard, finished)
    return _filter_sources(sources, IdFilter(shard, set(finished)))


async def _filter_sources(
    sources: tuple[IdSource, ...], id_filter: IdFilter
) -> AsyncIterator[LocatedId]:
    for source in sources:
        if isinstance(source, AsyncIterable):
            async for each in source:
                if id_filter.accept(each):
                    yield each
        else:
            for each in filter(id_filter.accept, source):
                yield each


def open_sources(
    arguments: Iterable[str], files: Iterable[str], columns: Columns | None = None
) -> tuple[IdSource, ...]:
    """Open the sources of ids: the arguments, the files, and standard input for a ``-`` in either.

    Raises:
        CannotStart: a file cannot be read, or is a table without the columns; a file is given in
            place of an id; or there is no source at all.
    """
    numbered = [(n, text) for n, text in enumerate(arguments, 1) if text != DASH]
    for _, text in numbered:
        _refuse_file_name(text)
    ids = [LocatedId(decode(os.fsencode(text)), f"argument {n}") for n, text in numbered]
    sources: list[IdSource] = [ids] if ids else []
    if DASH in (*arguments, *files):
        sources.append(_open_stdin(columns))
    sources.extend(_open(path, columns) for path in files if path != DASH)
    if not sources:
        raise CannotStart(
            "no ids: give them as arguments, in a file with -i, or on standard input with -"
        )
    return tuple(sources)


def _refuse_file_name(text: str) -> None:
    # `Path.is_file` raises for a text that is too long to be a name. The length is compared
    # because a session must be fetchable beside a file that has its id as a name.
    if len(text) != _ID_LENGTH and os.path.isfile(text):  # noqa: PTH113
        raise CannotStart(f"{text} is a file: give it with -i")


def _open_stdin(columns: Columns | None) -> IdPipe:
    try:
        os.read(0, 0)
    except OSError as exc:
        raise CannotStart(f"standard input cannot be read: {exc.strerror}") from None
    return IdPipe(0, "standard input", columns)


def _open(path: str, columns: Columns | None) -> IdFile | IdPipe:
    """Open a regular file as one, and anything else, such as ``<(command)``, as a pipe."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                # A pipe must stay open: its writer would be killed by SIGPIPE if this one closed.
                return IdPipe(os.dup(file.fileno()), printable(path), columns)
    except OSError as exc:
        raise CannotStart(f"{path} cannot be read: {exc.strerror}") from None
    source = IdFile(Path(path), columns)
    try:
        next(iter(source), None)  # refuses most files that have to be refused
    except OSError as exc:
        raise CannotStart(str(exc)) from None
    return source
