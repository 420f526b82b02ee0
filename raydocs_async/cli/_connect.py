"""The client of a command, and the library's errors in the command line's terms."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

from raydocs_async import (
    APIConnectionError,
    AuthenticationError,
    ConfigurationError,
    FileError,
    InternalServerError,
    InvalidIdError,
    PermissionDeniedError,
    RateLimit,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    Session,
    WaitTimeoutError,
    events,
)
from raydocs_async.cli._exit import CannotStart, CommandFailed, ExitCode
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._printable import printable
from raydocs_async.cli._token import read_token
from raydocs_async.cli._watch import CallWatch

T = TypeVar("T")

_COMMAND_LINE_TERMS: Final = {
    "base_url": "$RAYDOCS_BASE_URL",
    "; give token= instead": "",
    ", or allow_http=True if you mean it": "",
    "allow it by overwrite=True": "replace it with --overwrite",
    "shared must": "--shared-limit must",
    "get_document shows": "`raydocs-async document` shows",
    "get_result shows": "`raydocs-async result` shows",
}
"""Parts of the library's messages that name arguments, and their replacements."""

_TEMPORARY_ERRORS: Final = (
    APIConnectionError,
    InternalServerError,
    RateLimitError,
    WaitTimeoutError,
)
"""Errors after which another run may succeed."""


def open_client(options: ConnectionOptions, on_event: events.Hook | None = None) -> RaydocsClient:
    """Return a client that is configured by the options and the environment.

    Args:
        options: The options.
        on_event: Called with each event of the client.

    Raises:
        CannotStart: the token is missing, or an option has an unusable value.
    """
    requests, per = options["rate_limit"]
    try:
        limit = RateLimit(
            requests=requests,
            per=per,
            max_wait=options["max_wait"],
            shared=options["shared_limit"],
        )
        token = read_token(options["token_file"])
        return RaydocsClient(token, rate_limit=limit, on_event=on_event)
    except ConfigurationError as exc:
        raise CannotStart(message_for(exc)) from None


def run_with_client(call: Callable[[RaydocsClient], Awaitable[T]], options: ConnectionOptions) -> T:
    """Make a call with a new client, which is closed afterwards; return what the call returns.

    Raises:
        CannotStart: the token is missing, or an option has an unusable value.
        CommandFailed: the call has failed.
        KeyboardInterrupt: a signal has ended it.
    """

    async def make_call() -> T:
        """Make the call in an event loop."""
        async with open_client(options, CallWatch()) as client:
            return await call(client)

    try:
        return run_interruptibly(make_call())
    except RaydocsError as error:
        message = f"{message_for(error)}{_describe_last_seen(error)}"
        raise CommandFailed(message, exit_code_for(error)) from None


def _describe_last_seen(error: RaydocsError) -> str:
    session: Session | None = error.last_seen if isinstance(error, WaitTimeoutError) else None
    return f"; last seen as {printable(session.status)}" if session and session.status else ""


def message_for(error: RaydocsError) -> str:
    """Return the message of an error, with its hint, in the command line's terms."""
    return _in_our_terms(str(error))


def split_hint(error: RaydocsError) -> tuple[str, str]:
    """Return the message of an error without its hint, and the hint, which may be empty."""
    hint = _in_our_terms(error.hint)
    return message_for(error).removesuffix(f". {hint}" if hint else ""), hint


def _in_our_terms(message: str) -> str:
    for term, replacement in _COMMAND_LINE_TERMS.items():
        message = message.replace(term, replacement)
    return message


def exit_code_for(error: RaydocsError) -> ExitCode:
    """Return the exit code of a command that ends with `error`."""
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        return ExitCode.DENIED
    if isinstance(error, ConfigurationError | InvalidIdError):
        return ExitCode.USAGE
    if isinstance(error, _TEMPORARY_ERRORS) or _is_busy_storage(error):
        return ExitCode.RETRY_LATER
    return ExitCode.FAILED


def _is_busy_storage(error: RaydocsError) -> bool:
    """Return True if the storage of files has failed in a way that may be temporary."""
    status = error.status if isinstance(error, FileError) else None
    return status is not None and (status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500)
