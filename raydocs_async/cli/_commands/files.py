"""``download`` and ``export``: a document's file, and a result as a spreadsheet."""

from collections.abc import Callable
from typing import Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._options import ConnectionOptions, Function, connection_options

_overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace a file that is there already."
)


def _output_option(name: str) -> Callable[[Function], Function]:
    return click.option(
        "--output", "-o", required=True, type=click.Path(), metavar=name, help="Where to save it."
    )


@click.command()
@click.argument("document_id", metavar="DOCUMENT_ID")
@_output_option("FILE")
@_overwrite_option
@connection_options
def download(
    document_id: str, *, output: str, overwrite: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Save the file of a document, whole or not at all.

    Its length and checksum are compared with the document's.
    """
    return _lazy.save.save(
        lambda client, on_progress: client.download_document(
            document_id, output, overwrite=overwrite, on_progress=on_progress
        ),
        connection,
    )


@click.command()
@click.argument("result_id", metavar="RESULT_ID")
@_output_option("FILE.xlsx")
@_overwrite_option
@connection_options
def export(
    result_id: str, *, output: str, overwrite: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Save a result as an Excel file.

    It has the data, the audit trail and the metadata.
    """
    return _lazy.save.save(
        lambda client, on_progress: client.export_result(
            result_id, output, overwrite=overwrite, on_progress=on_progress
        ),
        connection,
    )
