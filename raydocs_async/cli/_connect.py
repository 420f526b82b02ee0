"""From the options that all commands share to a client, and from its errors to an exit code."""

import codecs
import os
from typing import Final, TypedDict

from raydocs_async import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    InvalidIdError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    WaitTimeoutError,
)
from raydocs_async.cli._exit import CannotStart, Exit
from raydocs_async.cli._streams import read_some

LONGEST_TOKEN: Final = 1 << 14
"""Bytes of a token and what is around it; servers refuse longer headers."""

_NAMES = (
    ("base_url", "$RAYDOCS_BASE_URL"),
    ("; give token= instead", ""),
    (", or allow_http=True if you mean it", ""),
)
"""What the library's messages name, and what that is here."""


_PASSING = (APIConnectionError, InternalServerError, RateLimitError, WaitTimeoutError)
"""Errors that another run may not meet."""


class Connection(TypedDict):
    """The options of every command that asks the service."""

    token_file: str | None
    rate_limit: tuple[int, float]
    max_wait: float


def open_client(options: Connection) -> RaydocsClient:
    """A client as the options and the environment say.

    Raises:
        CannotStart: there is no token, or an option cannot work.
    """
    requests, per = options["rate_limit"]
    try:
        told = RateLimit(requests=requests, per=per, max_wait=options["max_wait"])
        return RaydocsClient(_read_token(options["token_file"]), rate_limit=told)
    except ConfigurationError as exc:
        raise CannotStart(explain(exc)) from None


def explain(error: RaydocsError | None) -> str:
    """Its message, with the names that things have on the command line."""
    message = str(error)
    for theirs, ours in _NAMES:
        message = message.replace(theirs, ours)
    return message


def code_for(error: RaydocsError) -> Exit:
    """The exit code of a command that ends with `error`."""
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return Exit.REFUSED
    if isinstance(error, ConfigurationError | InvalidIdError):
        return Exit.USAGE
    if isinstance(error, _PASSING):
        return Exit.AGAIN
    return Exit.FAILED


def _read_token(path: str | None) -> str:
    if path is None:
        if token := os.environ.get("RAYDOCS_API_TOKEN"):
            return token
        raise CannotStart("no token: set RAYDOCS_API_TOKEN, or give --token-file")
    name = "standard input" if path == "-" else f"the token file {path}"
    try:
        given = _read_line(0) if path == "-" else _read_file(path)
    except OSError as exc:
        raise CannotStart(f"{name} cannot be read: {exc.strerror}") from None
    if len(given) > LONGEST_TOKEN:
        raise CannotStart(f"{name} is longer than {LONGEST_TOKEN} bytes, so it holds no token")
    if given.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CannotStart(f"{name} is UTF-16; save it as UTF-8")
    try:
        return given.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise CannotStart(f"{name} cannot be read: it is not text") from None


def _read_file(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return _read(fd, until=None)
    finally:
        os.close(fd)


def _read_line(fd: int) -> bytes:
    return _read(fd, until=b"\n").partition(b"\n")[0]


def _read(fd: int, until: bytes | None) -> bytes:
    """Read to the end, to `until`, or to one byte more than a token may have."""
    given = b""
    while len(given) <= LONGEST_TOKEN and not (until and until in given):
        if not (piece := read_some(fd, LONGEST_TOKEN + 1 - len(given))):
            break
        given += piece
    return given
