"""``download`` and ``export``: files."""

from pathlib import Path
from typing import Unpack

import click

from raydocs_async.cli import _lazy
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._options import (
    ConnectionOptions,
    connection_options,
    overwrite_option,
    target_option,
)


@click.command()
@click.argument("document_id", metavar="DOCUMENT_ID")
@target_option("FILE")
@overwrite_option
@connection_options
def download(
    document_id: str, *, output: str, overwrite: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Save the file of a document.

    It is written whole or not at all, and compared with the document's length and checksum.
    """
    return _lazy.save.save(
        lambda client, on_progress: client.download_document(
            document_id, output, overwrite=overwrite, on_progress=on_progress
        ),
        output,
        connection,
    )


@click.command()
@click.argument("result_id", metavar="RESULT_ID")
@target_option("FILE.xlsx")
@overwrite_option
@connection_options
def export(
    result_id: str, *, output: str, overwrite: bool, **connection: Unpack[ConnectionOptions]
) -> ExitCode:
    """Save a result as an Excel file.

    It has the result's data, audit trail and metadata, and is written whole or not at all.
    """
    # Programs choose by the suffix how to read a file. A name without one says nothing wrong.
    if Path(output).suffix.lower() not in ("", ".xlsx"):
        raise CannotStart(f"{output}: an export is an Excel file; give it a name ending in .xlsx")
    return _lazy.save.save(
        lambda client, on_progress: _lazy.unfinished.or_not_yet(
            client.export_result(result_id, output, overwrite=overwrite, on_progress=on_progress),
            lambda: client.get_result(result_id, timeout=connection["max_wait"]),
        ),
        output,
        connection,
    )
