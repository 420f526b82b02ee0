"""A bulk job: its run in an event loop, its exit code, and its last words."""

import json
import math
import time
from collections.abc import AsyncIterable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from attrs import evolve, frozen

from raydocs_async import (
    Progress,
    RaydocsClient,
    RaydocsError,
    Session,
    Stream,
)
from raydocs_async.cli import _text
from raydocs_async.cli._connect import exit_code_for, message_for
from raydocs_async.cli._exit import CommandFailed, ExitCode
from raydocs_async.cli._loop import run_interruptibly
from raydocs_async.cli._output import OutputError
from raydocs_async.cli._printable import MAX_MESSAGE
from raydocs_async.cli._progress import report_progress
from raydocs_async.cli._recorder import Recorder
from raydocs_async.cli._resume import Resumption
from raydocs_async.cli._snapshot import Snapshot
from raydocs_async.cli._streams import say
from raydocs_async.cli._summary import Latency, Summary, Timeline
from raydocs_async.cli._whole_file import WholeFile


class Job:
    """The streams of a bulk job, one after the other, and their outcomes in the recorder.

    Args:
        recorder: Takes the outcomes.
        max_outage: Seconds of an outage after which the client gives up.
    """

    def __init__(self, recorder: Recorder, *, max_outage: float | None = None) -> None:
        self._recorder = recorder
        self._max_outage = max_outage
        self._stream: Stream[Session] | None = None
        self._fetched: Progress | None = None
        """The progress of the stream that has fetched all sessions, once that has ended."""

    async def run(
        self,
        client: RaydocsClient,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        wait: float | None = None,
    ) -> None:
        """Fetch all sessions, and wait for those that the recorder holds back.

        Args:
            client: Closed at the end.
            ids: The sessions' ids.
            wait: Seconds to wait for sessions that are not finished, or infinity.

        Raises:
            RaydocsError: an error that would hit every id.
            OutputError: an outcome cannot be written.
            OSError: the ids cannot be read.
        """
        async with client, report_progress(self._snapshot, self._recorder.reporter):
            await self._fetch(client.stream_sessions(ids))
            if wait is not None and self._recorder.held:
                timeout = None if math.isinf(wait) else wait
                await self._wait(client.wait_for_sessions(self._recorder.held, timeout=timeout))

    async def _fetch(self, stream: Stream[Session]) -> None:
        self._stream, recorder = stream, self._recorder
        total = stream.progress.total
        try:
            async with stream:
                async for outcome in stream:
                    await recorder.record(outcome)
            recorder.untried = 0
        finally:
            if recorder.untried is None and total is not None:
                recorder.untried = total - recorder.outcomes

    async def _wait(self, stream: Stream[Session]) -> None:
        assert self._stream is not None  # the sessions were fetched before
        self._fetched, self._stream = self._stream.progress, stream
        async with stream:
            async for outcome in stream:
                await self._recorder.record_waited(outcome)

    def _snapshot(self, seconds: float) -> Snapshot:
        assert self._stream is not None  # it is there before the first period is over
        progress, counts = self._stream.progress, self._recorder.counts
        meter, max_outage = self._recorder.meter, self._max_outage
        if self._fetched is not None:
            max_outage = None  # the wait's own time bounds it
            progress = evolve(progress, total=self._fetched.total, done=self._fetched.done)
        return Snapshot(
            progress=progress,
            seconds=seconds,
            failed=counts.failed + counts.not_fetched + counts.unsuccessful,
            unfinished=counts.unfinished,
            retries=meter.retries,
            last_status=meter.last_status,
            max_outage=max_outage,
        )


@frozen
class Report:
    """The last words of a job."""

    quiet: bool = False
    """Print no hints, nor the summary of a job that ends well, if it is saved."""
    resumption: Resumption | None = None
    """The way to continue; ``None`` if there is none."""
    file: WholeFile | None = None
    """The file of the summary."""


def run_and_report(job: Coroutine[Any, Any, None], recorder: Recorder, report: Report) -> ExitCode:
    """Run a bulk job to its end, and report how it ended.

    Args:
        job: Fetches the sessions, and passes the outcomes to `recorder`.
        recorder: Closed at the end.
        report: How to report.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    code, reason = ExitCode.FAILED, ""
    try:
        code, reason = _run(job, recorder)
    finally:
        code, reason = _close(recorder, code, reason)
        show_warnings(recorder)
    resumption = report.resumption if reason and code else None
    summary = _build_summary(
        recorder,
        started=started,
        seconds=time.monotonic() - clock,
        code=code,
        resume=resumption and resumption.command,
    )
    if reason:
        say(f"{reason}.", MAX_MESSAGE)
    if not report.quiet:
        for failure, hint in recorder.hints.items():
            say(f"{failure}: {hint}.")
    content = msgspec.to_builtins(summary)
    # A scheduler mails what is printed, so a failure always prints something.
    if code or not (report.quiet and report.file):
        say(_summarize(recorder, summary.seconds), event="summary", **content)
    for line in resumption.lines if resumption else ():
        say(line)
    return _save(report.file, content, code)


def _build_summary(
    recorder: Recorder, *, started: datetime, seconds: float, code: ExitCode, resume: str | None
) -> Summary:
    meter, timeline, latencies = recorder.meter, recorder.meter.timeline, recorder.meter.latencies
    return Summary(
        started=started,
        seconds=round(seconds, 3),
        exit_code=code,
        sessions=recorder.sessions,
        failures=recorder.failures,
        unfinished=recorder.counts.unfinished,
        left=recorder.left,
        requests=meter.requests,
        rate_limited=meter.rate_limited,
        retries=meter.retries,
        windows=meter.windows,
        timeline=Timeline(timeline.seconds_per_bucket, timeline.requests, timeline.rate_limited),
        latency=Latency(latencies.quantile(0.5), latencies.quantile(0.95), latencies.max),
        resume=resume,
    )


def _save(file: WholeFile | None, content: dict[str, Any], code: ExitCode) -> ExitCode:
    """Save the summary; return the exit code, which is another one if that fails."""
    if file is None:
        return code
    try:
        file.write(f"{json.dumps(content)}\n".encode())
    except CommandFailed as error:
        say(f"{error.message}.", MAX_MESSAGE)
        return ExitCode.FAILED
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
    left = counts.unfinished + counts.not_fetched
    reason = f"Not done: {_text.plural(left, 'session')} to fetch again later" if left else ""
    if left:  # even if others failed permanently: the run after which nothing is left says so
        return ExitCode.RETRY_LATER, reason
    return ExitCode.FAILED if counts.failed or earlier else ExitCode.OK, reason


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


def show_warnings(recorder: Recorder) -> None:
    """Show the warnings about the files, each one only once."""
    for file in recorder.files:
        for warning in file.pop_warnings():
            say(f"{warning}.", MAX_MESSAGE)


def _summarize(recorder: Recorder, seconds: float) -> str:
    counts, output, errors = recorder.counts, recorder.output, recorder.errors
    is_mixed = counts.unsuccessful or counts.unfinished
    details = (
        (counts.completed if is_mixed else 0, "completed"),
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
