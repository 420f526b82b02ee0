"""``fetch``: many sessions into a file, whatever happens on the way."""

import os
import shlex
import sys
import time
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import Any, Unpack

import click
import msgspec
from attrs import define

from raydocs_async import (
    APIResponseValidationError,
    Failed,
    Fetched,
    RaydocsClient,
    RaydocsError,
    Session,
    SessionStatus,
    converter,
)
from raydocs_async.cli import _text
from raydocs_async.cli._connect import Connection, code_for, explain, open_client
from raydocs_async.cli._exit import CannotStart, Exit
from raydocs_async.cli._ids import Id, IdPipe, Source, find_sources, select
from raydocs_async.cli._loop import call_blocking
from raydocs_async.cli._loop import run as run_loop
from raydocs_async.cli._output import JsonLines, OutputError
from raydocs_async.cli._printable import LONGEST, escape
from raydocs_async.cli._progress import Reporter, choose, reported
from raydocs_async.cli._scan import FailureLine, SessionLine
from raydocs_async.cli._streams import feeds_itself, find_standard, is_one_file, say


@define
class Job:
    """Where outcomes go, and how many there were."""

    output: JsonLines
    errors: JsonLines | None
    reporter: Reporter
    how_to_resume: str = ""
    """The command that goes on with it, and what it needs."""
    written: int = 0
    unsuccessful: int = 0
    """Of those, sessions that failed at the service, which is their last word."""
    unfinished: int = 0
    """Of those, sessions that the service is still working on."""
    failed: int = 0
    temporary: int = 0
    """Of those, ids that may succeed in another run."""

    async def record(self, outcome: Fetched[Session] | Failed) -> None:
        """Keep one outcome.

        Raises:
            OutputError: it cannot be written.
        """
        if isinstance(outcome, Fetched):
            await call_blocking(self._keep, outcome.value)
            return
        self.failed += 1
        self.temporary += code_for(outcome.error) == Exit.AGAIN
        if self.errors is not None:
            await call_blocking(_write, self.errors, msgspec.json.encode(failure(outcome)))
        else:
            self.reporter.say(f"{where(outcome)}: {explain(outcome.error)}")

    def _keep(self, session: Session) -> None:
        _write(self.output, converter.dumps(session))
        self.written += 1
        self.unfinished += not session.is_finished
        self.unsuccessful += session.status == SessionStatus.FAILED

    def close(self) -> None:
        """Close the files, both of them whatever happens.

        Raises:
            OutputError: one of them may not be complete.
        """
        try:
            self.output.close()
        finally:
            if self.errors is not None:
                self.errors.close()


def _write(lines: JsonLines, record: bytes) -> None:
    lines.write(escape(record) if lines.is_terminal else record)


def where(failed: Failed) -> str:
    """Where its id was given."""
    given = failed.id
    return given.where if isinstance(given, Id) else str(given)


def failure(failed: Failed) -> dict[str, Any]:
    """A failure as it is written.

    A reply that could not be read is kept in it, because it is nowhere else.
    """
    error = failed.error
    kept = payload(error) if isinstance(error, APIResponseValidationError) else {}
    return {
        "id": str(failed.id),
        "where": where(failed),
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            "status": error.status,
            "retry_after": error.retry_after,
            "request_id": error.request_id,
            "attempts": len(failed.attempts),
        },
        **kept,
    }


def payload(error: APIResponseValidationError) -> dict[str, Any]:
    """The reply's body as it is written: as JSON on one line if it is JSON, else as text."""
    body = error.payload
    try:
        body.decode()
        value: Any = msgspec.Raw(msgspec.json.format(body, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = body.decode("utf-8", "backslashreplace")
    return {"payload": value, "payload_size": getattr(error, "payload_size", len(body))}


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
    files = _open_files(output, errors, shard or (1, 1), resume=resume)
    reporter = choose(quiet=quiet, is_shared=any(each and each.is_terminal for each in files))
    how_to_resume = _resuming(sys.argv[1:], sources, resume=resume)
    job = Job(*files, reporter, how_to_resume if files[0].can_be_resumed else "")
    _show_notes(job)
    again = [Id(each, job.output.name) for each in job.output.unfinished]
    selected = select((*sources, again), shard or (1, 1), job.output.ids)
    return perform(fetch(client, selected, job), job, quiet=quiet)


def perform(fetching: Coroutine[Any, Any, None], job: Job, *, quiet: bool) -> Exit:
    """Do the job, and say what became of it."""
    started = time.monotonic()
    code, reason = Exit.FAILED, ""
    try:
        code, reason = _finish(fetching, job)
    finally:
        code, reason = _close(job, code, reason)
        _show_notes(job)
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
    if job.failed > job.temporary:  # a person must look at them before another run is of use
        return Exit.FAILED, ""
    if left := job.unfinished + job.temporary:
        return Exit.AGAIN, f"Not done: {_text.plural(left, 'session')} to fetch again later"
    return Exit.OK, ""


def _close(job: Job, code: Exit, reason: str) -> tuple[Exit, str]:
    """Close the files; how the job ended, now that the data is on the disk, or is not."""
    try:
        job.close()
    except OutputError as error:
        if str(error) not in reason:
            reason = ". ".join(filter(None, (reason, str(error))))
        return Exit.FAILED, reason
    return code, reason


def _show_notes(job: Job) -> None:
    for each in (job.output, job.errors):
        for note in each.take_notes() if each is not None else ():
            say(f"{note}.", LONGEST)


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
    if resume and find_standard(output) is not None:
        raise click.UsageError("--resume needs a file to go on with: give it with -o")
    if errors and is_one_file(output, errors):
        raise click.UsageError("sessions and errors need a file each")
    read = (*inputs, *(each for each in ids if each == "-"))
    written = filter(None, (output, errors))
    if any(feeds_itself(source, each) for each in written for source in read):
        raise click.UsageError("the ids would be read from a file that is written to")
    if token_file == "-" and "-" in (*ids, *inputs):
        raise click.UsageError("standard input can be the token's or the ids', not both")


def _open_files(
    output: str, errors: str | None, shard: tuple[int, int], *, resume: bool
) -> tuple[JsonLines, JsonLines | None]:
    """Open both files, or change nothing in either.

    All that failed is tried again, so the errors file begins anew.
    """
    opened: list[JsonLines] = []
    try:
        opened.append(JsonLines.open(output, SessionLine, resume=resume))
        if resume:
            _refuse_pipe(opened[0])
        if errors:
            opened.append(JsonLines.open(errors, FailureLine, resume=resume))
        _refuse_other_shard(opened[0], shard)
        opened[0].begin()
        for each in opened[1:]:
            each.clear()
    except BaseException:
        for each in opened:
            each.undo()
        raise
    return opened[0], opened[1] if errors else None


def _refuse_pipe(output: JsonLines) -> None:
    """Refuse to go on with what keeps no lines: all ids would be fetched again."""
    if not output.can_be_resumed:
        raise CannotStart(f"{output.name} is no regular file, so --resume finds nothing in it")


def _refuse_other_shard(output: JsonLines, shard: tuple[int, int]) -> None:
    """Refuse to go on with another part of the ids, which would leave some out."""
    begun = output.differs(shard)
    if begun is None:
        return
    was, now = _shard(begun), _shard(shard)
    raise CannotStart(
        f"{output.name} was begun {was}, and going on {now} would leave out ids, or fetch some on "
        f"two machines: go on {was}, or write to another file"
    )


def _shard(shard: tuple[int, int]) -> str:
    index, count = shard
    if count == 0:
        return "with another --shard"
    return "without --shard" if count == 1 else f"with --shard {index}/{count}"


def _summary(job: Job, seconds: float) -> str:
    there = f", {len(job.output.ids)} were there already" if job.output.ids else ""
    unfinished = f", {job.unfinished} not finished yet" if job.unfinished else ""
    unsuccessful = f", {job.unsuccessful} with status failed" if job.unsuccessful else ""
    failed = f", {job.failed} failed" if job.failed else ""
    kept = f" ({job.errors.name} says why)" if job.failed and job.errors else ""
    wrote = f"{_text.plural(job.written, 'session')} written to {job.output.name}"
    more = f"{unsuccessful}{unfinished}{there}{failed}{kept}"
    return f"{wrote} in {_text.duration(seconds)}{more}."


def _resuming(arguments: list[str], sources: Iterable[Source], *, resume: bool) -> str:
    """The command that goes on, for a shell, and what it needs."""
    if not resume and "--" in arguments:  # behind that, everything is an id
        arguments = [arguments[0], "--resume", *arguments[1:]]
    elif not resume:
        arguments = [*arguments, "--resume"]
    pipes = [each.name for each in sources if isinstance(each, IdPipe)]
    again = [f"The same ids are needed again from {name}." for name in pipes]
    command = " ".join(map(_quote, ["raydocs-async", *arguments]))
    return "\n".join([command, *again])


def _quote(argument: str) -> str:
    """An argument for a shell, in printable ASCII where it cannot be shown itself."""
    if _can_be_shown(argument):
        return shlex.quote(argument)
    escaped = (
        chr(each) if 32 <= each < 127 and each not in b"\\'" else f"\\{each:03o}"
        for each in os.fsencode(argument)
    )
    return f"$'{''.join(escaped)}'"


def _can_be_shown(argument: str) -> bool:
    try:
        argument.encode(sys.stderr.encoding)
    except UnicodeEncodeError:
        return False
    return argument.isprintable()
