"""An output file that one process writes: opened once, locked if possible, replaced atomically.

The locked descriptor is the one that is read and written. Locks and fsync are used where the file
system has them; elsewhere the file is written without them, and a warning says so.
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
"""Errors of fsync where it does not exist: on pipes, and on some network file systems."""


class OutputFile:
    """A file that is open for writing, and also for reading if it is a regular file."""

    def __init__(
        self, raw: io.FileIO, path: Path | None, name: str, *, is_new: bool = False
    ) -> None:
        self.raw = raw
        self.name = name
        """The name that messages use."""
        self.warnings: list[str] = []
        """Messages about what the file system lacks."""
        self._path = path
        self._is_new = is_new
        self.can_truncate = stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
        self.is_own = path is not None and self.can_truncate
        """True for a regular file that this process alone writes. A standard stream can lead to a
        regular file, too, but other processes may write to it."""

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a file for this process alone, and create it if it is missing.

        A symbolic link is followed, also to a file that does not exist yet.

        Raises:
            CannotStart: the file cannot be written, or another process is writing to it.
        """
        name = printable(path)
        try:
            real = _resolve(Path(path))
            raw, is_new = _open(real)
        except OSError as exc:
            raise CannotStart(f"{name} cannot be written: {exc.strerror}") from None
        self = cls(raw, real, name, is_new=is_new)
        if self.is_own:
            try:
                self._lock()
            except CannotStart:
                raw.close()
                raise
        return self

    @classmethod
    def borrow(cls, fd: int) -> Self:
        """Write to a standard stream, which messages and other processes may share.

        Raises:
            CannotStart: the stream is closed.
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
            # portalocker wraps the system's error as the first argument of its own.
            reason = getattr(exc.args[0] if exc.args else exc, "strerror", None) or exc
            self.warnings.append(
                f"{self.name}: this file system has no locks ({reason}); "
                "let no other job write to the file"
            )
        # Another process may have replaced the file between opening and locking. The lock is then
        # on a file without a name, and both processes would believe that they own the path.
        if not self.is_in_place():
            raise CannotStart(f"{self.name}: another process is writing to it")

    @property
    def size(self) -> int:
        """Size in bytes; 0 for a device or a pipe."""
        return os.fstat(self.raw.fileno()).st_size if self.can_truncate else 0

    def is_in_place(self) -> bool:
        """Return False if the path leads to another file now, or to none.

        If the file system does not answer, the result is True, because an unknown state is not a
        reason to stop.
        """
        if self._path is None:
            return True
        try:
            status = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return os.path.samestat(status, os.fstat(self.raw.fileno()))

    def replace(self, content: Iterable[bytes]) -> None:
        """Replace the content atomically: a crash leaves the old or the new content.

        Raises:
            CannotStart: that is impossible; the file is unchanged.
        """
        assert self._path is not None
        status = os.fstat(self.raw.fileno())
        # The new file takes over one name. Any other name would keep the old content.
        if status.st_nlink > 1:
            raise CannotStart(
                f"{self.name} has lines to drop, and cannot be replaced because it has hard links: "
                "continue with a copy of it"
            )
        try:
            self._put(self._path, content, status)
        except OSError as exc:
            raise CannotStart(
                f"{self.name} has lines to drop, and cannot be replaced: {exc.strerror}"
            ) from None

    def fill(self, content: Iterable[bytes]) -> None:
        """Write the content of an empty file: all of it, or none if the process is killed.

        Raises:
            OSError: it cannot be written; the file is still empty.
        """
        assert self._path is not None
        self._put(self._path, content, os.fstat(self.raw.fileno()))

    def _put(self, path: Path, content: Iterable[bytes], status: os.stat_result) -> None:
        raw = self._replace(path, content, status)
        self.raw.close()
        self.raw = raw
        _sync_directory(path)

    def _replace(self, path: Path, content: Iterable[bytes], status: os.stat_result) -> io.FileIO:
        temporary = path.with_name(f".{path.name}.resume~")
        raw = self._write_temporary(temporary, content, status)
        try:
            temporary.replace(path)
        except OSError:
            raw.close()
            temporary.unlink()
            raise
        return raw

    def _write_temporary(
        self, path: Path, content: Iterable[bytes], status: os.stat_result
    ) -> io.FileIO:
        """Write and lock a file with the owner and the mode of the one that it will replace."""
        assert self._path is not None
        path.unlink(missing_ok=True)  # left by a run that was killed at this point
        # 0o600 until `copystat`: the content must not be readable by more users than before.
        raw = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), "r+b")
        try:
            for piece in content:
                write_all(raw, piece)
            created = os.fstat(raw.fileno())
            if (created.st_uid, created.st_gid) != (status.st_uid, status.st_gid):
                os.chown(path, status.st_uid, status.st_gid)
            shutil.copystat(self._path, path)
            # Before the rename: after a power cut, some file systems would have the new name and
            # an empty file.
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
            self.warnings.append(
                f"{self.name}: this file system cannot confirm that data is on the disk "
                f"({exc.strerror})"
            )

    def discard(self) -> None:
        """Close the file without having written to it, and remove it if `open` created it."""
        # In place only: another process may have put a file of its own under the name.
        if self._is_new and self._path is not None and self.is_in_place():
            self._path.unlink()
        self.raw.close()

    def close(self) -> None:
        """Flush the content to the disk, and close the file even if that fails.

        Raises:
            OSError: the content on the disk may be incomplete.
        """
        with self.raw:
            if self.can_truncate:
                self._sync(self.raw)
            if self.is_own and self._is_new and self._path is not None:
                _sync_directory(self._path)


def write_new(path: str, content: bytes) -> None:
    """Write a new file, or an existing empty one: all of the content, or none of it.

    Raises:
        CannotStart: the file cannot be written, or is not empty.
    """
    file = OutputFile.open(path)
    if file.size:
        file.discard()
        raise CannotStart(f"{file.name} exists already; move it away")
    try:
        write_all(file.raw, content)
    except OSError as exc:
        if file.can_truncate:
            file.raw.truncate(0)
        file.discard()
        raise CannotStart(f"{file.name} cannot be written: {exc.strerror}") from None
    file.close()


def _resolve(path: Path) -> Path:
    """Return the file behind symbolic links, so that a replacement replaces the file, not the link.

    A link in /dev/fd to a pipe leads to a name like ``pipe:[123]``, which does not exist as a
    path. Then the link itself is returned.
    """
    real = Path(os.path.realpath(path))
    return real if os.path.lexists(real) or not path.exists() else path


def _open(path: Path) -> tuple[io.FileIO, bool]:
    """Open a file without truncating it; return it, and True if that created it."""
    try:
        created = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        return io.FileIO(created, "r+b"), True
    except FileExistsError:
        # Write-only for a pipe: with its reading end open in this process, too, a write would
        # never fail after the reader has gone.
        is_regular = stat.S_ISREG(path.stat().st_mode)
        existing = os.open(path, (os.O_RDWR if is_regular else os.O_WRONLY) | _BINARY)
        return io.FileIO(existing, "r+b" if is_regular else "wb"), False


def _sync_directory(path: Path) -> None:
    """Flush the directory of a file to the disk, where a directory can be opened for that.

    fsync of a file does not cover its name: a power cut could still remove the whole file.
    """
    with contextlib.suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
