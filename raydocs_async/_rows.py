"""Sessions and failures as rows of one table, for the engines that write Parquet; pure."""

from typing import Final, TypeAlias

from raydocs_async._converter import converter
from raydocs_async._outcome import Failed, Fetched
from raydocs_async.errors import APIConnectionError, APITimeoutError, InternalServerError
from raydocs_async.models import Session, SessionStatus

Row: TypeAlias = dict[str, str | None]

TEMPORARY: Final = tuple(
    each.__name__ for each in (APIConnectionError, APITimeoutError, InternalServerError)
)
"""Values of ``error_type`` after which another run may succeed."""
FINAL: Final = (SessionStatus.COMPLETED.value, SessionStatus.FAILED.value)
"""Values of ``status`` that do not change any more."""


def build_row(session_id: str | None, outcome: Fetched[Session] | Failed) -> Row:
    """Return the row of an id.

    Args:
        session_id: The id as the table of ids has it.
        outcome: The outcome for that id.
    """
    status = session = error = error_type = None
    if isinstance(outcome, Fetched):
        found = outcome.value
        status = None if found.status is None else str(found.status)
        session = converter.dumps(found).decode()
    else:
        error, error_type = str(outcome.error), type(outcome.error).__name__
    return {
        "session_id": session_id,
        "status": status,
        "session": session,
        "error": error,
        "error_type": error_type,
    }


def is_finished(session: str) -> bool:
    """Return True if the session of a row is finished, by its results if it has no status."""
    return converter.loads(session.encode(), Session).is_finished
