"""The command line, ``raydocs-async``: thin, and on the public API only.

`_commands` declares the commands with their options, and imports neither asyncio nor aiohttp, so
that help appears at once. `_lazy` imports the modules that do the work when a command uses them.
Data goes to standard output or a file, everything else to standard error.
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import NoReturn

from raydocs_async.cli import _streams
from raydocs_async.cli._signals import HANDLER

_EXTRA = ("click", "portalocker", "rich")


def main() -> NoReturn:
    """Run the command line of this process, and leave with its exit code."""
    _streams.prepare()
    if missing := [name for name in _EXTRA if find_spec(name) is None]:
        sys.exit(_explain_missing(missing))
    HANDLER.install()
    # An import at the top would need click before its absence could be explained.
    sys.exit(import_module("raydocs_async.cli._commands").execute())


def _explain_missing(packages: list[str]) -> str:
    names = ", ".join(packages)
    if getattr(sys, "frozen", False):  # users cannot install packages into a frozen program
        return f"This program was built without {names}, which its command line needs"
    return f"The command line needs {names}: pip install 'raydocs-async[cli]'"
