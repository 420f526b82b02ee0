"""A shared record in a file: one small file, locked for a few microseconds at a time.

The lock belongs to the open file, so it ends with its process, however that ends. It is never
waited for: if another process has it, the caller tries again a moment later, in its event loop.
All work is done at once in the event loop's thread, because it takes less time than handing it to
another thread; the file should be on a local file system, best on one in memory such as ``/run``.
If the file system turns out to be slow, the store fails.

Every transaction opens the file anew. So a file that was deleted or replaced is noticed, and no
descriptor is inherited by a child process or left open.
"""

import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from raydocs_async._limits import _slots
from raydocs_async._limits._claim import Claim, Grant
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._lock import try_lock
from raydocs_async._limits._record import SKEW, Record, Stamped, decode, encode
from raydocs_async._limits._store import LocalStore, StoreError

SLOW: Final = 1.0
"""Seconds; a transaction that takes longer shows a file system that blocks the event loop."""

_log = logging.getLogger("raydocs_async")
# In a directory that a group shares, a link could lead to a file of any other kind.
_FLAGS: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def clock_identity() -> str:
    """Return a name of the clock of `time.monotonic`: of the machine's start and the container.

    Empty on systems that do not name it.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink()}"
    except OSError:
        return ""


class FileStore(LocalStore):
    """A store in a file.

    Args:
        path: The file; it is made if it is missing. Its directory must exist.
        clock: Identity of the clock; see `Stamped`.
        monotonic: That clock.
        wall: The calendar, in seconds since the epoch.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"the file {path}"
        self._path = path
        self._clock = clock_identity() if clock is None else clock
        self._monotonic, self._wall = monotonic, wall

    def transact(self, claim: Claim, now: float) -> Grant | None:
        """Settle a claim, or return ``None`` if the file is locked; see `LocalStore`."""
        started = self._monotonic()
        with _as_store_error(self._path), _opened(self._path, os.O_RDWR | os.O_CREAT) as file:
            # If it was deleted since it was opened, the next try makes a new one.
            if not try_lock(file) or not _check(file, self._path):
                return None
            content = _read(file)
            record, grant = transact(self._record(content, now), claim, now)
            self._write(file, content.number + 1, record, now)
        if self._monotonic() - started > SLOW:
            raise StoreError(f"{self._path}: its file system is too slow")
        return grant

    def look(self, claim: Claim, now: float) -> Grant | None:
        """Return what `transact` would grant now; see `LocalStore`."""
        with _as_store_error(self._path), _opened(self._path, os.O_RDONLY) as file:
            record = self._record(_read(file), now)
            return transact(record, claim, now)[1] if record else None

    def _record(self, content: _slots.Content, now: float) -> Record | None:
        """Return the record that is stored, if its times mean something here."""
        if abs(self._monotonic() - now) > SKEW:
            raise StoreError("this event loop has a clock of its own")
        if content.damaged:
            _log.warning("%s was damaged, so the shared rate limit begins anew", self.name)
        if content.payload is None:
            return None
        stored = decode(content.payload)
        return stored.record if stored.agrees(self._clock, now, self._wall()) else None

    def _write(self, file: int, number: int, record: Record, now: float) -> None:
        stamped = Stamped(clock=self._clock, at=now, wall=self._wall(), record=record)
        at, data = _slots.write(number, encode(stamped))
        # The slot is the one not in use, so a write that ends early destroys nothing.
        if number == 1:
            _write_at(file, 0, _slots.MAGIC)
        _write_at(file, at, data)


@contextmanager
def _as_store_error(path: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, msgspec.MsgspecError, StoreError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StoreError(f"{path}: {reason}") from error


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    file = os.open(path, flags | _FLAGS, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _check(file: int, path: str) -> bool:
    """Return false if the file was deleted since it was opened.

    A new file is for this user alone, unless its directory is one in which a group shares files.

    Raises:
        StoreError: the file is not one to trust with the rate limit.
    """
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("it is not a regular file")
    # The mask of the process that makes the file may keep the group out.
    if found.st_size == 0 and _is_shared(path):
        os.fchmod(file, 0o660)
    if found.st_uid not in _trusted_users() and not _is_shared(path):
        raise StoreError("it belongs to another user")
    return found.st_nlink > 0


def _is_shared(path: str) -> bool:
    """Return true if a group shares the files of the directory: ``chmod g+ws``."""
    shared = stat.S_ISGID | stat.S_IWGRP
    return Path(path).parent.stat().st_mode & shared == shared


def _trusted_users() -> tuple[int, ...]:
    return (0, os.geteuid()) if sys.platform != "win32" else (0,)


def _read(file: int) -> _slots.Content:
    os.lseek(file, 0, os.SEEK_SET)
    return _slots.parse(os.read(file, _slots.SIZE))


def _write_at(file: int, at: int, data: bytes) -> None:
    os.lseek(file, at, os.SEEK_SET)
    if os.write(file, data) != len(data):
        raise StoreError("the disk is full")
