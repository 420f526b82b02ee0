"""The client of a command, and the library's errors in the command line's terms."""

from typing import Final

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
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._token import read_token

_COMMAND_LINE_TERMS: Final = {
    "base_url": "$RAYDOCS_BASE_URL",
    "; give token= instead": "",
    ", or allow_http=True if you mean it": "",
    "overwrite=True": "--overwrite",
}
"""Parts of the library's messages that name arguments, and their replacements."""

_TEMPORARY_ERRORS: Final = (
    APIConnectionError,
    InternalServerError,
    RateLimitError,
    WaitTimeoutError,
)
"""Errors after which another run may succeed."""


def open_client(options: ConnectionOptions) -> RaydocsClient:
    """Return a client that is configured by the options and the environment.

    Raises:
        CannotStart: the token is missing, or an option has an unusable value.
    """
    requests, per = options["rate_limit"]
    try:
        limit = RateLimit(requests=requests, per=per, max_wait=options["max_wait"])
        return RaydocsClient(read_token(options["token_file"]), rate_limit=limit)
    except ConfigurationError as exc:
        raise CannotStart(message_for(exc)) from None


def message_for(error: RaydocsError) -> str:
    """Return the message of an error, in the command line's terms."""
    message = str(error)
    for term, replacement in _COMMAND_LINE_TERMS.items():
        message = message.replace(term, replacement)
    return message


def exit_code_for(error: RaydocsError) -> ExitCode:
    """Return the exit code of a command that ends with `error`."""
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return ExitCode.DENIED
    if isinstance(error, ConfigurationError | InvalidIdError):
        return ExitCode.USAGE
    if isinstance(error, _TEMPORARY_ERRORS):
        return ExitCode.RETRY_LATER
    return ExitCode.FAILED
