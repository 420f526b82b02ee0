"""Files of JSON Lines that can be cut off at any moment and gone on with.

A record is one whole line, and a file only grows by whole lines. What a crash or a full disk
leaves of one is its beginning, and without its end it is no line: it is dropped before anything
else is written.
"""

import io
import os
import stat
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeAlias

import msgspec
import portalocker

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._streams import find_standard, write_all

STDOUT = "-"


class OutputError(Exception):
    """It cannot be written any more: a full disk, a closed pipe."""


class SessionLine(msgspec.Struct):
    """What tells a line that holds a session."""

    id: str
    documents: msgspec.Raw


class FailureLine(msgspec.Struct):
    """What tells a line that says why an id has no session."""

    id: str
    error: dict[str, Any]


Line: TypeAlias = SessionLine | FailureLine


class Kept(NamedTuple):
    """What is good in a file of an earlier run."""

    ids: Set[str] = frozenset()
    """In lower case."""
    size: int = 0
    """Bytes of whole lines."""
    unended: bytes = b""
    """A whole record after them that only lacks its line's end."""


NOTHING: Final = Kept()


def scan(lines: Iterable[bytes], kind: type[Line], name: str) -> Kept:
    """Read what an earlier run has written.

    A last line without its end is dropped, unless all of the record is there.

    Raises:
        CannotStart: a line is of another kind, so that this is some other file.
    """
    ids: set[str] = set()
    size, decode = 0, msgspec.json.Decoder(kind).decode
    for number, line in enumerate(lines, 1):
        has_end = line.endswith(b"\n")
        try:
            ids.add(decode(line).id.lower())
        except (msgspec.DecodeError, UnicodeDecodeError):
            if not has_end and (ids or line.startswith(b"{")):
                break
            raise CannotStart(f"{name}:{number} was not written by this command") from None
        if not has_end:
            return Kept(ids, size, line)
        size += len(line)
    return Kept(ids, size)


class JsonLines:
    """A file that grows by whole lines."""

    def __init__(
        self,
        file: io.FileIO,
        name: str,
        kept: Kept = NOTHING,
        *,
        is_new: bool = False,
        is_borrowed: bool = False,
    ) -> None:
        self.name = name
        """For people."""
        self.ids = kept.ids
        """The ids that were in it already."""
        self._file = file
        self._is_new = is_new
        self._is_borrowed = is_borrowed
        """What is in it may be of others."""
        self._can_shrink = _is_regular(file)

    @classmethod
    def open(cls, path: str, kind: type[Line], *, resume: bool = False) -> Self:
        """Open a new file, or one of an earlier run, and keep other processes from writing to it.

        Raises:
            CannotStart: it cannot be written; something is in it, and `resume` is not set, or it
                is not of this `kind`; another process is writing to it.
        """
        if (fd := 1 if path == STDOUT else find_standard(path)) is not None:
            return cls._borrow(fd)
        is_new = not Path(path).exists()
        try:
            file = io.FileIO(path, "ab")
        except OSError as exc:
            raise CannotStart(f"{path} cannot be written: {exc.strerror}") from None
        try:
            kept = _take_over(file, path, kind, resume=resume)
        except CannotStart:
            file.close()
            raise
        return cls(file, path, kept, is_new=is_new)

    @classmethod
    def _borrow(cls, fd: int) -> Self:
        """Write to a standard stream, which may be shared with messages and other processes."""
        name = {1: "standard output", 2: "standard error"}[fd]
        file = io.FileIO(fd, "wb", closefd=False)
        try:
            file.write(b"")
        except OSError as exc:
            raise CannotStart(f"{name} cannot be written: {exc.strerror}") from None
        return cls(file, name, is_borrowed=True)

    @property
    def is_terminal(self) -> bool:
        """True if a person sees what is written."""
        return self._file.isatty()

    def write(self, record: bytes) -> None:
        """Add one record: JSON without the line's end.

        Raises:
            OutputError: it could not be added; what was there before is as it was.
        """
        size = os.fstat(self._file.fileno()).st_size
        try:
            write_all(self._file, record + b"\n")
        except OSError as exc:
            self._shrink(size)
            raise OutputError(f"{self.name} cannot be written any more: {exc.strerror}") from None

    def clear(self) -> None:
        """Start with nothing in it, if it is a file of its own."""
        if not self._is_borrowed:
            self._shrink(0)

    def _shrink(self, size: int) -> None:
        if self._can_shrink:
            self._file.truncate(size)
            self._file.seek(size)  # what others write through the same descriptor leaves no hole

    def undo(self) -> None:
        """Close it with nothing written; if `open` has made it, it goes again."""
        self._file.close()
        if self._is_new:
            Path(self.name).unlink()

    def close(self) -> None:
        """See it to the disk, and close it."""
        if self._can_shrink:
            os.fsync(self._file.fileno())
        self._file.close()


def _is_regular(file: io.FileIO) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _take_over(file: io.FileIO, path: str, kind: type[Line], *, resume: bool) -> Kept:
    """Lock a file, and bring it to the end of its last whole line."""
    if not _is_regular(file):
        return NOTHING
    try:
        portalocker.lock(file, portalocker.LOCK_EX | portalocker.LOCK_NB)
    except portalocker.AlreadyLocked:
        raise CannotStart(f"{path}: another process is writing to it") from None
    if os.fstat(file.fileno()).st_size and not resume:
        raise CannotStart(f"{path} is there already; go on with it (--resume), or move it away")
    with Path(path).open("rb") as lines:
        kept = scan(lines, kind, path)
    file.truncate(kept.size)
    if kept.unended:
        file.write(kept.unended + b"\n")
    return kept._replace(size=os.fstat(file.fileno()).st_size, unended=b"")
