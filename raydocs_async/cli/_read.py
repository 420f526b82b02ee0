"""The output of the commands that read: trees for a person, JSON for a program."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import msgspec
from rich.console import Console

from raydocs_async import RaydocsClient, converter
from raydocs_async.cli._connect import run_with_client
from raydocs_async.cli._exit import CommandFailed, ExitCode
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._printable import escape_json
from raydocs_async.cli._source_files import SourceFiles, find_source_files
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import duration
from raydocs_async.cli._tree import Shown, build_tree

Found: TypeAlias = Shown | tuple[Shown, ...]
"""One object, or a list."""
Call: TypeAlias = Callable[[RaydocsClient], Awaitable[Found] | AsyncIterator[Shown]]
"""A call of one of the client's methods, whose lists come at once or one by one."""


def announce_wait(timeout: float) -> None:
    """Tell a person at a terminal that the command waits for up to `timeout` seconds."""
    if sys.stderr.isatty():
        say(f"Waiting for the session, {duration(timeout)} at most.")


def show(
    call: Call, connection: ConnectionOptions, *, as_json: bool, with_sources: bool = False
) -> ExitCode:
    """Print the objects that a call of the client returns, when all of them are there.

    Raises:
        CommandFailed: the call has failed, or standard output cannot be written.
        BrokenPipeError: the reader of standard output has gone; click ends the command quietly.
    """
    is_tree = sys.stdout.isatty() and not as_json
    sources: SourceFiles | None = {} if with_sources and is_tree else None

    async def make_call(client: RaydocsClient) -> Found:
        """Make the call, and collect a list that comes one by one."""
        nonlocal sources
        answer = call(client)
        if isinstance(answer, AsyncIterator):
            return tuple([each async for each in answer])
        found = await answer
        if sources is not None:
            sources = await find_source_files(client, found)
        return found

    # Not printed while the event loop runs, because a reader that is stuck would block it.
    found = run_with_client(make_call, connection)
    try:
        _print(found, sources, is_tree=is_tree)
    except BrokenPipeError:
        raise
    except OSError as exc:
        reason = f"standard output cannot be written: {exc.strerror}"
        raise CommandFailed(reason, ExitCode.FAILED) from None
    return ExitCode.OK


def _print(found: Found, sources: SourceFiles | None, *, is_tree: bool) -> None:
    is_list = isinstance(found, tuple)
    items = found if isinstance(found, tuple) else (found,)
    if is_tree:
        console = Console()
        for each in items:
            console.print(build_tree(each, sources=sources))
        if not items:
            say("There are none.")
        return
    records = [converter.dumps(each) for each in items]
    if sys.stdout.isatty():
        records = [escape_json(each if is_list else msgspec.json.format(each)) for each in records]
    # The text layer above would encode in the locale's encoding; JSON is always UTF-8.
    sys.stdout.buffer.write(b"".join(each + b"\n" for each in records))
