"""The job of ``merge``: join the files of several machines, and check that no id is missing.

The ids are in a temporary database on the disk, whose sorting takes bounded memory. So a hundred
million sessions need no more memory than a thousand.
"""

import io
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

import click
import msgspec
from attrs import Factory, define, field

from raydocs_async.cli import _text
from raydocs_async.cli._exit import CannotStart, CommandFailed, ExitCode
from raydocs_async.cli._files import OutputFile
from raydocs_async.cli._gzip import GzipReader, compress
from raydocs_async.cli._ids import IdFile
from raydocs_async.cli._options import Columns
from raydocs_async.cli._output import refuse_other_formats
from raydocs_async.cli._printable import MAX_MESSAGE, printable
from raydocs_async.cli._scan import Damage, SessionRecord, classify, read_lines
from raydocs_async.cli._streams import find_standard_stream, is_same_file, say

_BUFFER: Final = 1 << 20
_SHOWN: Final = 5
"""Missing ids that are shown when no file takes them."""


class Record(NamedTuple):
    """One session's line in a part."""

    number: int
    """The line's number, from 0."""
    content: bytes
    """The whole line, with its end."""
    key: str
    """The session's id in lower case."""
    is_finished: bool


@define
class Part:
    """An output file of ``fetch``, open for reading."""

    name: str
    _file: IO[bytes]
    _is_gzip: bool
    warnings: dict[str, None] = field(factory=dict)
    """Messages about damage; a dict, because each reading finds the same."""
    _last: int | None = None
    """The number of the last line with a session, by the first complete reading. A command that
    still writes the file may have added lines since then."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a file; raise `CannotStart` if that is impossible."""
        name = printable(path)
        try:
            file = Path(path).open("rb")  # noqa: SIM115
        except OSError as exc:
            raise CannotStart(f"{name} cannot be read: {exc.strerror}") from None
        if not file.seekable():
            file.close()
            raise CannotStart(f"{name} cannot be read twice, because it is not a regular file")
        return cls(name, file, path.lower().endswith(".gz"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def read(self) -> Iterator[Record]:
        """Yield the sessions; each reading yields the same ones.

        Raises:
            CannotStart: another program wrote the file.
        """
        last = -1
        for record in self._read():
            if self._last is not None and record.number > self._last:
                break
            yield record
            last = record.number
        self._last = last

    def _read(self) -> Iterator[Record]:
        """Yield the sessions from the beginning.

        Raises:
            CannotStart: another program wrote the file.
        """
        # Through one descriptor: a command that resumes the file replaces it by another one.
        self._file.seek(0)
        unpacked = GzipReader(self._file) if self._is_gzip else None
        content: IO[bytes] = io.BufferedReader(unpacked, _BUFFER) if unpacked else self._file
        decoder = msgspec.json.Decoder(SessionRecord)
        for number, line in enumerate(read_lines(content)):
            match classify(line, decoder):
                case None:
                    self._check_damage(unpacked, content, number)
                    break
                case Damage() as damage:
                    self._warn(f"line {number + 1} is {damage.value}")
                case record:
                    body = line.content if line.has_end else line.content + b"\n"
                    yield Record(number, body, record.id.lower(), record.is_finished)
        # A file that is being written has no end yet, and nothing is lost.
        if unpacked is not None and unpacked.problem and not unpacked.is_truncated:
            self._warn("it is damaged")

    def _check_damage(self, unpacked: GzipReader | None, content: IO[bytes], number: int) -> None:
        """Refuse a line of another program, unless damage explains it."""
        # zlib can return wrong bytes before it detects damage, so the rest is read.
        while content.read(_BUFFER):
            pass
        if unpacked is None or unpacked.problem is None:
            raise CannotStart(f"{self.name}:{number + 1} was not written by fetch")

    def _warn(self, problem: str) -> None:
        self.warnings[f"{self.name}: {problem}, and was left out"] = None


@define
class Index:
    """The ids of the parts and of the input, in a temporary database.

    Rows are only appended; duplicates and gaps are found by sorting, which SQLite does on the disk.
    """

    _db: sqlite3.Connection = Factory(lambda: sqlite3.connect(""))

    def __attrs_post_init__(self) -> None:
        self._db.executescript(
            "CREATE TABLE line (key TEXT, is_finished INT, part INT, number INT);"
            "CREATE TABLE input (key TEXT, number INTEGER PRIMARY KEY);"
        )

    def close(self) -> None:
        """Delete the database."""
        self._db.close()

    def add_part(self, part: int, records: Iterable[Record]) -> None:
        """Add the sessions of a part."""
        rows = ((each.key, each.is_finished, part, each.number) for each in records)
        self._db.executemany("INSERT INTO line VALUES (?, ?, ?, ?)", rows)

    def add_input(self, keys: Iterable[str]) -> None:
        """Add ids that are asked for, in lower case."""
        rows = ((key,) for key in keys)
        self._db.executemany("INSERT INTO input (key) VALUES (?)", rows)

    def find_surplus(self) -> Iterator[tuple[int, int]]:
        """Yield part and number of all lines but the best one of each id, in their order.

        The best one is the first line of a finished session, or else the first line.
        """
        return self._db.execute(
            "SELECT part, number FROM (SELECT part, number, row_number() OVER"
            " (PARTITION BY key ORDER BY is_finished DESC, part, number) AS place FROM line)"
            " WHERE place > 1 ORDER BY part, number"
        )

    def find_missing(self) -> Iterator[str]:
        """Yield the ids that are asked for and have no finished session, in their order."""
        found = self._db.execute(
            "SELECT key FROM input WHERE key NOT IN (SELECT key FROM line WHERE is_finished)"
            " GROUP BY key ORDER BY min(number)"
        )
        return (key for (key,) in found)

    def count(self) -> "Counts":
        """Count the ids by where they are."""
        wanted, found, strange = self._db.execute(
            "SELECT (SELECT count(DISTINCT key) FROM input),"
            " (SELECT count(DISTINCT key) FROM line),"
            " (SELECT count(DISTINCT key) FROM line WHERE key NOT IN (SELECT key FROM input))"
        ).fetchone()
        surplus = sum(1 for _ in self.find_surplus())
        return Counts(wanted, found, sum(1 for _ in self.find_missing()), surplus, strange)


class Counts(NamedTuple):
    """Numbers of ids, each counted once, and of surplus lines."""

    wanted: int
    found: int
    missing: int
    surplus: int
    strange: int
    """Ids in the parts that nobody asked for."""


def run(
    parts: Sequence[str],
    inputs: Sequence[str],
    output: str,
    missing: str | None,
    columns: Columns | None = None,
) -> ExitCode:
    """Join `parts` in `output`, and compare them with the ids of `inputs`.

    Args:
        parts: Paths of output files of ``fetch``.
        inputs: Paths of files of ids.
        output: The path of the new file.
        missing: The path of a new file for the ids without a finished session.
        columns: Where the ids are, if the files of ids are tables.

    Raises:
        CannotStart: a file is unusable; nothing was written.
        CommandFailed: the output cannot be written; it does not exist.
        click.UsageError: options contradict each other; nothing was done.
    """
    if missing is not None and is_same_file(output, missing):
        raise click.UsageError("sessions and missing ids need separate files")
    try:
        with ExitStack() as stack:
            paths = filter(None, (output, missing))
            targets = [stack.enter_context(_open_target(each)) for each in paths]
            files = [stack.enter_context(Part.open(each)) for each in parts]
            sources = [IdFile(Path(each), columns) for each in inputs]
            return _merge(files, sources, targets, stack.enter_context(closing(Index())))
    except sqlite3.OperationalError as exc:  # the disk is full
        raise CommandFailed(f"the temporary database failed: {exc}", ExitCode.FAILED) from None


def _merge(
    parts: Sequence[Part], inputs: Sequence[IdFile], targets: Sequence[OutputFile], index: Index
) -> ExitCode:
    for number, part in enumerate(parts):
        index.add_part(number, part.read())
    for source in inputs:
        index.add_input(_read_ids(source))
    counts = index.count()
    output, *rest = targets
    lines = _select_lines(parts, index)
    _fill(output, compress(lines) if output.name.lower().endswith(".gz") else lines)
    for target in rest:
        _fill(target, (f"{key}\n".encode() for key in index.find_missing()))
    for warning in chain.from_iterable(part.warnings for part in parts):
        say(f"{warning}.", MAX_MESSAGE)
    for line in _summarize(counts, len(parts), index, [each.name for each in targets]):
        say(line)
    return ExitCode.FAILED if counts.missing else ExitCode.OK


def _select_lines(parts: Sequence[Part], index: Index) -> Iterator[bytes]:
    """Yield the lines of all parts that `index` has, but for the surplus ones."""
    surplus = index.find_surplus()
    skipped = next(surplus, None)
    for number, part in enumerate(parts):
        for record in part.read():
            if (number, record.number) == skipped:
                skipped = next(surplus, None)
            else:
                yield record.content


def _read_ids(source: IdFile) -> Iterator[str]:
    try:
        for found in source:
            yield found.lower()
    except OSError as exc:
        raise CannotStart(str(exc)) from None


@contextmanager
def _open_target(path: str) -> Iterator[OutputFile]:
    """Open a new file; remove it again if an exception ends the context."""
    if find_standard_stream(path) is not None:
        raise CannotStart("merge writes a file whole or not at all, so it needs a file's path")
    refuse_other_formats(path)
    file = OutputFile.open(path)
    try:
        _refuse_content(file)
        yield file
    except BaseException:
        file.discard()
        raise
    file.close()


def _refuse_content(file: OutputFile) -> None:
    if not file.is_own:
        raise CannotStart(f"{file.name} is not a regular file")
    if file.size:
        raise CannotStart(f"{file.name} exists already; move it away")


def _fill(target: OutputFile, content: Iterable[bytes]) -> None:
    try:
        target.fill(content)
    except OSError as exc:
        message = f"{target.name} cannot be written: {exc.strerror}"
        raise CommandFailed(message, ExitCode.FAILED) from None


def _summarize(counts: Counts, parts: int, index: Index, names: Sequence[str]) -> Iterator[str]:
    output, *rest = names
    sessions = _text.plural(counts.found, "session")
    yield f"{sessions} of {_text.plural(parts, 'file')} written to {output}."
    if counts.surplus:
        yield f"Left out {_text.plural(counts.surplus, 'line')} of ids that another line has."
    if counts.strange:
        yield f"Among them are {_text.plural(counts.strange, 'session')} of ids not in the input."
    if not counts.missing:
        yield f"No id of the input is missing ({counts.wanted})."
        return
    first = ", ".join(map(printable, islice(index.find_missing(), _SHOWN)))
    more = ", …; --missing FILE lists them" if counts.missing > _SHOWN else ""
    where = f"{rest[0]} lists them" if rest else f"{first}{more}"
    wanted = _text.plural(counts.wanted, "id")
    yield f"{counts.missing} of {wanted} have no finished session: {where}."
