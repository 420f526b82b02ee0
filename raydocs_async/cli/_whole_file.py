"""A file that is written by its path, and appears under its name whole or not at all.

A database writes its files itself, under a path that it is given. So the file is made in a
temporary folder beside the target, which has room for other files of the job, too.
"""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from raydocs_async._rename import rename_to_new
from raydocs_async.cli._exit import CannotStart, CommandFailed, ExitCode
from raydocs_async.cli._printable import printable
from raydocs_async.cli._streams import find_standard_stream


class WholeFile:
    """A context manager: without `keep`, nothing is left at its end.

    Args:
        path: The path of the file; a symbolic link is followed.
        overwrite: Replace an existing file.
    """

    def __init__(self, path: str, *, overwrite: bool) -> None:
        self.name = printable(path)
        """The name that messages use."""
        self._given, self._target = path, Path(os.path.realpath(path))
        self._overwrite = overwrite

    def check(self) -> None:
        """Refuse a target that cannot work, before the job begins.

        Raises:
            CannotStart: the target is a standard stream, a folder or a device, lies in a folder
                that does not exist, or exists and may not be replaced.
        """
        if find_standard_stream(self._given) is not None:
            raise CannotStart("a file is written whole or not at all, so -o needs a file's path")
        if self._target.is_dir():
            raise CannotStart(f"{self.name} is a folder; name a file in it")
        if self._target.exists() and not self._target.is_file():
            raise CannotStart(f"{self.name} is a device or a pipe; name a file")
        if not self._target.parent.is_dir():
            raise CannotStart(f"{self.name}: there is no such folder; make it first")
        if self._target.exists() and not self._overwrite:
            raise CannotStart(f"{self.name} is there already; replace it with --overwrite")

    def __enter__(self) -> Self:
        self.check()
        try:
            folder = tempfile.mkdtemp(dir=self._target.parent, prefix=".", suffix=".part")
        except OSError as exc:
            raise CannotStart(f"{self.name} cannot be written: {exc.strerror}") from None
        self.folder = Path(folder)
        """A folder for this job alone, which is removed in the end."""
        self.part = self.folder / f"whole{self._target.suffix}"
        """The path to write to."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self) -> None:
        """Put the complete file in its place.

        Raises:
            CommandFailed: that is impossible, or another program has made a file of this name in
                the meantime.
        """
        try:
            # Renamed before its bytes are on the disk, a power cut would leave an empty file.
            with self.part.open("r+b") as file:
                os.fsync(file.fileno())
            if self._overwrite and self._target.exists():
                shutil.copymode(self._target, self.part)
            if self._overwrite:
                self.part.replace(self._target)
            else:
                rename_to_new(self.part, self._target)
        except FileExistsError:
            raise self.failure("another program has made it in the meantime") from None
        except OSError as exc:
            raise self.failure(exc.strerror or type(exc).__name__) from None

    def write(self, content: bytes) -> None:
        """Make the file of its whole content.

        Raises:
            CommandFailed: as `__enter__` and `keep`, or the content cannot be written.
        """
        with self:
            try:
                self.part.write_bytes(content)
            except OSError as exc:
                raise self.failure(exc.strerror or type(exc).__name__) from None
            self.keep()

    def failure(self, reason: str) -> CommandFailed:
        """Return the error that ends a command whose file cannot be written."""
        message = f"{self.name} cannot be written: {reason}; nothing was kept"
        return CommandFailed(message, ExitCode.FAILED)
