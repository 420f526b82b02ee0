"""How a command ends."""

from enum import IntEnum

import click

from raydocs_async.cli._printable import printable


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    """Some ids failed for good, or the output could not be written."""
    USAGE = 2
    """Invalid usage; nothing was done."""
    REFUSED = 4
    """The service does not accept the token."""
    AGAIN = 75
    """Not done yet, run it again: an outage, a rate limit, a session that is not finished."""
    INTERRUPTED = 130
    """By Ctrl-C, SIGTERM or SIGHUP."""


class CannotStart(click.ClickException):
    """Raised when a file or a token cannot be had; nothing was done."""

    exit_code = Exit.USAGE

    def __init__(self, message: str) -> None:
        """Keep the message as one line: a file's name can hold line ends."""
        super().__init__(printable(message))
