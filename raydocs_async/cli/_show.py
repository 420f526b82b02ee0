"""The output of the commands that read resources: trees for a person, JSON for a program."""

import sys
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from rich.console import Console

from raydocs_async import (
    RaydocsClient,
    RaydocsError,
    Session,
    WaitTimeoutError,
    converter,
)
from raydocs_async.cli._connect import exit_code_for, message_for, open_client
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import ConnectionOptions
from raydocs_async.cli._printable import escape_json, printable
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import duration
from raydocs_async.cli._trees import Resource, build_tree


def announce_wait(timeout: float) -> None:
    """Tell a person at a terminal that the command waits for up to `timeout` seconds."""
    if sys.stderr.isatty():
        say(f"Waiting for the session, {duration(timeout)} at most.")


def show(
    call: Callable[[RaydocsClient], Awaitable[Resource | Sequence[Resource]]],
    connection: ConnectionOptions,
    *,
    as_json: bool,
) -> ExitCode:
    """Print the resource, or each resource of the list, that a call of the client returns.

    Raises:
        BrokenPipeError: the reader of standard output has gone; click ends the command quietly.
    """

    async def call_client() -> Resource | Sequence[Resource]:
        """Make the call with a new client, which is closed afterwards."""
        async with open_client(connection) as client:
            return await call(client)

    try:
        found = run_interruptibly(call_client())
    except RaydocsError as error:
        say(f"Error: {message_for(error)}{_describe_last_seen(error)}")
        return exit_code_for(error)
    try:
        for resource in found if isinstance(found, Sequence) else [found]:
            _print(resource, as_json=as_json)
    except BrokenPipeError:
        raise
    except OSError as exc:
        say(f"Error: standard output cannot be written: {exc.strerror}")
        return ExitCode.FAILED
    return ExitCode.OK


def _describe_last_seen(error: RaydocsError) -> str:
    session: Session | None = error.last_seen if isinstance(error, WaitTimeoutError) else None
    return f"; last seen as {printable(session.status)}" if session and session.status else ""


def _print(resource: Resource, *, as_json: bool) -> None:
    record = converter.dumps(resource)
    if not sys.stdout.isatty():
        # The text layer above would encode in the locale's encoding; JSON is always UTF-8.
        sys.stdout.buffer.write(record + b"\n")
    elif as_json:
        sys.stdout.buffer.write(escape_json(msgspec.json.format(record)) + b"\n")
    else:
        Console().print(build_tree(resource))
