"""``sandbox`` and ``demo``: a stand-in for the API."""

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import (
    BoundedFloat,
    SandboxOptions,
    rate_limit_option,
    verbose_option,
)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="The port to listen on; 0 is any free one.",
)
@rate_limit_option("The rate limit that it enforces; configure the clients with it, too.")
@click.option(
    "--sessions",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="The number of its sessions.",
)
@click.option(
    "--ids", type=click.Path(), metavar="FILE", help="Write their ids to a file, one a line."
)
@click.option(
    "--faults",
    type=BoundedFloat(0, 1),
    default=0.0,
    show_default=True,
    metavar="SHARE",
    help="The share of requests that fail at random, from 0 to 1.",
)
@click.option(
    "--finish-within",
    type=BoundedFloat(0, min_open=True),
    metavar="SECONDS",
    help="Let the sessions finish one after another within this time, instead of at the start.",
)
@click.option(
    "--unfinished",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Let the first N sessions never finish.",
)
@verbose_option
def sandbox(
    *,
    port: int,
    rate_limit: tuple[int, float],
    sessions: int,
    ids: str | None,
    faults: float,
    finish_within: float | None,
    unfinished: int,
    verbose: bool,
) -> None:
    """Run a stand-in for the API on this machine.

    It prints the two environment variables that direct the other commands to it, and runs until
    it is interrupted. Then it counts the requests; with --verbose, each one is a line.
    """
    if unfinished > sessions:
        raise click.UsageError(f"--unfinished {unfinished} is more than there are sessions")
    _lazy.sandbox.run(
        SandboxOptions(
            port=port,
            rate_limit=rate_limit,
            sessions=sessions,
            ids=ids,
            faults=faults,
            finish_within=finish_within,
            unfinished=unfinished,
            verbose=verbose,
        )
    )


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(),
    metavar="OUT.jsonl",
    help="The output file; a temporary file by default.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress; the summary alone.")
def demo(*, output: str | None, quiet: bool) -> ExitCode:
    """Fetch a few hundred sessions from a sandbox.

    Some requests fail and are retried, and the rate limit is used to the last request.
    """
    return _lazy.demo.run(output, quiet=quiet)
