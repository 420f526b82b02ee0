"""The job of ``fetch``: many sessions into a file, and its exit code and messages."""

import os
import sys
import time
from collections.abc import AsyncIterable, Coroutine, Iterable, Sequence
from typing import Any

import click

from raydocs_async import RaydocsClient, RaydocsError
from raydocs_async.cli import _text
from raydocs_async.cli._connect import exit_code_for, message_for, open_client
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._ids import IdPipe, open_sources, select_ids
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._options import ConnectionOptions, FetchOptions
from raydocs_async.cli._output import JsonLinesFile, OutputError
from raydocs_async.cli._printable import MAX_MESSAGE
from raydocs_async.cli._progress import choose_reporter, report_progress
from raydocs_async.cli._recorder import Recorder
from raydocs_async.cli._resume import describe_resumption
from raydocs_async.cli._scan import FailureRecord, SessionRecord
from raydocs_async.cli._shard import Shard
from raydocs_async.cli._streams import DASH, find_standard_stream, is_same_file, is_same_input, say


def run(options: FetchOptions, connection: ConnectionOptions) -> ExitCode:
    """Fetch the sessions that the options ask for.

    Raises:
        CannotStart: a file or the token is unusable; nothing was done.
        click.UsageError: options contradict each other; nothing was done.
    """
    _check_options(options, connection["token_file"])
    client = open_client(connection)
    sources = open_sources(options.ids, options.inputs, options.columns)
    is_typed = any(isinstance(each, IdPipe) and os.isatty(each.fd) for each in sources)
    if is_typed and not options.quiet:
        say("Reading ids from the terminal; end with Ctrl-D.")
    recorder = _open_recorder(options)
    _show_warnings(recorder)
    resumption = describe_resumption(sys.argv[1:], sources, resume=options.resume)
    output = recorder.output
    unfinished = [LocatedId(each, output.name, kept) for each, kept in output.unfinished.items()]
    known = output.finished_ids | (recorder.errors.finished_ids if recorder.errors else set())
    ids = select_ids((*sources, unfinished), options.shard, known)
    return run_and_report(
        fetch_all(client, ids, recorder),
        recorder,
        quiet=options.quiet,
        resumption=resumption if output.is_resumable else (),
    )


async def fetch_all(
    client: RaydocsClient, ids: Iterable[str] | AsyncIterable[str], recorder: Recorder
) -> None:
    """Fetch all sessions, and record each outcome.

    Raises:
        RaydocsError: an error that would hit every id.
        OutputError: an outcome cannot be written.
        OSError: the ids cannot be read.
    """
    async with (
        client,
        client.stream_sessions(ids) as stream,
        report_progress(stream, recorder.reporter),
    ):
        async for outcome in stream:
            await recorder.record(outcome)


def run_and_report(
    job: Coroutine[Any, Any, None],
    recorder: Recorder,
    *,
    quiet: bool,
    resumption: Sequence[str] = (),
) -> ExitCode:
    """Run a bulk job to its end, and report how it ended.

    Args:
        job: Fetches the sessions, and passes the outcomes to `recorder`.
        recorder: Closed at the end.
        quiet: Print no summary.
        resumption: Lines that tell how to continue the job, for one that was stopped.
    """
    started = time.monotonic()
    code, reason = ExitCode.FAILED, ""
    try:
        code, reason = _run(job, recorder)
    finally:
        code, reason = _close(recorder, code, reason)
        _show_warnings(recorder)
    if reason:
        say(f"{reason}.", MAX_MESSAGE)
    if not quiet:
        for failure, hint in recorder.hints.items():
            say(f"{failure}: {hint}.")
        say(_summarize(recorder, time.monotonic() - started))
    if reason and code:
        for line in resumption:
            say(line)
    return code


def _run(job: Coroutine[Any, Any, None], recorder: Recorder) -> tuple[ExitCode, str]:
    """Run a job; return its exit code, and a reason if the summary will not show it."""
    try:
        run_interruptibly(job)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED, "Interrupted"
    except RaydocsError as error:
        return exit_code_for(error), f"Stopped: {message_for(error)}"
    except (OutputError, OSError) as error:
        return ExitCode.FAILED, f"Stopped: {error}"
    counts = recorder.counts
    earlier = recorder.failed_earlier
    done = counts.written or counts.failed or counts.not_fetched
    if not (done or earlier or recorder.output.finished_ids):
        return ExitCode.OK, "There were no ids to fetch"
    # Before RETRY_LATER: scripts would repeat the command, and a person would never look at the
    # ids that failed permanently.
    if counts.failed or earlier:
        return ExitCode.FAILED, ""
    if left := counts.unfinished + counts.not_fetched:
        reason = f"Not done: {_text.plural(left, 'session')} to fetch again later"
        return ExitCode.RETRY_LATER, reason
    return ExitCode.OK, ""


def _close(recorder: Recorder, code: ExitCode, reason: str) -> tuple[ExitCode, str]:
    """Close the files; return the exit code and the reason with any failure of that."""
    try:
        recorder.close()
    except OutputError as error:
        # Closing repeats the error of the write that stopped the job.
        if str(error) not in reason:
            reason = ". ".join(filter(None, (reason, str(error))))
        return ExitCode.FAILED, reason
    return code, reason


def _show_warnings(recorder: Recorder) -> None:
    for file in recorder.files:
        for warning in file.pop_warnings():
            say(f"{warning}.", MAX_MESSAGE)


def _summarize(recorder: Recorder, seconds: float) -> str:
    counts, output, errors = recorder.counts, recorder.output, recorder.errors
    details = (
        (counts.unsuccessful, "with status failed"),
        (counts.unfinished, "not finished yet"),
        (len(output.finished_ids), "were there already"),
        (counts.not_fetched, "not fetched"),
        (counts.failed, "failed"),
        (recorder.failed_earlier, "failed earlier"),
    )
    written = f"{_text.plural(counts.written, 'session')} written to {output.name}"
    more = "".join(f", {number} {state}" for number, state in details if number)
    summary = f"{written} in {_text.duration(seconds)}{more}"
    if not (counts.failed or counts.not_fetched or recorder.failed_earlier):
        return f"{summary}."
    where = f"{errors.name} has" if errors else "--errors FILE keeps"
    return f"{summary} ({where} the reasons)."


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


def _open_recorder(options: FetchOptions) -> Recorder:
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
    reporter = choose_reporter(quiet=options.quiet, data_on_terminal=has_terminal)
    return Recorder(opened[0], opened[1] if errors else None, reporter)


def _refuse_pipe(output: JsonLinesFile) -> None:
    """Refuse to resume a pipe or a device, which keeps no lines: all ids would be fetched again."""
    if not output.is_resumable:
        raise CannotStart(f"{output.name} is not a regular file, so it cannot be resumed")


def _refuse_other_shard(output: JsonLinesFile, shard: Shard) -> None:
    """Refuse a file of another shard, whose other ids would never be fetched."""
    earlier = output.find_other_shard(shard)
    if earlier is None:
        return
    was, now = earlier.describe(), shard.describe()
    raise CannotStart(
        f"{output.name} was begun {was}; continuing it {now} would miss ids, or fetch some on two "
        f"machines. Continue it {was}, or write to another file"
    )
