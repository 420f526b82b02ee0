"""What a person sees while a job runs: a live display on a terminal, else a line now and then."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from raydocs_async import Progress, SessionStream
from raydocs_async.cli import _text


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
        click.echo(message, err=True)


class Live(Reporter):
    """For a terminal: a bar that is redrawn in place, and lines above it."""

    period = 0.1

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            # With a column of the table's own, it wraps on a narrow terminal instead of being cut.
            TextColumn("{task.fields[words]}", table_column=Column()),
            console=self._console,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def update(self, progress: Progress, seconds: float) -> None:
        """Redraw the bar."""
        words = (
            _text.counts(progress),
            f"[red]{progress.failed} failed[/]" if progress.failed else "",
            f"[dim]{_text.window(progress.rate_limit)}[/]",
            _text.to_go(progress) or _text.rate(progress, seconds),
        )
        self._bar.update(
            self._task,
            total=progress.total,
            completed=progress.done,
            words=" ".join(filter(None, words)),
            refresh=True,
        )

    finish = update

    def say(self, message: str) -> None:
        """Print it above the bar."""
        self._console.print(Text(message), soft_wrap=True)


def choose(*, quiet: bool) -> Reporter:
    """The reporter that suits standard error."""
    if quiet:
        return Reporter()
    return Live() if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" else Lines()


@contextlib.asynccontextmanager
async def reported(stream: SessionStream, reporter: Reporter) -> AsyncIterator[None]:
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
