"""The command line, ``raydocs-async``: thin, and on the public API only.

`_commands` declares the commands and their options. What a command does is in a module of its
own, which is imported when the command line has been read: help is there at once, and without
aiohttp. Data goes to standard output or a file, everything else to standard error.
"""

import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import NoReturn

_EXTRA = ("click", "portalocker", "rich")


def main() -> NoReturn:
    """Run the command line of this process, and leave with its exit code."""
    if not all(map(find_spec, _EXTRA)):
        sys.exit("The command line needs more packages: pip install 'raydocs-async[cli]'")
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(import_module("raydocs_async.cli._commands").execute())


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Do on SIGTERM, by which containers end a job, as Ctrl-C does, even where that is ignored."""
    handler = signal.getsignal(signal.SIGINT)
    (handler if callable(handler) else signal.default_int_handler)(number, frame)
