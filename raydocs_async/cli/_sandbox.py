"""The server of ``sandbox``: a stand-in for the API on this machine."""

import asyncio
import contextlib
from typing import Final

import click

from raydocs_async import SessionStatus
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._files import write_new
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import SandboxOptions
from raydocs_async.cli._streams import say
from raydocs_async.cli._text import plural
from raydocs_async.sandbox import Chaos, Fault, Sandbox, Stats

FAULTS: Final = (Fault.status(503), Fault.reset(), Fault.cut())
"""Faults that random requests meet."""


_LOOK: Final = 0.1
"""Seconds between two looks at the requests, with --verbose."""


def run(options: SandboxOptions) -> None:
    """Serve until interrupted.

    Raises:
        CannotStart: the port or the file is unusable.
    """
    limit, window = options.rate_limit
    api = Sandbox(
        limit,
        window,
        sessions=options.sessions,
        finish_within=options.finish_within,
        port=options.port,
        chaos=Chaos(rate=options.faults, faults=FAULTS),
    )
    for each in api.ids(options.unfinished):
        api.put(api.session(each) | {"status": SessionStatus.PROCESSING})
    run_interruptibly(_serve(api, options))


async def _serve(api: Sandbox, options: SandboxOptions) -> None:
    async with contextlib.AsyncExitStack() as stack:
        # An `async with api` would also take an OSError of the body for a port in use.
        try:
            await stack.enter_async_context(api)
        except OSError:
            raise CannotStart(f"port {options.port} is in use, or not allowed") from None
        if options.ids is not None:
            content = "".join(f"{each}\n" for each in api.ids(options.sessions))
            write_new(options.ids, content.encode())
        click.echo(f"export RAYDOCS_BASE_URL={api.url}")
        click.echo(f"export RAYDOCS_API_TOKEN={api.token}")
        say("Serving until Ctrl-C. Set the variables above to direct other commands here.")
        try:
            await _show_requests(api, verbose=options.verbose)
        finally:
            say(describe(api.stats))


async def _show_requests(api: Sandbox, *, verbose: bool) -> None:
    """Show each request, until the task is cancelled."""
    if not verbose:
        await asyncio.get_running_loop().create_future()
    while True:
        await asyncio.sleep(_LOOK)
        while api.log:
            entry = api.log.popleft()
            answer = "no reply" if entry.status is None else f"{entry.status}"
            say(f"{entry.time:8.2f} s  window {entry.window}  {answer}  GET {entry.path}")


def describe(stats: Stats) -> str:
    """Return the number of requests, by the status of their replies."""
    replies = [f"{count} × {status}" for status, count in sorted(stats.statuses.items())]
    if lost := stats.requests - stats.statuses.total():
        replies.append(f"{lost} without a reply")
    requests = plural(stats.requests, "request")
    words = f"{requests}: {', '.join(replies)}" if replies else requests
    return f"{words}; {stats.faults} met a fault, {stats.throttled} the rate limit."
