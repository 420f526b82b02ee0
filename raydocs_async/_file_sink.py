"""A file that is saved completely or not at all.

The bytes go into a temporary file beside the target, which is renamed after its length and checksum
are verified. An error or a cancellation leaves nothing behind, and a crash at most a file
``.….part``; none of them leaves an incomplete target.

Calls of the file system run in threads, which a cancellation cannot stop. So every call is waited
for, also after a cancellation: the temporary file is only removed when no thread uses it.
"""

import asyncio
import hashlib
import os
import re
import secrets
import stat
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

from attrs import frozen

from raydocs_async._rename import rename_to_new
from raydocs_async.errors import ConfigurationError, FileError

OnProgress: TypeAlias = Callable[[int, int | None], object]
"""Called with the number of bytes so far, and of all bytes; ``None`` if that is unknown."""

_is_sha256 = re.compile(r"[0-9a-fA-F]{64}").fullmatch


@frozen
class Expected:
    """Facts that the file has to match; ``None`` if a fact is unknown."""

    size: int | None = None
    sha256: str | None = None
    media_type: str | None = None
    is_zip: bool = False
    """The file is a ZIP archive, as Excel files are. Its end shows that nothing was cut off."""

    @property
    def shows_cuts(self) -> bool:
        """True if a file that is cut does not match."""
        return self.size is not None or self.checksum is not None or self.is_zip

    @property
    def checksum(self) -> str | None:
        """The SHA-256 in lower case; ``None`` if it is unknown, or is something else."""
        return self.sha256.lower() if self.sha256 and _is_sha256(self.sha256) else None


class FileSink:
    """Writes one file, as a context manager: without `keep`, nothing is left at its end.

    Args:
        target: The path of the file; symbolic links are followed.
        overwrite: Replace an existing file, and keep its mode.
        expected: Facts to check.
        on_progress: Called after each piece.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        overwrite: bool,
        expected: Expected = Expected(),
        on_progress: OnProgress | None = None,
    ) -> None:
        self.target = self._place = Path(target)
        # `Path` drops a slash at the end.
        self._names_directory = os.fspath(target).endswith(("/", os.sep))
        self._overwrite = overwrite
        self.expected = expected
        self._on_progress = on_progress
        self._name = f".{secrets.token_hex(8)}.part"
        self._file: BinaryIO | None = None
        self._size, self._total, self._sha256 = 0, expected.size, hashlib.sha256()

    async def __aenter__(self) -> Self:
        """Check the target, and create the temporary file.

        Raises:
            ConfigurationError: the target is a directory or a device, is in a directory that does
                not exist or takes no new files, is no possible name, or is there already and may
                not be overwritten.
            FileError: the temporary file cannot be created.
        """
        if complaint := self._complaint():
            raise ConfigurationError(complaint)
        try:
            await self._blocking(self._create)
        except BaseException:  # a cancellation, although the file was created
            await self._clean_up()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._clean_up()

    async def begin(self, length: int | None, media_type: str, *, is_delimited: bool) -> None:
        """Begin at the first byte of a reply's body, and drop the bytes of an earlier attempt.

        Raises:
            FileError: the reply has another type or length than expected, or nothing would show
                that it was cut.
        """
        expected = self.expected
        if expected.media_type not in (None, media_type):
            came = media_type or "no type"
            raise FileError(f"the reply is of {came}, not of {expected.media_type}")
        if None not in (length, expected.size) and length != expected.size:
            raise self._mismatch(f"{length} bytes", f"{expected.size}")
        if not (is_delimited or expected.shows_cuts):
            raise FileError(
                "neither the document nor the reply has the file's length, so a cut would go "
                "unnoticed; nothing was kept"
            )
        # Another attempt may have written a part, which must not stay at the beginning or the end.
        self._size, self._sha256 = 0, hashlib.sha256()
        self._total = length if expected.size is None else expected.size
        await self._blocking(self._rewind)

    async def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            FileError: there are more bytes than expected, or they cannot be written.
        """
        self._size += len(piece)
        if self.expected.size is not None and self._size > self.expected.size:
            raise self._mismatch("more bytes", f"{self.expected.size}")
        self._sha256.update(piece)
        await self._blocking(self._append, piece)
        if self._on_progress is not None:
            self._on_progress(self._size, self._total)

    async def keep(self) -> Path:
        """Check the complete file, and rename it to the target.

        Raises:
            FileError: the file does not match `Expected`, or cannot be written.
        """
        if self.expected.size not in (None, self._size):
            raise self._mismatch(f"{self._size} bytes", f"{self.expected.size}")
        if self.expected.checksum not in (None, self._sha256.hexdigest()):
            raise self._mismatch("another checksum", "the document's sha256")
        # Renamed before its bytes are on the disk, a power cut would leave an empty target.
        await self._blocking(self._finish)
        # Not in a thread: a cancellation would come after the rename, and the target would stay.
        try:
            self._put_in_place()
        except OSError as exc:
            raise self._unwritable(exc) from None
        return self.target

    @property
    def _part(self) -> Path:
        return self._place.parent / self._name

    @property
    def _open(self) -> BinaryIO:
        assert self._file is not None  # within the context
        return self._file

    def _complaint(self) -> str | None:
        """Return the reason why the target cannot work; find its place behind symbolic links."""
        try:
            # A link to a file that does not exist gets that file, as by `open`.
            self._place = Path(os.path.realpath(self.target))
            return self._complaint_about(_status(self.target))
        except (OSError, ValueError) as exc:  # ValueError for a NUL
            return f"{self.target} cannot be used: {_reason(exc)}; choose another path"

    def _complaint_about(self, status: os.stat_result | None) -> str | None:
        target, directory = self.target, self._place.parent
        if self._names_directory:
            return f"{target}{os.sep} names a directory; name a file in it"
        if status is not None and stat.S_ISDIR(status.st_mode):
            return f"{target} is a directory; name a file in it"
        if status is not None and not stat.S_ISREG(status.st_mode):
            return f"{target} is a device or a pipe; name a file"
        if not directory.is_dir():
            return f"there is no directory {directory}; make it first"
        if status is not None and not self._overwrite:
            return f"{target} is there already; allow it by overwrite=True"
        if status is not None and not os.access(self._place, os.W_OK):
            return f"{target} is write-protected; make it writable, or choose another path"
        if not os.access(directory, os.W_OK | os.X_OK):
            return f"no file can be made in {directory}: no permission; choose another directory"
        return None

    def _create(self) -> None:
        # The file that will be replaced may be private; its mode comes in the end.
        mode = 0o666 if _status(self._place) is None else 0o600
        self._file = open(self._part, "xb", opener=partial(os.open, mode=mode))  # noqa: SIM115

    def _rewind(self) -> None:
        self._open.truncate(0)
        self._open.seek(0)

    def _append(self, piece: bytes) -> None:
        self._open.write(piece)

    def _finish(self) -> None:
        """Complete the temporary file, on the disk."""
        self._open.flush()
        if (replaced := _status(self._place)) is not None:
            with suppress(OSError, AttributeError):  # root alone may, and Windows has no owners
                os.chown(self._part, replaced.st_uid, replaced.st_gid)
            # Not without need: file systems that have no modes refuse it.
            if self._part.stat().st_mode != replaced.st_mode:
                self._part.chmod(stat.S_IMODE(replaced.st_mode))
        os.fsync(self._open.fileno())
        self._open.close()
        if self.expected.is_zip and not zipfile.is_zipfile(self._part):
            raise FileError("the file is not an Excel file, or is cut; nothing was kept")

    def _put_in_place(self) -> None:
        if self._overwrite:
            self._part.replace(self._place)
        else:
            rename_to_new(self._part, self._place)
        self._file = None

    def _mismatch(self, found: str, expected: str) -> FileError:
        return FileError(f"the file has {found} instead of {expected}; nothing was kept")

    async def _clean_up(self) -> None:
        if self._file is not None:
            await _in_thread(self._discard)

    def _discard(self) -> None:
        with suppress(OSError):  # closing repeats a write that has failed
            self._open.close()
        with suppress(OSError):  # not in the place of the error that led here
            self._part.unlink()
        self._file = None

    async def _blocking(self, function: Callable[..., None], *args: bytes) -> None:
        """Call a function of the file system in a thread; a failure becomes a `FileError`."""
        try:
            await _in_thread(function, *args)
        except OSError as exc:
            raise self._unwritable(exc) from None

    def _unwritable(self, exc: OSError) -> FileError:
        exists = isinstance(exc, FileExistsError)
        reason = "it was made by another program meanwhile" if exists else _reason(exc)
        return FileError(f"{self.target} cannot be written: {reason}; nothing was kept")


async def _in_thread(function: Callable[..., None], *args: bytes) -> None:
    """Call a function in a thread, and wait for its end, also after a cancellation."""
    # Not `asyncio.to_thread`, whose task `asyncio.run` would cancel at its end.
    thread = asyncio.get_running_loop().run_in_executor(None, partial(function, *args))
    try:
        await asyncio.wait((thread,))
    except asyncio.CancelledError:
        while not thread.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((thread,))
        thread.exception()  # the cancellation comes in its place
        raise
    thread.result()


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _reason(exc: Exception) -> str:
    """Return the reason of an exception of the file system, without the path."""
    return (isinstance(exc, OSError) and exc.strerror) or str(exc) or type(exc).__name__
