"""Files of JSON Lines that can be cut off at any moment, and resumed.

A record is one whole line, and a file only grows by whole lines. `_scan` tells what an earlier
run has left, `_files` keeps the file, `_gzip` packs it if its name ends with ``.gz``.
"""

import contextlib
import errno
import io
import re
import threading
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final, Self

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import File
from raydocs_async.cli._gzip import GzipReader, GzipWriter, pack
from raydocs_async.cli._printable import printable
from raydocs_async.cli._scan import ForeignLine, Kind, Scan, Shard, Span, scan
from raydocs_async.cli._streams import find_standard, write_all

_CHUNK: Final = 1 << 20
_OTHER_FORMATS: Final = re.compile(
    r"\.(7z|arrow|avro|br|bz2|csv|db|duckdb|feather|html|json|lz4|ods|orc|parquet|pq|sqlite3?|tar"
    r"|tgz|tsv|xlsx?|xml|xz|ya?ml|zip|zst)(\.gz)?\Z",
    re.IGNORECASE,
)


class OutputError(Exception):
    """Output cannot be written any more: a full disk, a closed pipe."""


def refuse_other_formats(path: str) -> None:
    """Refuse a file name that promises another format.

    Raises:
        CannotStart: it does.
    """
    name = PurePath(path).name
    if found := _OTHER_FORMATS.search(name):
        better = printable(f"{name[: found.start()]}.jsonl")
        raise CannotStart(
            f"{printable(path)}: the format is JSON Lines; name it {better}, or {better}.gz to "
            "compress it. For tables (CSV, Parquet, SQLite, …), see 'Make a table of the results' "
            "in the documentation"
        )


class JsonLines:
    """A file that grows by whole lines; it can be closed while a thread writes to it."""

    def __init__(self, file: File, found: Scan | None = None, *, is_packed: bool = False) -> None:
        self._file = file
        self._found = found or Scan()
        self._packer = GzipWriter() if is_packed else None
        self._is_packed = is_packed
        self._size = file.size
        """Bytes up to the end of the last whole line."""
        self._end = b""
        """What follows them: the end of the compressed stream."""
        self._in_use = threading.Lock()
        self._is_closed = False

    @classmethod
    def open(cls, path: str, kind: Kind, *, resume: bool = False) -> Self:
        """Open a new file, or one of an earlier run, and keep other processes from writing to it.

        Nothing in the file is changed before `begin`.

        Raises:
            CannotStart: it cannot be written; its name promises another format; something is in
                it, and `resume` is not set, or it is not of this `kind`; another process is
                writing to it.
        """
        is_packed = path.lower().endswith(".gz")
        if (fd := find_standard(path)) is None:
            refuse_other_formats(path)
            file = File.open(path)
        else:
            file = File.borrow(fd)
        try:
            found = _take_over(file, kind, resume=resume, is_packed=is_packed)
        except BaseException:
            file.undo()
            raise
        return cls(file, found, is_packed=is_packed)

    @property
    def name(self) -> str:
        """For people."""
        return self._file.name

    @property
    def ids(self) -> set[str]:
        """The ids, in lower case, that were in it already, and need not be fetched again."""
        return self._found.ids

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The ids, in lower case, of sessions that were in it, but were not finished."""
        return tuple(self._found.unfinished)

    def differs(self, shard: Shard) -> Shard | None:
        """The `--shard` that it was begun with, if that was not this one."""
        return self._found.split.differs(shard, len(self.ids) + len(self.unfinished))

    @property
    def can_be_resumed(self) -> bool:
        """True if another run can go on with it: a pipe and a device keep no lines."""
        return self._file.is_regular

    @property
    def is_terminal(self) -> bool:
        """True if a person sees what is written."""
        return self._file.raw.isatty()

    def take_notes(self) -> list[str]:
        """What people should know about the file; each note once."""
        notes, self._file.notes = self._file.notes, []
        return notes

    def begin(self) -> None:
        """Drop what cannot be kept of an earlier run's lines.

        Raises:
            CannotStart: that cannot be done; the file is as it was.
        """
        self._file.notes.extend(self._found.notes(self.name))
        if not self._found.is_whole:
            try:
                self._drop(self._found.kept, b"\n" * self._found.lacks_end)
            except OSError as exc:
                raise CannotStart(f"{self.name} cannot be written: {exc.strerror}") from None
        self._size = self._file.size

    def _drop(self, kept: list[Span], end: bytes) -> None:
        """Keep these parts and add the `end`; in place, if all else is behind them."""
        if not kept or (len(kept) == 1 and kept[0][0] == 0 and not self._is_packed):
            size = kept[0][1] if kept else 0
            self._file.raw.truncate(size)
            self._file.raw.seek(size)
            write_all(self._file.raw, end)
            return
        content, _ = _content(self._file, is_packed=self._is_packed)
        parts = _parts(content, kept, end)
        self._file.replace(pack(parts) if self._is_packed else parts)

    def write(self, record: bytes) -> None:
        """Add one record: JSON without the line's end.

        Raises:
            OutputError: it could not be added; what was there before is as it was.
        """
        with self._in_use:
            if self._is_closed:  # the interrupted call that closed it did not wait for this one
                raise OutputError(f"{self.name} is closed")
            body, end, packer = record + b"\n", b"", None
            if self._packer is not None:
                body, end, packer = self._packer.add(body)
            self._put(body, end)
            self._packer = packer

    def _put(self, body: bytes, end: bytes) -> None:
        """Write in place of the last end."""
        self._check()
        if self._file.is_regular:
            self._file.raw.seek(self._size)
        elif self._file.can_shrink:  # a standard stream, to which others may write
            self._size = self._file.size
        try:
            write_all(self._file.raw, body + end)
        except OSError as exc:
            self._restore()
            raise OutputError(f"{self.name} cannot be written any more: {exc.strerror}") from None
        except BaseException:
            self._restore()
            raise
        self._size += len(body)
        self._end = end

    def _check(self) -> None:
        """Refuse to go on in a file that another process has taken away or changed."""
        if not self._file.is_regular:
            return
        if not self._file.is_in_place():
            raise OutputError(f"{self.name} was moved or deleted by another process")
        if self._file.size != self._size + len(self._end):
            raise OutputError(f"{self.name} was changed by another process")

    def _restore(self) -> None:
        """Remove what was written of a record that did not fit."""
        if self._file.can_shrink:
            end, self._end = self._end, b""
            with contextlib.suppress(OSError):  # there is a better error to report
                self._file.raw.seek(self._size)
                write_all(self._file.raw, end)  # before any cut: there is room, it was there
                self._end = end
            with contextlib.suppress(OSError):
                self._file.raw.truncate(self._size + len(self._end))

    def clear(self) -> None:
        """Remove all lines of an earlier run, where it is a file that has lines."""
        if self._file.is_regular:
            self._file.raw.truncate(0)
            self._size = 0

    def undo(self) -> None:
        """Close it with nothing written; remove it if `open` made it."""
        self._file.undo()

    def close(self) -> None:
        """See it to the disk, and close it, unless a thread is in the middle of a line.

        Raises:
            OutputError: not all of it may be there.
        """
        if not self._in_use.acquire(blocking=False):
            if self._file.is_regular:
                raise OutputError(
                    f"{self.name} may not be complete: a line was still being written"
                )
            return
        try:
            self._close()
        finally:
            self._in_use.release()

    def _close(self) -> None:
        try:
            try:
                self._check()
                if self._packer is not None and not self._size:
                    self._put(*self._packer.add(b"")[:2])  # an empty file is no gzip file
            finally:
                self._is_closed = True
                self._file.close()
        except OSError as exc:
            raise OutputError(f"{self.name} may not be complete: {exc.strerror}") from None


def _take_over(file: File, kind: Kind, *, resume: bool, is_packed: bool) -> Scan:
    """Read what is in a file."""
    if not file.is_regular:
        if is_packed:
            raise CannotStart(f"{file.name} is no regular file, so nothing is compressed into it")
        return Scan()
    if file.size and not resume:
        raise CannotStart(
            f"{file.name} is there already; go on with it (--resume), or move it away"
        )
    content, packed = _content(file, is_packed=is_packed)

    def is_damaged() -> bool:
        """Whether reading on comes to a place from where on nothing can be unpacked."""
        while content.read(_CHUNK):
            pass
        return packed is not None and packed.problem is not None

    try:
        found = scan(content, kind, is_damaged)
    except ForeignLine as exc:
        raise CannotStart(f"{file.name}:{exc} was not written by this command") from None
    if packed is not None and packed.problem is not None:
        _judge(file, packed, found)
    return found


def _judge(file: File, packed: GzipReader, found: Scan) -> None:
    """Decide on a compressed file that cannot be read to its end."""
    if packed.is_altered:
        raise CannotStart(f"{file.name} is damaged: its content does not match its checksum")
    if found.has_none and not packed.is_torn and not _is_all_holes(file):
        raise CannotStart(f"{file.name} was not written by this command")
    found.is_cut = True
    if not packed.is_torn:
        file.notes.append(f"{file.name}: damaged; dropped what follows the last readable line")


def _is_all_holes(file: File) -> bool:
    content, _ = _content(file, is_packed=False)
    return not any(piece.strip(b"\0") for piece in iter(lambda: content.read(_CHUNK), b""))


def _content(file: File, *, is_packed: bool) -> tuple[io.BufferedReader, GzipReader | None]:
    """The content from its beginning, read from the descriptor that is locked."""
    file.raw.seek(0)
    plain = open(file.raw.fileno(), "rb", closefd=False)  # noqa: SIM115
    if not is_packed:
        return plain, None
    packed = GzipReader(plain)
    return io.BufferedReader(packed, _CHUNK), packed


def _parts(content: io.BufferedReader, spans: list[Span], end: bytes) -> Iterator[bytes]:
    """The bytes of some spans, and the `end`."""
    at = 0
    for first, last in spans:
        while at < last:
            piece = content.read(min(_CHUNK, (last if at >= first else first) - at))
            if not piece:
                raise OSError(errno.EIO, "it was changed by another process")
            if at >= first:
                yield piece
            at += len(piece)
    yield end
