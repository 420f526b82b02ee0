"""What a person sees while a job runs: a live display on a terminal, else a line now and then."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Self

from rich.console import Console
from rich.live import Live as Region
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from raydocs_async import Progress, Session, Stream
from raydocs_async.cli import _text
from raydocs_async.cli._printable import LONGEST, printable
from raydocs_async.cli._streams import say

_MARGIN = 5
"""Columns that stay free, for the ``^C`` that a terminal shows: behind a full line it would begin
another, and the bar would be redrawn there, below its last frame."""


class Reporter:
    """Tells how far a job is, and what goes wrong; this one says nothing."""

    period = 3600.0
    """Seconds from one look at the progress to the next."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def update(self, progress: Progress, seconds: float) -> None:
        """Show the progress, `seconds` after the start."""

    def finish(self, progress: Progress, seconds: float) -> None:
        """Show the progress for the last time."""

    def say(self, message: str) -> None:
        """Show a line that stays."""


class Lines(Reporter):
    """For a log: a line now and then."""

    period = 10.0

    def update(self, progress: Progress, seconds: float) -> None:
        """Print a line."""
        self.say(_text.line(progress, seconds))

    def say(self, message: str) -> None:
        """Print it."""
        say(message, LONGEST)


class Live(Reporter):
    """For a terminal: a bar that is redrawn in place, and lines above it."""

    period = 0.1

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._spinner = Spinner("dots")
        # Standard output stays as it is: it is for data.
        self._region = Region(console=self._console, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._region.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._region.stop()

    def update(self, progress: Progress, seconds: float) -> None:
        """Redraw the bar."""
        columns = self._console.width - _MARGIN
        bar, words = _text.fit(progress, seconds, columns - 2)
        text = Text(words, no_wrap=True, overflow="crop")
        text.highlight_regex(r"\d+ failed", "red")
        text.highlight_words([_text.window(progress.rate_limit)], "dim")
        frame = Table.grid(padding=(0, 1, 0, 0))
        # Without a total, the bar shows that something moves.
        drawn = [ProgressBar(progress.total, progress.done, bar)] if bar else []
        frame.add_row(self._spinner, *drawn, text)
        self._region.update(frame, refresh=True)

    finish = update

    def say(self, message: str) -> None:
        """Print it above the bar."""
        self._console.print(Text(printable(message)), soft_wrap=True)


def choose(*, quiet: bool, is_shared: bool = False) -> Reporter:
    """The reporter that suits standard error.

    Args:
        quiet: Nothing is to be said.
        is_shared: Data is written to a terminal, too, where a bar would stand before it.
    """
    if quiet:
        return Reporter()
    if is_shared or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return Lines()
    return Live()


@contextlib.asynccontextmanager
async def reported(stream: Stream[Session], reporter: Reporter) -> AsyncIterator[None]:
    """Report on a stream for as long as the block runs."""
    clock = asyncio.get_running_loop().time
    started = clock()

    async def watch() -> None:
        """Report once a period."""
        while True:
            await asyncio.sleep(reporter.period)
            reporter.update(stream.progress, clock() - started)

    with reporter:
        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])
            reporter.finish(stream.progress, clock() - started)
