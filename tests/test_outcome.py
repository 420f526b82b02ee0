"""Outcomes: two kinds that tell themselves apart, and print nothing of a document."""

from typing import assert_never

import pytest

from raydocs_async import Failed, Fetched, NotFoundError, Session, testing


def test_a_fetched_session_by_its_name() -> None:
    """The session is there under its own name, and there is no error."""
    fetched = Fetched("an-id", testing.build_session())
    assert (fetched.session, fetched.error) == (fetched.value, None)


def test_another_resource_is_no_session() -> None:
    """Another resource has no such name, and the message says where it is."""
    fetched = Fetched("an-id", 7)
    assert not hasattr(fetched, "session")
    with pytest.raises(AttributeError, match="`value` is a int"):
        fetched.session  # type: ignore[misc]  # noqa: B018


def test_outcomes_match() -> None:
    """A ``match`` statement takes both apart."""
    error = NotFoundError("gone", status=404)
    session = testing.build_session()
    assert taken_apart(Fetched("a", session)) == ["a", session]
    assert taken_apart(Failed("b", error)) == ["b", error]


def taken_apart(outcome: Fetched[Session] | Failed) -> list[object]:
    """The parts of an outcome."""
    match outcome:
        case Fetched(given, session):
            return [given, session]
        case Failed(given, error):
            return [given, error]
    assert_never(outcome)


def test_an_outcome_prints_the_kind_of_its_resource() -> None:
    """The `repr` says that a session came, and shows nothing that is in it."""
    fetched = Fetched("an-id", testing.build_session())
    assert repr(fetched) == "Fetched(id='an-id', value=<Session>, attempts=())"
