"""How a command ends."""

from enum import IntEnum

import click


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    """Some ids failed, or it could not be brought to its end."""
    USAGE = 2
    """What was asked for cannot be done; nothing was."""
    REFUSED = 4
    """The service does not accept the token."""
    INTERRUPTED = 130
    """By Ctrl-C, SIGTERM or SIGHUP."""


class CannotStart(click.ClickException):
    """What was asked for cannot be had: a file, a token. Nothing was done."""

    exit_code = Exit.USAGE
