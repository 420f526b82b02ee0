"""The job of ``download`` and ``export``: one file, with its progress."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import click

from raydocs_async import RaydocsClient
from raydocs_async.cli._byte_bar import byte_bar
from raydocs_async.cli._connect import run_with_client
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._streams import find_standard_stream, say

OnProgress: TypeAlias = Callable[[int, int | None], object]
Call: TypeAlias = Callable[[RaydocsClient, OnProgress], Awaitable[Path]]
"""A call of one of the client's methods that save a file."""


def save(call: Call, output: str, connection: ConnectionOptions) -> ExitCode:
    """Save a file, and say where.

    Args:
        call: Saves the file, and reports its progress.
        output: The path that the command was given.
        connection: Options of the client.

    Raises:
        click.UsageError: `output` is a standard stream; nothing was done.
        CommandFailed: the file was not saved.
    """
    # The file takes its place by a rename, which a stream has no use for.
    if find_standard_stream(output) is not None:
        raise click.UsageError("a file is written whole or not at all, so -o needs a file's path")

    async def make_call(client: RaydocsClient) -> Path:
        """Make the call while a bar shows the progress."""
        with byte_bar() as bar:
            task = bar.add_task("", total=None)
            return await call(
                client, lambda done, total: bar.update(task, completed=done, total=total)
            )

    say(f"Saved to {run_with_client(make_call, connection)}")
    return ExitCode.OK
