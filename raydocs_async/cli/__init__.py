"""The command line, ``raydocs-async``: thin, and on the public API only.

`_commands` declares the commands and their options. What a command does is in a module of its
own, which is imported when the command line has been read: help is there at once, and without
aiohttp. Data goes to standard output or a file, everything else to standard error.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

from raydocs_async.cli import _streams
from raydocs_async.cli._signals import STOPPER

_EXTRA = ("click", "portalocker", "rich")


def main() -> NoReturn:
    """Run the command line of this process, and leave with its exit code."""
    _streams.prepare()
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        sys.exit(_explain(missing))
    STOPPER.install()
    sys.exit(import_module("raydocs_async.cli._commands").execute())


def _explain(missing: list[str]) -> str:
    names = ", ".join(missing)
    if getattr(sys, "frozen", False):  # nothing can be installed into it
        return f"This program was built without {names}, which its command line needs"
    return f"The command line needs {names}: pip install 'raydocs-async[cli]'"
