"""``report``: a page to look at what was fetched."""

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import ReportOptions, overwrite_option, quiet_option, target_option


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@target_option("OUT.html")
@click.option(
    "--errors",
    "-e",
    type=click.Path(),
    metavar="FILE",
    help="The errors file of `fetch`, for the failures and their reasons.",
)
@click.option(
    "--summary",
    type=click.Path(),
    metavar="FILE.json",
    help="The summary of `fetch`, for the requests over time and their latencies.",
)
@overwrite_option
@quiet_option
def report(
    files: tuple[str, ...],
    *,
    output: str,
    errors: str | None,
    summary: str | None,
    overwrite: bool,
    quiet: bool,
) -> ExitCode:
    """Make a page of fetched sessions, to look at in a browser.

    FILE is what `fetch` has written, also compressed; - is standard input. The page is one file
    that needs no network: the sessions by status, and of each its documents, its results, and every
    value with its reasoning and the text that it was read from. It can be searched.
    """
    options = ReportOptions(files, output, errors, summary, overwrite, quiet)
    return _lazy.report.run(options)
