"""The job of ``fetch``: many sessions into a file."""

import math
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from raydocs_async.cli._connect import open_client
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._ids import IdPipe, open_sources, select_ids
from raydocs_async.cli._job import Job, Report, run_and_report, show_warnings
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._log_format import LOG_FORMAT
from raydocs_async.cli._options import ConnectionOptions, FetchOptions, format_names
from raydocs_async.cli._output import JsonLinesFile
from raydocs_async.cli._printable import printable
from raydocs_async.cli._progress import choose_reporter
from raydocs_async.cli._recorder import Recorder
from raydocs_async.cli._resume import describe_resumption
from raydocs_async.cli._scan import FailureRecord, SessionRecord
from raydocs_async.cli._shard import Shard
from raydocs_async.cli._streams import DASH, find_standard_stream, is_same_file, is_same_input, say
from raydocs_async.cli._summary import MAX_BYTES, read_summary
from raydocs_async.cli._watch import JobWatch
from raydocs_async.cli._whole_file import WholeFile


def run(options: FetchOptions, connection: ConnectionOptions) -> ExitCode:
    """Fetch the sessions that the options ask for.

    Raises:
        CannotStart: a file or the token is unusable; nothing was done.
        click.UsageError: options contradict each other; nothing was done.
    """
    LOG_FORMAT.as_json = options.log.as_json
    _check_options(options, connection["token_file"])
    summary = _find_summary(options)
    watch = JobWatch(verbose=options.log.verbose)
    client = open_client(connection, watch)
    sources = open_sources(options.ids, options.inputs, options.columns)
    is_typed = any(isinstance(each, IdPipe) and os.isatty(each.fd) for each in sources)
    if is_typed and not options.quiet:
        say("Reading ids from the terminal; end with Ctrl-D.")
    recorder = _open_recorder(options, watch)
    show_warnings(recorder)
    output = recorder.output
    resumption = describe_resumption(sys.argv[1:], sources, resume=options.resume)
    report = Report(options.quiet, resumption if output.is_resumable else None, summary)
    unfinished = [LocatedId(each, output.name, kept) for each, kept in output.unfinished.items()]
    known = output.finished_ids | (recorder.errors.finished_ids if recorder.errors else set())
    ids = select_ids((*sources, unfinished), options.shard, known)
    job = Job(recorder, max_outage=connection["max_wait"])
    return run_and_report(job.run(client, ids, wait=options.wait), recorder, report)


def _find_summary(options: FetchOptions) -> WholeFile | None:
    """Return the file of the summary, which is replaced; refuse a path that cannot work."""
    if options.summary is None:
        return None
    others = filter(None, (options.output, options.errors, *options.inputs))
    if any(is_same_file(options.summary, each) for each in others):
        raise click.UsageError("the summary needs a file of its own")
    summary = WholeFile(options.summary, overwrite=True)
    summary.check()
    _refuse_other_file(options.summary)
    return summary


def _refuse_other_file(path: str) -> None:
    """Refuse to replace a file that is not the summary of an earlier run."""
    found = Path(path)
    if not found.exists():
        return
    with found.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if content:
        read_summary(content, printable(path))


def _check_options(options: FetchOptions, token_file: str | None) -> None:
    """Refuse options that contradict each other."""
    if options.resume and find_standard_stream(options.output) is not None:
        raise click.UsageError("--resume needs a file to continue: give it with -o")
    if options.errors and is_same_file(options.output, options.errors):
        raise click.UsageError("sessions and errors need separate files")
    if options.columns and not options.inputs and DASH not in options.ids:
        raise click.UsageError("--column needs a table of ids: give it with -i")
    read = (*options.inputs, *(each for each in options.ids if each == DASH))
    written = filter(None, (options.output, options.errors))
    if any(is_same_input(source, each) for each in written for source in read):
        raise click.UsageError("the ids would be read from a file that this command writes")
    if token_file == DASH and DASH in (*options.ids, *options.inputs):
        raise click.UsageError("standard input can supply the token or the ids, but not both")


def _open_recorder(options: FetchOptions, watch: JobWatch) -> Recorder:
    """Open both files, or lose nothing of either of them."""
    output, errors, resume = options.output, options.errors, options.resume
    opened: list[JsonLinesFile] = []
    try:
        opened.append(JsonLinesFile.open(output, SessionRecord, resume=resume))
        if resume:
            _refuse_pipe(opened[0])
        if errors:
            opened.append(JsonLinesFile.open(errors, FailureRecord, resume=resume))
        _refuse_other_shard(opened[0], options.shard)
        _refuse_other_columns(opened, options)
        # The output comes last, or before the truncation: it is the one that can be refused.
        for file in opened[:1] if options.retry_failed else reversed(opened):
            file.repair()
        if options.retry_failed:
            opened[1].truncate()
    except BaseException:
        for file in opened:
            file.discard()
        raise
    has_terminal = any(file.is_terminal for file in opened)
    reporter = choose_reporter(
        quiet=options.quiet, data_on_terminal=has_terminal, interval=options.log.interval
    )
    watch.reporter = reporter
    return Recorder(
        opened[0],
        opened[1] if errors else None,
        reporter,
        holds_back=options.wait is not None,
        meter=watch.meter,
    )


def _refuse_pipe(output: JsonLinesFile) -> None:
    """Refuse to resume a pipe or a device, which keeps no lines: all ids would be fetched again."""
    if not output.is_resumable:
        raise CannotStart(f"{output.name} is not a regular file, so it cannot be resumed")


def _refuse_other_shard(output: JsonLinesFile, shard: Shard) -> None:
    """Refuse a file of another shard, whose other ids would never be fetched."""
    earlier = output.earlier.find_other_shard(shard)
    if earlier is None:
        return
    was, now = earlier.describe(), shard.describe()
    raise CannotStart(
        f"{output.name} was begun {was}; continuing it {now} would miss ids, or fetch some on two "
        f"machines. Continue it {was}, or write to another file"
    )


def _refuse_other_columns(opened: list[JsonLinesFile], options: FetchOptions) -> None:
    """Refuse a file of another ``--keep``, whose lines would differ from the new ones."""
    keep = options.columns.keep if options.columns else ()
    # With any --keep, ids among the arguments and malformed rows have no columns.
    arguments = sum(1 for each in options.ids if each != DASH)
    allowances = (arguments, math.inf)
    # An errors file that begins anew has no lines to differ from.
    for file, bare in zip(opened[: 1 if options.retry_failed else 2], allowances, strict=False):
        earlier = file.earlier.find_other_columns(keep, bare)
        if earlier is not None:
            was, now = _describe_keep(earlier), _describe_keep(keep)
            raise CannotStart(
                f"{file.name} was begun {was}; continuing it {now} would mix lines of different "
                f"columns. Continue it {was}, or write to another file"
            )


def _describe_keep(names: Sequence[str]) -> str:
    """Return the option that keeps some columns, as part of a sentence."""
    return f"with --keep {shlex.quote(format_names(names))}" if names else "without --keep"
