"""Pipes that nobody reads, and their content."""

import os


def full_pipe() -> tuple[int, int]:
    """Return a full, blocking pipe."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def read_all(fd: int) -> str:
    """Read a pipe to its end, and close it."""
    with os.fdopen(fd) as pipe:
        return pipe.read()
