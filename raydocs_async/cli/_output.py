"""Files of JSON Lines that survive interruption at any moment, and can be resumed.

A record is one whole line, and a file only grows by whole lines. `_scan` classifies the lines of
an earlier run, `_files` opens and locks the file, `_gzip` compresses one that ends in ``.gz``.
"""

import contextlib
import errno
import io
import re
import shlex
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final, Self

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import OutputFile
from raydocs_async.cli._gzip import GzipReader, GzipWriter, compress
from raydocs_async.cli._options import TABLE_FORMATS
from raydocs_async.cli._printable import printable
from raydocs_async.cli._scan import (
    FailureRecord,
    ForeignLineError,
    RecordType,
    ResumeState,
    SessionRecord,
    Span,
    scan,
)
from raydocs_async.cli._streams import find_standard_stream, write_all

_CHUNK: Final = 1 << 20
_AGAIN: Final = {
    SessionRecord: "sessions to fetch again, because they were not finished",
    FailureRecord: "ids to try again, because their failures were temporary",
}
"""Descriptions of the ids whose lines are dropped, by the type of the records."""
_OTHER_FORMATS: Final = re.compile(
    r"\.(7z|arrow|avro|br|bz2|csv|db|duckdb|feather|html|json|lz4|ods|orc|parquet|pq|sqlite3?|tar"
    r"|tgz|tsv|xlsx?|xml|xz|ya?ml|zip|zst)(\.gz)?\Z",
    re.IGNORECASE,
)


class OutputError(Exception):
    """Raised when the output can no longer be written: a full disk, a closed pipe."""


class JsonLinesFile:
    """A file that grows by whole lines; it can be closed while a thread writes to it."""

    def __init__(
        self,
        file: OutputFile,
        state: ResumeState | None = None,
        *,
        record_type: RecordType = SessionRecord,
        is_gzip: bool = False,
    ) -> None:
        self._file = file
        self._record_type = record_type
        self._state = state or ResumeState()
        self._is_gzip = is_gzip
        self._writer = GzipWriter() if is_gzip else None
        self._size = file.size
        """Bytes up to the end of the last whole line."""
        self._trailer = b""
        """The end of the compressed stream, which follows them."""
        self._lock = threading.Lock()
        """Held by a thread that writes a record."""
        self._is_closed = False

    @classmethod
    def open(cls, path: str, record_type: RecordType, *, resume: bool = False) -> Self:
        """Open a new file, or one of an earlier run, and lock it against other processes.

        The content of the file is unchanged before `repair`.

        Raises:
            CannotStart: the file cannot be written; its name promises another format; it has
                content, and `resume` is not set or a line is not of the `record_type`; another
                process is writing to it.
        """
        is_gzip = path.lower().endswith(".gz")
        if (fd := find_standard_stream(path)) is None:
            refuse_other_formats(path)
            file = OutputFile.open(path)
        else:
            file = OutputFile.borrow(fd)
        try:
            state = _scan_content(file, record_type, resume=resume, is_gzip=is_gzip)
        except BaseException:
            file.discard()
            raise
        return cls(file, state, record_type=record_type, is_gzip=is_gzip)

    @property
    def name(self) -> str:
        """The name that messages use."""
        return self._file.name

    @property
    def finished_ids(self) -> set[str]:
        """Ids in lower case that an earlier run wrote, and that are not fetched again."""
        return self._state.finished

    @property
    def kinds(self) -> Counter[str]:
        """Lines of an earlier run that are kept, by their status or the name of the exception."""
        return self._state.kinds

    @property
    def unfinished(self) -> dict[str, bytes | None]:
        """Sessions that an earlier run wrote before they were finished: ids, and kept values."""
        return self._state.unfinished

    @property
    def earlier(self) -> ResumeState:
        """The state of the file that an earlier run wrote."""
        return self._state

    @property
    def is_resumable(self) -> bool:
        """True if another run can resume the file: a pipe and a device keep no lines."""
        return self._file.is_own

    @property
    def is_terminal(self) -> bool:
        """True if the file is a terminal."""
        return self._file.raw.isatty()

    def pop_warnings(self) -> list[str]:
        """Return the warnings about the file, each one only once."""
        warnings, self._file.warnings = self._file.warnings, []
        return warnings

    def repair(self) -> None:
        """Drop the lines of an earlier run that cannot be kept.

        Raises:
            CannotStart: that is impossible; the file is unchanged.
        """
        self._file.warnings.extend(self._state.describe_drops(self.name, _AGAIN[self._record_type]))
        if not self._state.is_intact:
            try:
                self._rewrite(self._state.spans, b"\n" * self._state.lacks_newline)
            except OSError as exc:
                raise CannotStart(f"{self.name} cannot be written: {exc.strerror}") from None
        self._size = self._file.size

    def _rewrite(self, spans: list[Span], end: bytes) -> None:
        """Keep some spans, and append `end`; in place if only the rest of the file is dropped."""
        if not spans or (len(spans) == 1 and spans[0][0] == 0 and not self._is_gzip):
            size = spans[0][1] if spans else 0
            self._file.raw.truncate(size)
            self._file.raw.seek(size)
            write_all(self._file.raw, end)
            return
        content, _ = _open_content(self._file, is_gzip=self._is_gzip)
        kept = _read_spans(content, spans, end)
        self._file.replace(compress(kept) if self._is_gzip else kept)

    def write(self, record: bytes) -> None:
        """Append one record: JSON without the line's end.

        Raises:
            OutputError: that failed; the earlier content is unchanged.
        """
        with self._lock:
            # An interrupt leaves the thread of a write behind, which can come here after `close`.
            if self._is_closed:
                raise OutputError(f"{self.name} is closed")
            body, trailer, writer = record + b"\n", b"", None
            if self._writer is not None:
                body, trailer, writer = self._writer.add(body)
            self._append(body, trailer)
            self._writer = writer

    def _append(self, body: bytes, trailer: bytes) -> None:
        """Write over the last trailer."""
        self._check_unchanged()
        if self._file.is_own:
            self._file.raw.seek(self._size)
        elif self._file.can_truncate:
            # A standard stream that leads to a file, to which messages and other processes write,
            # too. A failed line is cut off at the file's present end, not at our last one.
            self._size = self._file.size
        try:
            write_all(self._file.raw, body + trailer)
        except OSError as exc:
            self._roll_back()
            raise OutputError(f"{self.name} cannot be written any more: {exc.strerror}") from None
        except BaseException:
            self._roll_back()
            raise
        self._size += len(body)
        self._trailer = trailer

    def _check_unchanged(self) -> None:
        """Refuse a file that another process has moved, deleted or changed."""
        if not self._file.is_own:
            return
        if not self._file.is_in_place():
            raise OutputError(f"{self.name} was moved or deleted by another process")
        if self._file.size != self._size + len(self._trailer):
            raise OutputError(f"{self.name} was changed by another process")

    def _roll_back(self) -> None:
        """Remove the written part of a record that failed."""
        if not self._file.can_truncate:
            return
        trailer, self._trailer = self._trailer, b""
        # The caller raises the error of the write, which says more than one of these would.
        with contextlib.suppress(OSError):
            self._file.raw.seek(self._size)
            # Before the truncation: the old trailer fits where it was, even on a full disk.
            write_all(self._file.raw, trailer)
            self._trailer = trailer
        with contextlib.suppress(OSError):
            self._file.raw.truncate(self._size + len(self._trailer))

    def truncate(self) -> None:
        """Remove all lines of an earlier run; a pipe or a device stays as it is."""
        if self._file.is_own:
            self._file.raw.truncate(0)
            self._size = 0
        self._state = ResumeState()

    def discard(self) -> None:
        """Close the file without having written to it, and remove it if `open` created it."""
        self._file.discard()

    def close(self) -> None:
        """Flush the file to the disk, and close it, unless a thread is writing a record.

        Raises:
            OutputError: the file may be incomplete.
        """
        # Without waiting: the thread may be blocked by a pipe that is never read.
        if not self._lock.acquire(blocking=False):
            if self._file.is_own:
                raise OutputError(f"{self.name} may not be complete: a line was being written")
            return
        try:
            self._close()
        finally:
            self._lock.release()

    def _close(self) -> None:
        try:
            try:
                self._check_unchanged()
                # A file of 0 bytes is not a gzip file, so an empty stream is written.
                if self._writer is not None and not self._size:
                    self._append(*self._writer.add(b"")[:2])
            finally:
                self._is_closed = True
                self._file.close()
        except OSError as exc:
            raise OutputError(f"{self.name} may not be complete: {exc.strerror}") from None


def refuse_other_formats(path: str) -> None:
    """Refuse a file name that promises another format."""
    name = PurePath(path).name
    if found := _OTHER_FORMATS.search(name):
        stem, suffix = printable(name[: found.start()]), found[1].lower()
        table = f"{stem}.{suffix if suffix in TABLE_FORMATS else 'parquet'}"
        command = shlex.join(("raydocs-async", "table", f"{stem}.jsonl", "-o", table))
        raise CannotStart(
            f"{printable(path)}: the format is JSON Lines; name it {stem}.jsonl, or "
            f"{stem}.jsonl.gz to compress it. To make a table of it: {command}"
        )


def _scan_content(
    file: OutputFile, record_type: RecordType, *, resume: bool, is_gzip: bool
) -> ResumeState:
    """Read the content of a file that was just opened."""
    if not file.is_own:
        if is_gzip:
            raise CannotStart(f"{file.name} is not a regular file, so it cannot be compressed")
        return ResumeState()
    if file.size and not resume:
        raise CannotStart(f"{file.name} exists already; continue it with --resume, or move it away")
    content, gzip_reader = _open_content(file, is_gzip=is_gzip)

    def is_damaged() -> bool:
        """Return True if decompression fails at some later place of the file."""
        # zlib detects damage only at a checksum or an invalid code. Before that, it can return
        # wrong bytes, which look like a line of another program.
        while content.read(_CHUNK):
            pass
        return gzip_reader is not None and gzip_reader.problem is not None

    try:
        state = scan(content, record_type, is_damaged)
    except ForeignLineError as exc:
        raise CannotStart(f"{file.name}:{exc} was not written by this command") from None
    if gzip_reader is not None and gzip_reader.problem is not None:
        _check_damage(file, gzip_reader, state)
    return state


def _check_damage(file: OutputFile, gzip_reader: GzipReader, state: ResumeState) -> None:
    """Refuse a compressed file with damage that an interruption cannot explain."""
    if gzip_reader.is_altered:
        raise CannotStart(f"{file.name} is damaged: its content does not match its checksum")
    if state.is_empty and not gzip_reader.is_truncated and not _is_all_zeros(file):
        raise CannotStart(f"{file.name} was not written by this command")
    state.is_truncated = True
    if not gzip_reader.is_truncated:
        file.warnings.append(f"{file.name}: damaged; dropped the rest after the last readable line")


def _is_all_zeros(file: OutputFile) -> bool:
    content, _ = _open_content(file, is_gzip=False)
    return not any(piece.strip(b"\0") for piece in iter(lambda: content.read(_CHUNK), b""))


def _open_content(
    file: OutputFile, *, is_gzip: bool
) -> tuple[io.BufferedReader, GzipReader | None]:
    """Open the content from its beginning, and its decompressor if it has one."""
    # Through the same descriptor: on some systems, closing another one releases the lock.
    file.raw.seek(0)
    plain = open(file.raw.fileno(), "rb", closefd=False)  # noqa: SIM115
    if not is_gzip:
        return plain, None
    gzip_reader = GzipReader(plain)
    return io.BufferedReader(gzip_reader, _CHUNK), gzip_reader


def _read_spans(content: io.BufferedReader, spans: list[Span], end: bytes) -> Iterator[bytes]:
    """Yield the bytes of some spans, and `end`."""
    at = 0
    for first, last in spans:
        while at < last:
            # Skip by reading: a compressed stream cannot seek.
            piece = content.read(min(_CHUNK, (last if at >= first else first) - at))
            if not piece:
                raise OSError(errno.EIO, "it was changed by another process")
            if at >= first:
                yield piece
            at += len(piece)
    yield end
