"""The job: read the sessions and failures, and write the page whole or not at all."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Final

import click
from rich.progress import Progress

from raydocs_async import Session, __version__
from raydocs_async.cli._byte_bar import byte_bar
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._options import ReportOptions
from raydocs_async.cli._printable import printable
from raydocs_async.cli._records import count_bytes, read_failures, read_sessions
from raydocs_async.cli._report import _run
from raydocs_async.cli._report._entry import build_entry
from raydocs_async.cli._report._page import Piece, fill, frame
from raydocs_async.cli._report._text import escape, size_name, time
from raydocs_async.cli._report._totals import Failures, Totals, number, overview, rows
from raydocs_async.cli._streams import is_same_input, say
from raydocs_async.cli._summary import MAX_BYTES, Summary, read_summary
from raydocs_async.cli._text import plural, remind
from raydocs_async.cli._whole_file import WholeFile

_BUFFER: Final = 1 << 20
_FEW: Final = 20
"""Failures that are all shown at once."""


def run(options: ReportOptions) -> ExitCode:
    """Make the page that the options ask for.

    Raises:
        CannotStart: a file is unusable, or there is nothing to show; nothing was written.
        CommandFailed: the page cannot be written; nothing was kept.
        click.UsageError: options contradict each other; nothing was done.
    """
    _check(options)
    summary = None if options.summary is None else _read_summary(options.summary)
    with WholeFile(options.output, overwrite=options.overwrite) as target:
        try:
            totals, failures = _collect(options, target.folder)
            pieces = _pieces(options, target.folder, totals, failures, summary)
            _write(target.part, fill("page.html", pieces))
            size = target.part.stat().st_size
        except (sqlite3.Error, OSError) as exc:
            raise target.failure(getattr(exc, "strerror", None) or str(exc)) from None
        target.keep()
    if totals.unfinished or not options.quiet:
        counts = [plural(totals.sessions, "session")]
        if failures is not None:
            counts.append(plural(failures.reasons.total(), "failure"))
        written = f"{' and '.join(counts)} written to {target.name} ({size_name(size)})"
        say(f"{written}{remind(totals.unfinished)}.")
    return ExitCode.OK


def _check(options: ReportOptions) -> None:
    """Refuse an output that is read, or that a browser would not show."""
    if any(is_same_input(each, options.output) for each in options.inputs):
        raise click.UsageError("the report would replace a file that it is made of")
    if PurePath(options.output).suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{printable(options.output)}: the suffix is to be .html")


def _read_summary(path: str) -> Summary:
    name = printable(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise CannotStart(f"{name} cannot be read: {exc.strerror}") from None
    return read_summary(content, name)


def _collect(options: ReportOptions, folder: Path) -> tuple[Totals, Failures | None]:
    """Write the entries of the sessions and the rows of the failures into the folder."""
    with byte_bar(quiet=options.quiet) as progress:
        advance = _measure(progress, count_bytes(options.inputs))
        failures = None if options.errors is None else Failures()
        if options.errors is not None and failures is not None:
            rows = map(failures.add, read_failures([options.errors], advance))
            _write(folder / "failures", rows)
        totals = Totals()
        _write(folder / "sessions", _entries(options, folder, totals, advance))
    if not totals.sessions and not (failures and failures.reasons):
        names = ", ".join(map(printable, options.files))
        raise CannotStart(f"{names}: no sessions, so nothing to report; fetch some first")
    return totals, failures


def _measure(progress: Progress, total: int) -> Callable[[int], object]:
    task = progress.add_task("", total=total)
    return lambda size: progress.advance(task, size)


def _entries(
    options: ReportOptions, folder: Path, totals: Totals, advance: Callable[[int], object]
) -> Iterator[str]:
    with closing(_SeenIds(folder / "ids")) as seen:
        for session in read_sessions(options.files, advance):
            occurrence = seen.add(session)
            entry = build_entry(session, occurrence)
            totals.add(session, entry.value_count, occurrence)
            yield entry.html


class _SeenIds:
    """Counts how often each session came; on the disk, so the memory does not grow."""

    def __init__(self, path: Path) -> None:
        # A link to a session that comes twice would otherwise lead to the first one alone.
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE seen (id BLOB PRIMARY KEY, times INT) WITHOUT ROWID; BEGIN"
        )

    def add(self, session: Session) -> int:
        """Return how often the session has come, this time included."""
        ((times,),) = self._database.execute(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1"
            " RETURNING times",
            (session.id.bytes,),
        )
        return int(times)

    def close(self) -> None:
        """Close the database, whose file goes with its folder."""
        self._database.close()


def _pieces(
    options: ReportOptions,
    folder: Path,
    totals: Totals,
    failures: Failures | None,
    summary: Summary | None,
) -> dict[str, str | list[Piece]]:
    """Return the pieces of the page."""
    run = [] if summary is None else list(fill("run.html", _run.pieces(summary)))
    return {
        **frame(),
        **overview(totals),
        **_failure_pieces(failures, folder),
        "files": escape(", ".join(PurePath(each).name for each in options.files)),
        "made": time(datetime.now(UTC)),
        "version": __version__,
        "run": run,
        "sessions": [folder / "sessions"],
    }


def _failure_pieces(failures: Failures | None, folder: Path) -> dict[str, str | list[Piece]]:
    """Return the pieces about failures, which are empty without an errors file."""
    if failures is None:
        return {"failure_count": "", "failures": ""}
    total = failures.reasons.total()
    section: dict[str, str | list[Piece]] = {
        "reasons": rows(failures.reasons),
        "open": " open" if total <= _FEW else "",
        "rows": [folder / "failures"],
    }
    return {
        "failure_count": f"<div><dt>Failures</dt><dd>{number(total)}</dd></div>\n",
        "failures": list(fill("failures.html", section)),
    }


def _write(path: Path, pieces: Iterator[Piece]) -> None:
    """Write pieces one after the other, so that none but the smallest has to be in memory."""
    with path.open("xb", _BUFFER) as file:
        for piece in pieces:
            if isinstance(piece, Path):
                with piece.open("rb") as part:
                    shutil.copyfileobj(part, file, _BUFFER)
            else:
                file.write(piece.encode())
