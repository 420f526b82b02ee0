"""``get`` and ``wait``: one session."""

from typing import Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import (
    BoundedFloat,
    ConnectionOptions,
    connection_options,
    json_option,
)


@click.command()
@click.argument("session_id", metavar="ID")
@json_option
@connection_options
def get(session_id: str, *, as_json: bool, **connection: Unpack[ConnectionOptions]) -> ExitCode:
    """Fetch one session and show it.

    On a terminal as a tree of its documents and results; otherwise as one line of JSON.
    """
    return _lazy.show.show(
        lambda client: client.get_session(session_id, timeout=connection["max_wait"]),
        connection,
        as_json=as_json,
    )


@click.command()
@click.argument("session_id", metavar="ID")
@click.option(
    "--timeout",
    type=BoundedFloat(0, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="The longest wait for the session.",
)
@json_option
@connection_options
def wait(
    session_id: str, *, timeout: float, as_json: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Wait until a session is finished, and show it.

    The session is fetched repeatedly until then, and shown as `get` shows it.
    """
    _lazy.show.announce_wait(timeout)
    return _lazy.show.show(
        lambda client: client.wait_for_session(session_id, timeout=timeout),
        connection,
        as_json=as_json,
    )
