"""The record of a bulk job: sessions and failures in their files, and their counts."""

from collections import Counter
from typing import Any
from uuid import UUID

import msgspec
from attrs import Factory, define

from raydocs_async import (
    APIResponseValidationError,
    Failed,
    Fetched,
    Session,
    SessionStatus,
    WaitTimeoutError,
    converter,
)
from raydocs_async.cli._connect import exit_code_for, split_hint
from raydocs_async.cli._exit import ExitCode
from raydocs_async.cli._located_id import KEPT, LocatedId
from raydocs_async.cli._loop import call_blocking
from raydocs_async.cli._meter import Meter
from raydocs_async.cli._output import JsonLinesFile
from raydocs_async.cli._printable import escape_json
from raydocs_async.cli._progress import Reporter
from raydocs_async.cli._scan import UNKNOWN_STATUS


@define
class Counts:
    """Numbers of outcomes."""

    written: int = 0
    statuses: Counter[str] = Factory(Counter)
    """Written sessions by status."""
    failures: Counter[str] = Factory(Counter)
    """Failed ids by the name of the exception."""
    completed: int = 0
    """Written sessions that are finished, and have not failed."""
    unsuccessful: int = 0
    """Written sessions with status failed, which is final."""
    unfinished: int = 0
    """Sessions that the service is still working on; those that are held back are not written."""
    failed: int = 0
    """Ids that failed permanently."""
    not_fetched: int = 0
    """Ids that failed, and may succeed in another run."""


@define
class Recorder:
    """Writes the outcomes of a bulk job to its files, and counts them."""

    output: JsonLinesFile
    errors: JsonLinesFile | None
    reporter: Reporter
    """Shows failures to a person when there is no errors file."""
    holds_back: bool = False
    """Do not write unfinished sessions, but keep their ids in `held`, to wait for them."""
    held: list[str] = Factory(list)
    meter: Meter = Factory(Meter)
    """Counts the requests."""
    counts: Counts = Factory(Counts)
    untried: int | None = None
    """Ids that have no outcome; ``None`` if the input was not read to its end."""
    hints: dict[str, str] = Factory(dict)
    """Hints for the failures that were shown, by the name of the failure, as ``HTTP 404``."""

    @property
    def failed_earlier(self) -> int:
        """Ids that have failed permanently in an earlier run, and are not tried again."""
        return len(self.errors.finished_ids) if self.errors else 0

    @property
    def sessions(self) -> Counter[str]:
        """Sessions in the output by status, those of earlier runs included."""
        return self.output.kinds + self.counts.statuses

    @property
    def failures(self) -> Counter[str]:
        """Failed ids by the name of the exception, those in the errors file included."""
        return (self.errors.kinds if self.errors else Counter()) + self.counts.failures

    @property
    def outcomes(self) -> int:
        """Ids that were fetched, or failed, before the wait for unfinished sessions."""
        counts = self.counts
        return counts.written + len(self.held) + counts.failed + counts.not_fetched

    @property
    def left(self) -> int | None:
        """Sessions to fetch, or to fetch again; ``None`` if that is unknown."""
        if self.untried is None:
            return None
        return self.untried + self.counts.unfinished + self.counts.not_fetched

    @property
    def files(self) -> tuple[JsonLinesFile, ...]:
        """The output file, and the errors file if there is one."""
        return (self.output, self.errors) if self.errors else (self.output,)

    async def record(self, outcome: Fetched[Session] | Failed) -> None:
        """Record one outcome, or hold it back.

        Raises:
            OutputError: it cannot be written.
        """
        if isinstance(outcome, Failed):
            await self._record_failure(outcome)
        elif self.holds_back and not outcome.value.is_finished:
            self.held.append(str(outcome.id) if isinstance(outcome.id, UUID) else outcome.id)
            self.counts.unfinished += 1
        else:
            await call_blocking(self._write_session, outcome)

    async def record_waited(self, outcome: Fetched[Session] | Failed) -> None:
        """Record the outcome of waiting for a session that was held back.

        Raises:
            OutputError: it cannot be written.
        """
        error = outcome.error
        if isinstance(error, WaitTimeoutError) and error.last_seen is not None:
            outcome = Fetched[Session](outcome.id, error.last_seen)
        if isinstance(outcome, Failed):
            await self._record_failure(outcome, was_held=True)
        else:
            await call_blocking(self._write_session, outcome, was_held=True)

    async def _record_failure(self, outcome: Failed, *, was_held: bool = False) -> None:
        is_permanent = _is_permanent(outcome)
        self.counts.failures[type(outcome.error).__name__] += 1
        self.counts.failed += is_permanent
        self.counts.not_fetched += not is_permanent
        self.counts.unfinished -= was_held
        if self.errors is not None:
            record = msgspec.json.encode(build_failure_record(outcome))
            await call_blocking(_write, self.errors, record)
        else:
            message, hint = split_hint(outcome.error)
            if hint:
                self.hints[f"HTTP {outcome.error.status}"] = hint
            self.reporter.say(
                f"{_location(outcome)}: {message}", event="failure", id=str(outcome.id)
            )

    def _write_session(self, fetched: Fetched[Session], *, was_held: bool = False) -> None:
        session, record = fetched.value, converter.dumps(fetched.value)
        if kept := _find_kept(fetched.id):
            record = b'%b,"%b":%b}' % (record[:-1], KEPT.encode(), kept)
        _write(self.output, record)
        # Counted in the thread: after an interrupt, the coroutine does not run on to count it,
        # and the summary would miss a session that is in the file.
        self.counts.written += 1
        self.counts.statuses[session.status or UNKNOWN_STATUS] += 1
        is_unsuccessful = session.status == SessionStatus.FAILED
        self.counts.completed += session.is_finished and not is_unsuccessful
        self.counts.unsuccessful += is_unsuccessful
        self.counts.unfinished += (not session.is_finished) - was_held

    def close(self) -> None:
        """Close both files, even if the first one fails.

        Raises:
            OutputError: a file may be incomplete.
        """
        try:
            self.output.close()
        finally:
            if self.errors is not None:
                self.errors.close()


def _write(file: JsonLinesFile, record: bytes) -> None:
    file.write(escape_json(record) if file.is_terminal else record)


def _find_kept(id_: object) -> bytes | None:
    return id_.kept if isinstance(id_, LocatedId) else None


def _location(failed: Failed) -> str:
    return failed.id.location if isinstance(failed.id, LocatedId) else str(failed.id)


def build_failure_record(failed: Failed) -> dict[str, Any]:
    """Return the JSON object of a failure.

    It includes the body of a response that could not be parsed, because the body is kept nowhere
    else.
    """
    error = failed.error
    body = _body_fields(error) if isinstance(error, APIResponseValidationError) else {}
    kept = _find_kept(failed.id)
    return {
        "id": str(failed.id),
        "where": _location(failed),
        "is_permanent": _is_permanent(failed),
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            "status": error.status,
            "retry_after": error.retry_after,
            "request_id": error.request_id,
            "attempts": len(failed.attempts),
        },
        **body,
        **({KEPT: msgspec.Raw(kept)} if kept else {}),
    }


def _body_fields(error: APIResponseValidationError) -> dict[str, Any]:
    """Return the body of a response: as JSON on one line if it is JSON, else as text."""
    body = error.payload
    try:
        # `Raw` keeps the JSON as it was spelled, and at any depth. msgspec does not check the
        # encoding in strings, so an invalid one would spoil the file for other readers.
        body.decode()
        value: Any = msgspec.Raw(msgspec.json.format(body, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = body.decode("utf-8", "backslashreplace")
    return {"payload": value, "payload_size": getattr(error, "payload_size", len(body))}


def _is_permanent(failed: Failed) -> bool:
    """Return True if another run will not help."""
    return exit_code_for(failed.error) != ExitCode.RETRY_LATER
