"""``merge``: the files of several machines."""

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import Columns, column_option


@click.command()
@click.argument("parts", nargs=-1, required=True, type=click.Path(), metavar="PART.jsonl[.gz]...")
@click.option(
    "--input",
    "-i",
    "inputs",
    multiple=True,
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="The ids that the parts should have, one a line; can be repeated.",
)
@column_option
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(),
    metavar="OUT.jsonl[.gz]",
    help="The joined file, which must not exist yet. Compressed if its name ends in .gz.",
)
@click.option(
    "--missing",
    type=click.Path(),
    metavar="FILE",
    help="Write the ids without a finished session, one a line, for another fetch.",
)
def merge(
    parts: tuple[str, ...],
    *,
    inputs: tuple[str, ...],
    column: str | None,
    output: str,
    missing: str | None,
) -> ExitCode:
    """Join the outputs of several fetch commands, and check them.

    PARTS are output files, as of fetch --shard 1/2 and 2/2. Each session is written once, and the
    ids of the input that have no finished session are named. The exit code is 1 if there are any.
    """
    columns = None if column is None else Columns(column)
    return _lazy.merge.run(parts, inputs, output, missing, columns)
