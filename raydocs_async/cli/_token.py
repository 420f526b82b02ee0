"""The API token, from the environment, a file or standard input."""

import codecs
import os
from typing import Final

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._streams import DASH, read_some

MAX_TOKEN_BYTES: Final = 1 << 14
"""Limit of a token with the white space around it; servers refuse headers of this length."""


def read_token(path: str | None) -> str:
    """Read the token from a file, standard input (``-``) or, without a path, the environment.

    Raises:
        CannotStart: the token is missing, or the file cannot hold one.
    """
    if path is None:
        if token := os.environ.get("RAYDOCS_API_TOKEN"):
            return token
        raise CannotStart("no token: set RAYDOCS_API_TOKEN, or give --token-file")
    name = "standard input" if path == DASH else f"the token file {path}"
    try:
        content = _read_line(0) if path == DASH else _read_file(path)
    except OSError as exc:
        raise CannotStart(f"{name} cannot be read: {exc.strerror}") from None
    return _decode(content, name)


def _decode(content: bytes, name: str) -> str:
    if len(content) > MAX_TOKEN_BYTES:
        raise CannotStart(f"{name} is longer than {MAX_TOKEN_BYTES} bytes, so it holds no token")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CannotStart(f"{name} is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        # `from None`: the error would show bytes of the file, which may be a secret.
        raise CannotStart(f"{name} cannot be read: it is not text") from None


def _read_file(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return _read_until(fd, None)
    finally:
        os.close(fd)


def _read_line(fd: int) -> bytes:
    return _read_until(fd, b"\n").partition(b"\n")[0]


def _read_until(fd: int, end: bytes | None) -> bytes:
    """Read up to the end of the file, to `end`, or to one byte more than a token may have."""
    content = b""
    # Without the bound, /dev/zero or a mistyped path of a large file would fill the memory.
    while len(content) <= MAX_TOKEN_BYTES and not (end and end in content):
        if not (piece := read_some(fd, MAX_TOKEN_BYTES + 1 - len(content))):
            break
        content += piece
    return content
