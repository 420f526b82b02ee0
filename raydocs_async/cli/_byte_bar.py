"""A progress bar of bytes, for the commands that read or write one file."""

import os
import sys

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn


def byte_bar(*, quiet: bool = False) -> Progress:
    """Return a bar of bytes, which is removed in the end; disabled without a terminal."""
    is_hidden = quiet or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb"
    return Progress(
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True, quiet=is_hidden),  # rich 13.9 would end with an empty line
        transient=True,
        redirect_stdout=False,
        disable=is_hidden,
    )
