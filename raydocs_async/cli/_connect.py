"""From the options that all commands share to a client, and from its errors to an exit code."""

import os
import sys
from pathlib import Path
from typing import TypedDict

from raydocs_async import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    InternalServerError,
    InvalidSessionIdError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    WaitTimeoutError,
)
from raydocs_async.cli._exit import CannotStart, Exit

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
    if isinstance(error, ConfigurationError | InvalidSessionIdError):
        return Exit.USAGE
    if isinstance(error, _PASSING):
        return Exit.AGAIN
    return Exit.FAILED


def _read_token(path: str | None) -> str:
    if path is None:
        if token := os.environ.get("RAYDOCS_API_TOKEN"):
            return token
        raise CannotStart("no token: set RAYDOCS_API_TOKEN, or give --token-file")
    if path == "-":
        return sys.stdin.readline().strip()
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise CannotStart(f"the token file {path} cannot be read: {reason}") from None
