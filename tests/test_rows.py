"""Rows of the engines' tables."""

import pytest

from raydocs_async import Failed, Fetched, NotFoundError, Session, converter
from raydocs_async._rows import FINAL, TEMPORARY, build_row, is_finished
from raydocs_async.testing import build_session


def test_session() -> None:
    """A session is its status, and its whole content as JSON text."""
    session = build_session(status="completed")
    row = build_row("AN-ID", Fetched("an-id", session))
    text = row.pop("session")
    assert row == {
        "session_id": "AN-ID",
        "status": "completed",
        "error": None,
        "error_type": None,
    }
    assert text is not None
    assert converter.loads(text.encode(), Session) == session


def test_session_without_status() -> None:
    """A session that has no status has none in its row."""
    assert build_row("x", Fetched("x", build_session(status=None)))["status"] is None


def test_failure() -> None:
    """A failure is the text of its error, and its class."""
    error = NotFoundError("no such session", status=404)
    assert build_row("x", Failed("x", error)) == {
        "session_id": "x",
        "status": None,
        "session": None,
        "error": str(error),
        "error_type": "NotFoundError",
    }


def test_what_another_run_may_change() -> None:
    """Temporary failures and unfinished sessions are what another run may change."""
    assert TEMPORARY == ("APIConnectionError", "APITimeoutError", "InternalServerError")
    assert FINAL == ("completed", "failed")


@pytest.mark.parametrize(
    ("session", "finished"),
    [
        (build_session(status=None, data=[{}]), True),
        (build_session(status=None, data=[]), False),
        (build_session(status="processing"), False),
    ],
)
def test_a_session_of_a_row(session: Session, finished: bool) -> None:
    """A session without a status is finished if its results are."""
    assert is_finished(converter.dumps(session).decode()) is finished
