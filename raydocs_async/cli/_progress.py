"""Progress reports of a bulk job: a live display on a terminal, periodic lines elsewhere."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from raydocs_async.cli import _text
from raydocs_async.cli._log_format import LOG_FORMAT
from raydocs_async.cli._printable import MAX_MESSAGE, printable
from raydocs_async.cli._snapshot import Snapshot
from raydocs_async.cli._streams import say

_MARGIN: Final = 5
"""Columns that stay free for the ``^C`` that a terminal echoes. After a full line, the echo would
start another line, and the bar would be redrawn there, below its last frame."""


class Reporter:
    """Reports the progress and the failures of a job; this one is silent."""

    period = 3600.0
    """Seconds between two updates."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def update(self, snapshot: Snapshot) -> None:
        """Show the progress."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show the progress for the last time."""

    def say(self, message: str, **facts: Any) -> None:
        """Show a line that stays; `facts` are more keys of it, if lines are JSON."""


class LineReporter(Reporter):
    """Prints a line now and then, and at once when an outage begins or ends, for logs.

    Args:
        interval: Seconds between two lines.
    """

    def __init__(self, interval: float = 10.0) -> None:
        self.period = min(interval, 1.0)
        self._interval = self._next = interval
        self._was_down = False

    def update(self, snapshot: Snapshot) -> None:
        """Print a line if it is time."""
        is_down = snapshot.progress.outage is not None
        if snapshot.seconds < self._next and is_down == self._was_down:
            return
        self._was_down = is_down
        self._next = (snapshot.seconds // self._interval + 1) * self._interval
        self.say(_text.progress_line(snapshot), **_facts(snapshot))

    def say(self, message: str, **facts: Any) -> None:
        """Print a message, with its time."""
        say(LOG_FORMAT.stamp(message), MAX_MESSAGE, **facts)


def _facts(snapshot: Snapshot) -> dict[str, Any]:
    """Return the progress as keys of a line."""
    progress = snapshot.progress
    return {
        "event": "progress",
        "seconds": round(snapshot.seconds, 3),
        "total": progress.total,
        "done": progress.done,
        "failed": snapshot.failed,
        "unfinished": snapshot.unfinished,
        "retries": snapshot.retries,
        "outage_seconds": progress.outage,
    }


class LiveReporter(Reporter):
    """Redraws a bar in place, with messages above it, on a terminal."""

    period = 0.1

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._spinner = Spinner("dots")
        # Without `redirect_stdout`, because rich would send data to standard error.
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw the bar."""
        columns = self._console.width - _MARGIN
        bar, words = _text.fit_bar(snapshot, columns - 2)
        text = Text(words, no_wrap=True, overflow="crop")
        text.highlight_regex(r"\d+ failed", "red")
        text.highlight_regex(r"\d+ unfinished", "yellow")
        progress = snapshot.progress
        states = _text.service(snapshot)  # the longest first, of which the others are parts
        text.highlight_words(states, "dim" if progress.outage is None else "red")
        frame = Table.grid(padding=(0, 1, 0, 0))
        # Without a total, the bar shows only that something moves.
        drawn = (
            [ProgressBar(progress.total, progress.done - snapshot.unfinished, bar)] if bar else []
        )
        frame.add_row(self._spinner, *drawn, text)
        self._live.update(frame, refresh=True)

    finish = update

    def say(self, message: str, **facts: Any) -> None:
        """Print a message above the bar."""
        # Without `soft_wrap`, rich would break a long path into lines, and it could not be copied.
        self._console.print(Text(printable(message)), soft_wrap=True)


def choose_reporter(
    *, quiet: bool, data_on_terminal: bool = False, interval: float = 10.0
) -> Reporter:
    """Return the reporter that suits standard error.

    Args:
        quiet: Return the silent one.
        data_on_terminal: Data is written to a terminal, too, where a bar would precede each line.
        interval: Seconds between two lines, where no bar can be shown.
    """
    if quiet:
        return Reporter()
    is_plain = not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb"
    if data_on_terminal or is_plain or LOG_FORMAT.as_json:
        return LineReporter(interval)
    return LiveReporter()


@contextlib.asynccontextmanager
async def report_progress(
    snapshot: Callable[[float], Snapshot], reporter: Reporter
) -> AsyncIterator[None]:
    """Report the progress of a job while the block runs.

    Args:
        snapshot: Returns the progress so many seconds after the start.
        reporter: Shows it.
    """
    clock = asyncio.get_running_loop().time
    started = clock()

    async def watch() -> None:
        """Report once in a period."""
        while True:
            await asyncio.sleep(reporter.period)
            reporter.update(snapshot(clock() - started))

    with reporter:
        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()
            # Its end is awaited, because a late update would follow the last frame.
            await asyncio.wait([watcher])
            reporter.finish(snapshot(clock() - started))
