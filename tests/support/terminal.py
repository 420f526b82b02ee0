"""Commands in a real terminal: a pseudo-terminal, whose other side the test reads."""

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Awaitable, Callable

Terminal = Callable[..., Awaitable[tuple[int, str]]]


def open_terminal(rows: int = 30, columns: int = 100) -> tuple[int, int]:
    """A terminal of a size: our side of it, and the command's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, theirs


async def read_screen(fd: int) -> str:
    """All that is shown until the command's side is closed."""
    shown = b""
    while chunk := await asyncio.to_thread(_read, fd):
        shown += chunk
    return shown.decode()


def plain(screen: str) -> str:
    """Return a text without its colours and weights."""
    return re.sub(r"\x1b\[[0-9;]*m", "", screen)


def _read(fd: int) -> bytes:
    with contextlib.suppress(OSError):  # EIO: how Linux says that the other side is closed
        return os.read(fd, 65536)
    return b""
