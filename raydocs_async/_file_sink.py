"""A file that is saved completely or not at all.

The bytes go into a temporary file beside the target, which is renamed after its length and checksum
are verified. A crash leaves at most a file ``.….part``, and never an incomplete target.
"""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeAlias

from attrs import frozen

from raydocs_async.errors import ConfigurationError, FileError

OnProgress: TypeAlias = Callable[[int, int | None], object]
"""Called with the number of bytes so far, and of all bytes; ``None`` if that is unknown."""

_RENAMES_TO_NEW_ONLY = os.name == "nt"
"""Windows refuses to rename a file to an existing name. Other systems replace the existing file."""
_is_sha256 = re.compile(r"[0-9a-fA-F]{64}").fullmatch


@frozen
class Expected:
    """Facts that the file has to match; ``None`` if a fact is unknown."""

    size: int | None = None
    sha256: str | None = None
    media_type: str | None = None


class FileSink:
    """Writes one file, as a context manager: without `keep`, nothing is left at its end.

    Args:
        target: The path of the file.
        overwrite: Replace an existing file.
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
        self.target = Path(target)
        self._overwrite = overwrite
        self.expected = expected
        self._on_progress = on_progress
        self._part = self.target.parent / f".{secrets.token_hex(8)}.part"
        self._file: BinaryIO | None = None
        self._size, self._total, self._sha256 = 0, expected.size, hashlib.sha256()

    def check_target(self) -> None:
        """Refuse a target that cannot work, before anything is sent.

        Raises:
            ConfigurationError: the target is a directory or a device, is in a directory that does
                not exist, or is there already and may not be overwritten.
        """
        if self.target.is_dir():
            raise ConfigurationError(f"{self.target} is a directory; name a file in it")
        if self.target.exists() and not self.target.is_file():
            raise ConfigurationError(f"{self.target} is a device or a pipe; name a file")
        if not self.target.parent.is_dir():
            raise ConfigurationError(f"there is no directory {self.target.parent}; make it first")
        if self.target.exists() and not self._overwrite:
            raise ConfigurationError(f"{self.target} is there already; allow it by overwrite=True")

    async def __aenter__(self) -> Self:
        self.check_target()
        self._file = await self._blocking(_create, self._part)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not in a thread: a cancellation would not wait for it, and leave the file behind.
        with suppress(OSError):  # closing repeats a write that has failed
            self._open.close()
        self._part.unlink(missing_ok=True)

    async def begin(self, length: int | None, media_type: str) -> None:
        """Begin at the first byte of a reply's body, and drop the bytes of an earlier attempt.

        Raises:
            FileError: the reply has another type or length than expected.
        """
        expected = self.expected
        if expected.media_type not in (None, media_type):
            came = media_type or "no type"
            raise FileError(f"the reply is of {came}, not of {expected.media_type}")
        if None not in (length, expected.size) and length != expected.size:
            raise self._mismatch(f"{length} bytes", f"{expected.size}")
        # Another attempt may have written a part, which must not stay at the beginning or the end.
        self._size, self._sha256 = 0, hashlib.sha256()
        self._total = length if expected.size is None else expected.size
        await self._blocking(self._open.truncate, 0)
        await self._blocking(self._open.seek, 0)

    async def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            FileError: there are more bytes than expected, or they cannot be written.
        """
        self._size += len(piece)
        if self.expected.size is not None and self._size > self.expected.size:
            raise self._mismatch("more bytes", f"{self.expected.size}")
        self._sha256.update(piece)
        await self._blocking(self._open.write, piece)
        if self._on_progress is not None:
            self._on_progress(self._size, self._total)

    async def keep(self) -> Path:
        """Check the complete file, and rename it to the target.

        Raises:
            FileError: the file does not match `Expected`, or cannot be written.
        """
        if self.expected.size not in (None, self._size):
            raise self._mismatch(f"{self._size} bytes", f"{self.expected.size}")
        sha256 = self.expected.sha256
        if sha256 and _is_sha256(sha256) and sha256.lower() != self._sha256.hexdigest():
            raise self._mismatch("another checksum", "the document's sha256")
        # Renamed before its bytes are on the disk, a power cut would leave an empty target.
        await self._blocking(_sync, self._open)
        await self._blocking(self._put_in_place)
        return self.target

    @property
    def _open(self) -> BinaryIO:
        assert self._file is not None  # within the context
        return self._file

    def _put_in_place(self) -> None:
        if self._overwrite:
            self._part.replace(self.target)
        else:
            _rename_to_new(self._part, self.target)

    def _mismatch(self, found: str, expected: str) -> FileError:
        return FileError(f"the file has {found} instead of {expected}; nothing was kept")

    async def _blocking(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of the file system in a thread; a failure becomes a `FileError`."""
        try:
            return await asyncio.to_thread(function, *args)
        except FileExistsError:
            reason = "it was made by another program meanwhile"
        except OSError as exc:
            reason = exc.strerror or type(exc).__name__
        raise FileError(f"{self.target} cannot be written: {reason}; nothing was kept")


def _create(path: Path) -> BinaryIO:
    return path.open("xb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _rename_to_new(source: Path, target: Path) -> None:
    """Rename atomically, unless the target exists.

    A check before the rename would lose a file that another program makes in between.
    """
    if _RENAMES_TO_NEW_ONLY:
        source.rename(target)
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, where only a check is possible
        if target.exists():
            raise FileExistsError(target) from None
        source.rename(target)
    else:
        source.unlink()
