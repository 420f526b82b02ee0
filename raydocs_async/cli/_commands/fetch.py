"""``fetch``: many sessions."""

from typing import Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import (
    BoundedFloat,
    Columns,
    ConnectionOptions,
    FetchOptions,
    LogOptions,
    column_option,
    connection_options,
    parse_names,
    parse_shard,
    parse_wait,
    verbose_option,
)
from raydocs_async.cli._shard import Shard


@click.command()
@click.argument("ids", nargs=-1, metavar="[IDS|-]...")
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    type=click.Path(),
    metavar="FILE",
    help="Read ids from a file, one a line, or - for standard input; can be repeated.",
)
@column_option
@click.option(
    "--keep",
    multiple=True,
    callback=parse_names,
    metavar="NAMES",
    help="Write the values of these other columns to the output, too; separated by commas.",
)
@click.option(
    "--output",
    "-o",
    default="-",
    type=click.Path(),
    metavar="OUT.jsonl[.gz]",
    help="The output file; standard output by default. Compressed if its name ends in .gz.",
)
@click.option(
    "--errors",
    "-e",
    type=click.Path(),
    metavar="FILE",
    help="Write the ids that failed, with the reasons, as JSON Lines, instead of showing them.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Continue an output file: finished sessions in it are not fetched again, nor are the ids "
    "that failed permanently, as far as the file of --errors has them.",
)
@click.option(
    "--retry-failed",
    is_flag=True,
    help="With --resume, try the ids of the file of --errors again, and begin it anew.",
)
@click.option(
    "--wait",
    type=parse_wait,
    is_flag=False,
    flag_value="inf",
    metavar="[SECONDS]",
    help="Stay until all sessions are finished, for so many seconds at most after all of them "
    "were fetched once.",
)
@click.option(
    "--shard",
    type=parse_shard,
    default="1/1",
    metavar="I/N",
    help="Fetch only the I-th of N parts of the ids, for N machines with N addresses.",
)
@click.option(
    "--summary",
    type=click.Path(),
    metavar="FILE.json",
    help="Save the summary as JSON: counts, requests over time, and the command that continues. "
    "An earlier one is replaced.",
)
@click.option(
    "--log-interval",
    type=BoundedFloat(0.1),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two lines of the progress, where no bar can be shown.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of the lines on standard error; with json, each is an object.",
)
@verbose_option
@click.option(
    "--quiet",
    "-q",
    is_flag=True,
    help="No progress and no failures; no summary either, if all went well and --summary saves it.",
)
@connection_options
def fetch(
    ids: tuple[str, ...],
    *,
    inputs: tuple[str, ...],
    column: str | None,
    keep: tuple[str, ...],
    output: str,
    errors: str | None,
    resume: bool,
    retry_failed: bool,
    wait: float | None,
    shard: Shard,
    summary: str | None,
    log_interval: float,
    log_format: str,
    verbose: bool,
    quiet: bool,
    **connection: Unpack[ConnectionOptions],
) -> ExitCode:
    """Fetch many sessions, as JSON Lines.

    IDS are session ids; - reads them from standard input, one a line. Each session is written
    when it arrives, as one whole line, and exactly once even if the command is interrupted.
    """
    if keep and column is None:
        raise click.UsageError("--keep needs --column, which names the column of the ids")
    if retry_failed and not (resume and errors):
        raise click.UsageError(
            "--retry-failed needs --resume and --errors, whose ids it tries again"
        )
    options = FetchOptions(
        ids=ids,
        inputs=inputs,
        columns=None if column is None else Columns(column, keep),
        output=output,
        errors=errors,
        shard=shard,
        resume=resume,
        retry_failed=retry_failed,
        quiet=quiet,
        wait=wait,
        summary=summary,
        log=LogOptions(log_format == "json", log_interval, verbose),
    )
    return _lazy.fetch.run(options, connection)
