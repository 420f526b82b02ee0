"""The output of ``download`` and ``export``: one file, with its progress on a terminal."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from raydocs_async import RaydocsClient, RaydocsError
from raydocs_async.cli._connect import exit_code_for, message_for, open_client
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._printable import printable
from raydocs_async.cli._streams import say

OnProgress: TypeAlias = Callable[[int, int | None], object]


def save(
    call: Callable[[RaydocsClient, OnProgress], Awaitable[Path]], connection: ConnectionOptions
) -> ExitCode:
    """Save the file that a call of the client fetches, and say where it is."""

    async def call_client() -> Path:
        """Make the call with a new client, which is closed afterwards."""
        async with open_client(connection) as client:
            with _progress() as progress:
                task = progress.add_task("")
                return await call(
                    client, lambda done, total: progress.update(task, completed=done, total=total)
                )

    try:
        path = run_interruptibly(call_client())
    except RaydocsError as error:
        say(f"Error: {message_for(error)}")
        return exit_code_for(error)
    say(f"Saved {printable(str(path))}")
    return ExitCode.OK


def _progress() -> Progress:
    """Return a bar that is drawn on a terminal, and is gone when the file is there."""
    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
