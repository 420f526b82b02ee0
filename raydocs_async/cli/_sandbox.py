"""The server of ``sandbox``: a stand-in for the API on this machine."""

import asyncio
import contextlib
from typing import Final

import click

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import write_new
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._streams import say
from raydocs_async.sandbox import Chaos, Fault, Sandbox

FAULTS: Final = (Fault.status(503), Fault.reset(), Fault.cut())
"""Faults that random requests meet."""


def run(
    port: int,
    rate_limit: tuple[int, float],
    sessions: int,
    ids: str | None,
    *,
    faults: float,
    finish_within: float | None,
) -> None:
    """Serve until interrupted.

    Args:
        port: The port to listen on; 0 is any free one.
        rate_limit: Requests, and the seconds of a window.
        sessions: The number of sessions.
        ids: The path of a file to write their ids to.
        faults: The share of requests that fail, from 0 to 1.
        finish_within: Seconds until all sessions are finished; ``None``: they are from the start.

    Raises:
        CannotStart: the port or the file is unusable.
    """
    limit, window = rate_limit
    chaos = Chaos(rate=faults, faults=FAULTS)
    api = Sandbox(
        limit, window, sessions=sessions, finish_within=finish_within, port=port, chaos=chaos
    )
    run_interruptibly(_serve(api, port, sessions, ids))


async def _serve(api: Sandbox, port: int, sessions: int, ids: str | None) -> None:
    async with contextlib.AsyncExitStack() as stack:
        # An `async with api` would also take an OSError of the body for a port in use.
        try:
            await stack.enter_async_context(api)
        except OSError:
            raise CannotStart(f"port {port} is in use, or not allowed") from None
        if ids is not None:
            write_new(ids, "".join(f"{each}\n" for each in api.ids(sessions)).encode())
        click.echo(f"export RAYDOCS_BASE_URL={api.url}")
        click.echo(f"export RAYDOCS_API_TOKEN={api.token}")
        say("Serving until Ctrl-C. Set the variables above to direct other commands here.")
        await asyncio.get_running_loop().create_future()
