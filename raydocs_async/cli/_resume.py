"""The command that continues an interrupted job, to be pasted into a shell."""

import os
import shlex
import sys
from collections.abc import Iterable
from typing import NamedTuple

from raydocs_async.cli._ids import IdPipe, IdSource


class Resumption(NamedTuple):
    """The way to continue a job that was stopped, or is not done."""

    command: str
    pipes: tuple[str, ...] = ()
    """The names of inputs that have to be given again."""

    @property
    def lines(self) -> list[str]:
        """The command, and a line for each input that it needs again."""
        again = (f"The same ids are needed again from {name}." for name in self.pipes)
        return [f"To continue: {self.command}", *again]


def describe_resumption(
    arguments: list[str], sources: Iterable[IdSource], *, resume: bool
) -> Resumption:
    """Return the command that continues a job, and the inputs that it needs again.

    Args:
        arguments: Those of the interrupted command, from its name on.
        sources: The sources of its ids.
        resume: True if `arguments` include ``--resume``.
    """
    if not resume:
        # Behind "--", everything is an id, so the option goes to the front.
        at = 1 if "--" in arguments else len(arguments)
        arguments = [*arguments[:at], "--resume", *arguments[at:]]
    command = " ".join(map(_quote, ["raydocs-async", *arguments]))
    return Resumption(command, tuple(each.name for each in sources if isinstance(each, IdPipe)))


def _quote(argument: str) -> str:
    """Quote an argument for a shell, in ASCII if standard error cannot show it."""
    if _is_showable(argument):
        return shlex.quote(argument)
    # bash, zsh and ksh read $'...'. Octal escapes end after three digits; a hexadecimal one
    # would take the digits that follow it.
    escaped = (
        chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\{byte:03o}"
        for byte in os.fsencode(argument)
    )
    return f"$'{''.join(escaped)}'"


def _is_showable(argument: str) -> bool:
    try:
        argument.encode(sys.stderr.encoding)
    except UnicodeEncodeError:
        return False
    return argument.isprintable()
