"""A file that one process writes to: opened once, locked where that is possible, never lost.

The descriptor that is locked is the one that is read and written. Locks and fsync are used where
the file system has them; where it has none, the file is written all the same, and a note says so.
"""

import contextlib
import errno
import io
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

import portalocker

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._printable import printable
from raydocs_async.cli._streams import write_all

_BINARY: Final = getattr(os, "O_BINARY", 0)
_NO_FSYNC: Final = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EROFS}
"""What fsync says where there is none: on a pipe, and on some network file systems."""


class File:
    """A file that is open for writing, and for reading if it is a regular one."""

    def __init__(
        self, raw: io.FileIO, path: Path | None, name: str, *, is_new: bool = False
    ) -> None:
        self.raw = raw
        self.name = name
        """For people."""
        self.notes: list[str] = []
        """What people should know about it."""
        self._path = path
        self._is_new = is_new
        self.can_shrink = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
        self.is_regular = path is not None and self.can_shrink
        """True for a file of this process's own; a standard stream can lead to a file, too."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a file for this process alone, and make it if it is not there.

        A symbolic link is followed, also to a file that is not there yet.

        Raises:
            CannotStart: it cannot be written, or another process is writing to it.
        """
        name = printable(path)
        try:
            real = _resolve(Path(path))
            raw, is_new = _open(real)
        except OSError as exc:
            raise CannotStart(f"{name} cannot be written: {exc.strerror}") from None
        self = cls(raw, real, name, is_new=is_new)
        if self.is_regular:
            try:
                self._lock()
            except CannotStart:
                raw.close()
                raise
        return self

    @classmethod
    def borrow(cls, fd: int) -> Self:
        """Write to a standard stream, which may be shared with messages and other processes.

        Raises:
            CannotStart: it is closed.
        """
        name = {1: "standard output", 2: "standard error"}[fd]
        raw = io.FileIO(fd, "wb", closefd=False)
        try:
            raw.write(b"")
        except OSError as exc:
            raise CannotStart(f"{name} cannot be written: {exc.strerror}") from None
        return cls(raw, None, name)

    def _lock(self) -> None:
        try:
            portalocker.lock(self.raw, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.AlreadyLocked:
            raise CannotStart(f"{self.name}: another process is writing to it") from None
        except (portalocker.LockException, OSError) as exc:
            reason = getattr(exc.args[0] if exc.args else exc, "strerror", None) or exc
            self.notes.append(
                f"{self.name}: this file system has no locks ({reason}); "
                "let no other job write to the file"
            )
        if not self.is_in_place():  # replaced between opening and locking
            raise CannotStart(f"{self.name}: another process is writing to it")

    @property
    def size(self) -> int:
        """Its size in bytes; 0 for a device or a pipe."""
        return os.fstat(self.raw.fileno()).st_size if self.can_shrink else 0

    def is_in_place(self) -> bool:
        """False if the path leads to another file now, or to none; True where that is unknown."""
        if self._path is None:
            return True
        try:
            there = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return os.path.samestat(there, os.fstat(self.raw.fileno()))

    def replace(self, content: Iterable[bytes]) -> None:
        """Give the file other content, in one step: a crash leaves the old or the new one.

        Raises:
            CannotStart: that cannot be done; the file is as it was.
        """
        assert self._path is not None
        there = os.fstat(self.raw.fileno())
        if there.st_nlink > 1:
            raise CannotStart(
                f"{self.name} has lines to drop, and cannot be replaced because it has hard links: "
                "go on with a copy of it"
            )
        path = self._path
        beside = path.with_name(f".{path.name}.resume~")
        try:
            raw = self._write_beside(beside, content, there)
            try:
                beside.replace(path)
            except OSError:
                raw.close()
                beside.unlink()
                raise
        except OSError as exc:
            raise CannotStart(
                f"{self.name} has lines to drop, and cannot be replaced: {exc.strerror}"
            ) from None
        self.raw.close()
        self.raw = raw
        _sync_directory(path)

    def _write_beside(
        self, path: Path, content: Iterable[bytes], like: os.stat_result
    ) -> io.FileIO:
        """Write and lock a new file with the owner and the mode of the one that it will replace."""
        assert self._path is not None
        path.unlink(missing_ok=True)  # of a run that was killed at this point
        raw = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), "r+b")
        try:
            for piece in content:
                write_all(raw, piece)
            made = os.fstat(raw.fileno())
            if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
                os.chown(path, like.st_uid, like.st_gid)
            shutil.copystat(self._path, path)
            self._sync(raw)
            with contextlib.suppress(portalocker.LockException, OSError):
                portalocker.lock(raw, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except BaseException:
            raw.close()
            path.unlink()
            raise
        return raw

    def _sync(self, raw: io.FileIO) -> None:
        try:
            os.fsync(raw.fileno())
        except OSError as exc:
            if exc.errno not in _NO_FSYNC:
                raise
            self.notes.append(
                f"{self.name}: this file system does not say when data is on the disk "
                f"({exc.strerror})"
            )

    def undo(self) -> None:
        """Close it with nothing written; remove it if `open` made it."""
        if self._is_new and self._path is not None and self.is_in_place():
            self._path.unlink()
        self.raw.close()

    def close(self) -> None:
        """See the content to the disk, and close the file, whatever happens.

        Raises:
            OSError: not all of it may be there.
        """
        with self.raw:
            if self.can_shrink:
                self._sync(self.raw)
            if self.is_regular and self._is_new and self._path is not None:
                _sync_directory(self._path)


def write_new(path: str, content: bytes) -> None:
    """Write a file that has nothing in it yet, all of it or nothing.

    Raises:
        CannotStart: it cannot be written, or something is in it.
    """
    file = File.open(path)
    if file.size:
        file.undo()
        raise CannotStart(f"{file.name} is there already; move it away")
    try:
        write_all(file.raw, content)
    except OSError as exc:
        if file.can_shrink:
            file.raw.truncate(0)
        file.undo()
        raise CannotStart(f"{file.name} cannot be written: {exc.strerror}") from None
    file.close()


def _resolve(path: Path) -> Path:
    """The file behind symbolic links; the path itself where that has no name, as a pipe."""
    real = Path(os.path.realpath(path))
    return real if os.path.lexists(real) or not path.exists() else path


def _open(path: Path) -> tuple[io.FileIO, bool]:
    """Open a file without emptying it; also tells if it was made by that."""
    try:
        made = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        return io.FileIO(made, "r+b"), True
    except FileExistsError:
        # A pipe that is open for reading, too, would never tell that its reader is gone.
        is_regular = stat.S_ISREG(path.stat().st_mode)
        there = os.open(path, (os.O_RDWR if is_regular else os.O_WRONLY) | _BINARY)
        return io.FileIO(there, "r+b" if is_regular else "wb"), False


def _sync_directory(path: Path) -> None:
    """See the name of a file to the disk, too, where a directory can be opened for that."""
    with contextlib.suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
