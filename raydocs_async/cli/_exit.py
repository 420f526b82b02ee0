"""Exit codes, and the errors that end a command."""

from enum import IntEnum

import click

from raydocs_async.cli._printable import printable


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    OK = 0
    FAILED = 1
    """Some ids failed permanently, or the output could not be written."""
    USAGE = 2
    """Invalid usage; nothing was done."""
    DENIED = 4
    """The service rejected the token."""
    RETRY_LATER = 75
    """An outage, a rate limit, an unfinished session, document or result: run the command again.
    sysexits.h has it as EX_TEMPFAIL."""
    INTERRUPTED = 130
    """Ctrl-C, SIGTERM or SIGHUP. Shells report 128 + 2 for a process that Ctrl-C ended."""


class CommandFailed(click.ClickException):
    """Raised to end a command with a message and an exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        """Make the message printable."""
        # A file name with a line end would otherwise add a line, which reads like another error.
        super().__init__(printable(message))
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance


class CannotStart(CommandFailed):
    """Raised when a file or the token is unusable; nothing was done."""

    def __init__(self, message: str) -> None:
        """Set the exit code of invalid usage."""
        super().__init__(message, ExitCode.USAGE)
