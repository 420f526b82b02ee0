"""``fetch``: many sessions into a file, whatever happens on the way."""

import contextlib
import os
import shlex
import stat
import sys
import time
from collections.abc import AsyncIterable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Unpack

import click
import msgspec
from attrs import define

from raydocs_async import Outcome, RaydocsClient, RaydocsError, converter
from raydocs_async.cli import _text
from raydocs_async.cli._connect import Connection, code_for, explain, open_client
from raydocs_async.cli._exit import CannotStart, Exit
from raydocs_async.cli._ids import Id, IdPipe, Source, find_sources, select
from raydocs_async.cli._loop import call_blocking
from raydocs_async.cli._loop import run as run_loop
from raydocs_async.cli._output import STDOUT, FailureLine, JsonLines, OutputError, SessionLine
from raydocs_async.cli._printable import LONGEST, escape
from raydocs_async.cli._progress import Reporter, choose, reported
from raydocs_async.cli._streams import find_standard, say


@define
class Job:
    """Where outcomes go, and how many there were."""

    output: JsonLines
    errors: JsonLines | None
    reporter: Reporter
    how_to_resume: str = ""
    """The command that goes on with it, and what it needs."""
    written: int = 0
    failed: int = 0

    async def record(self, outcome: Outcome) -> None:
        """Keep one outcome.

        Raises:
            OutputError: it cannot be written.
        """
        if outcome.session is not None:
            await call_blocking(self._keep, converter.dumps(outcome.session))
            return
        self.failed += 1
        if self.errors is not None:
            await call_blocking(_write, self.errors, msgspec.json.encode(failure(outcome)))
        else:
            self.reporter.say(f"{where(outcome)}: {explain(outcome.error)}")

    def _keep(self, record: bytes) -> None:
        _write(self.output, record)
        self.written += 1

    def close(self) -> None:
        """Close the files."""
        self.output.close()
        if self.errors is not None:
            self.errors.close()


def _write(lines: JsonLines, record: bytes) -> None:
    lines.write(escape(record) if lines.is_terminal else record)


def where(outcome: Outcome) -> str:
    """Where its id was given."""
    given = outcome.session_id
    return given.where if isinstance(given, Id) else str(given)


def failure(outcome: Outcome) -> dict[str, Any]:
    """A failure as it is written."""
    error = outcome.error
    assert error is not None
    return {
        "id": str(outcome.session_id),
        "where": where(outcome),
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            "status": error.status,
            "retry_after": error.retry_after,
            "request_id": error.request_id,
            "attempts": len(outcome.attempts),
        },
    }


async def fetch(client: RaydocsClient, ids: Iterable[str] | AsyncIterable[str], job: Job) -> None:
    """Fetch all sessions, and keep what comes of each.

    Raises:
        RaydocsError: what would go wrong for every id.
        OutputError: it cannot be written.
        OSError: the ids cannot be read.
    """
    async with client, client.stream_sessions(ids) as stream, reported(stream, job.reporter):
        async for outcome in stream:
            await job.record(outcome)


def run(
    *,
    ids: tuple[str, ...],
    inputs: tuple[str, ...],
    output: str,
    errors: str | None,
    resume: bool,
    shard: tuple[int, int] | None,
    quiet: bool,
    **connection: Unpack[Connection],
) -> Exit:
    """Fetch what the options say."""
    _check(ids, inputs, output, errors, connection["token_file"], resume=resume)
    client = open_client(connection)
    sources = find_sources(ids, inputs)
    if not quiet and any(isinstance(each, IdPipe) and os.isatty(each.fd) for each in sources):
        say("Reading ids from the terminal; end with Ctrl-D.")
    files = _open_files(output, errors, resume=resume)
    job = Job(
        *files,
        choose(quiet=quiet, is_shared=any(each and each.is_terminal for each in files)),
        _resuming(sys.argv[1:], sources) if output != STDOUT else "",
    )
    if job.errors is not None:
        job.errors.clear()  # all that failed is tried again
    selected = select(sources, shard or (1, 1), job.output.ids)
    return perform(fetch(client, selected, job), job, quiet=quiet)


def perform(fetching: Coroutine[Any, Any, None], job: Job, *, quiet: bool) -> Exit:
    """Do the job, and say what became of it."""
    started = time.monotonic()
    try:
        code, reason = _finish(fetching, job)
    finally:
        job.close()
    if reason:
        say(f"{reason}.", LONGEST)
    if not quiet:
        say(_summary(job, time.monotonic() - started))
    if reason and code and job.how_to_resume:
        for line in f"To go on: {job.how_to_resume}".splitlines():
            say(line)
    return code


def _finish(fetching: Coroutine[Any, Any, None], job: Job) -> tuple[Exit, str]:
    """Do the job; how it ended, and why, if there is more to say than the summary does."""
    try:
        run_loop(fetching)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED, "Interrupted"
    except RaydocsError as error:
        return code_for(error), f"Stopped: {explain(error)}"
    except (OutputError, OSError) as error:
        return Exit.FAILED, f"Stopped: {error}"
    if not (job.written or job.failed or job.output.ids):
        return Exit.OK, "There were no ids to fetch"
    return (Exit.FAILED if job.failed else Exit.OK), ""


def _check(
    ids: tuple[str, ...],
    inputs: tuple[str, ...],
    output: str,
    errors: str | None,
    token_file: str | None,
    *,
    resume: bool,
) -> None:
    """Refuse options that contradict each other."""
    if resume and (output == STDOUT or find_standard(output) is not None):
        raise click.UsageError("--resume needs a file to go on with: give it with -o")
    if errors and _is_one_file(errors, output):
        raise click.UsageError("sessions and errors need a file each")
    if token_file == "-" and "-" in (*ids, *inputs):
        raise click.UsageError("standard input can be the token's or the ids', not both")


def _is_one_file(errors: str, output: str) -> bool:
    if os.path.realpath(errors) == os.path.realpath(output):
        return True
    with contextlib.suppress(OSError):
        mine = os.fstat(1) if output == STDOUT else Path(output).stat()
        return stat.S_ISREG(mine.st_mode) and os.path.samestat(mine, Path(errors).stat())
    return False


def _open_files(
    output: str, errors: str | None, *, resume: bool
) -> tuple[JsonLines, JsonLines | None]:
    """Open both files, or leave no trace of either."""
    sessions = JsonLines.open(output, SessionLine, resume=resume)
    try:
        return sessions, JsonLines.open(errors, FailureLine, resume=resume) if errors else None
    except CannotStart:
        sessions.undo()
        raise


def _summary(job: Job, seconds: float) -> str:
    there = f", {len(job.output.ids)} were there already" if job.output.ids else ""
    failed = f", {job.failed} failed" if job.failed else ""
    kept = f" ({job.errors.name} says why)" if job.failed and job.errors else ""
    wrote = _text.plural(job.written, "session")
    return (
        f"{wrote} written to {job.output.name} in {_text.duration(seconds)}{there}{failed}{kept}."
    )


def _resuming(arguments: list[str], sources: Iterable[Source]) -> str:
    more = [] if "--resume" in arguments else ["--resume"]
    pipes = [each.name for each in sources if isinstance(each, IdPipe)]
    again = [f"The same ids are needed again from {name}." for name in pipes]
    return "\n".join([shlex.join(["raydocs-async", *arguments, *more]), *again])
