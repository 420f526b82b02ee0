"""The models as values: copied, compared, hashed, and passed to other libraries."""

import copy
import json
import pickle
import sqlite3
from contextlib import closing
from datetime import datetime
from types import NoneType
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given, settings

from raydocs_async import (
    DocumentStatus,
    ParsingStatus,
    ResultStatus,
    Session,
    SessionStatus,
    converter,
)
from raydocs_async._converter import decode
from tests.strategies import GUIDE, ODD_SESSION, REFERENCE, encoded, sessions, varied
from tests.support.models import MODELS, PARTS


def spelling(part: Any) -> tuple[Any, ...]:
    """Return what a model keeps of the spelling of its JSON."""
    return (part.wire_keys, part.wire_values)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("part", PARTS)
def test_pickle(part: Any, protocol: int) -> None:
    """A pickled model is loaded as an equal one, with its spelling."""
    back = pickle.loads(pickle.dumps(part, protocol))
    assert (back, spelling(back)) == (part, spelling(part))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("part", PARTS)
def test_copy(part: Any, duplicate: Any) -> None:
    """A copy of a model, shallow or deep, is equal, and has its spelling."""
    back = duplicate(part)
    assert (back, spelling(back)) == (part, spelling(part))


def pickled(value: Any) -> Any:
    """Return the value, loaded from its pickle."""
    return pickle.loads(pickle.dumps(value))


def respelled(session: Session) -> Session:
    """Return the session without its memory of how values were spelled."""
    document, result = session.documents[0], session.results[0]
    ref = attrs.evolve(result.document_refs[0], wire_values=())
    return attrs.evolve(
        session,
        wire_values=(),
        documents=(attrs.evolve(document, wire_values=()),),
        results=(attrs.evolve(result, wire_values=(), document_refs=(ref,)),),
    )


@pytest.mark.parametrize("duplicate", [pickled, copy.copy, copy.deepcopy, attrs.evolve])
def test_what_is_a_copy_of_odd_spellings(duplicate: Any) -> None:
    """M4 M6 M8 M9: a copy of any kind is written as the reply was, value for value."""
    session = decode(encoded(ODD_SESSION), Session)
    assert json.loads(converter.dumps(duplicate(session))) == ODD_SESSION


def test_how_a_reply_was_spelled_makes_no_difference() -> None:
    """Two objects whose values were spelled differently are equal, and so are their hashes."""
    odd = decode(encoded(ODD_SESSION), Session)
    usual = decode(converter.dumps(respelled(odd)), Session)
    assert (odd, hash(odd)) == (usual, hash(usual))


def kinds(value: Any) -> set[type]:
    """Return the exact types of a value and of everything in it."""
    inner: list[Any] = []
    if attrs.has(type(value)):
        inner.extend(attrs.asdict(value, recurse=False).values())
    elif isinstance(value, dict):
        inner.extend([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        inner.extend(value)
    return {type(value)}.union(*map(kinds, inner))


PLAIN = {str, int, float, bool, NoneType, dict, list, tuple, UUID, datetime}
STATUSES = {SessionStatus, DocumentStatus, ParsingStatus, ResultStatus}


def test_values_are_plain() -> None:
    """M4 M6 M8 M9: a value in any spelling is of a built-in type, not of a subclass."""
    assert kinds(decode(encoded(ODD_SESSION), Session)) <= {*PLAIN, *STATUSES, *MODELS}


@given(sessions)
@settings(deadline=None)
def test_values_of_any_session_are_plain(payload: Any) -> None:
    """The values of any session are of built-in types, or members of statuses."""
    assert kinds(decode(encoded(payload), Session)) <= {*PLAIN, *STATUSES, *MODELS}


@pytest.mark.parametrize("write", [msgspec.json.encode, pickle.dumps])
def test_other_libraries_write_the_values(write: Any) -> None:
    """Libraries that dispatch by exact type write the values of a session."""
    assert write(attrs.asdict(decode(encoded(ODD_SESSION), Session)))


@pytest.mark.parametrize("value", ["12", SessionStatus.FAILED])
def test_a_database_takes_the_values(value: str) -> None:
    """sqlite3, which adapts by type, stores ids and statuses as text."""
    document = decode(encoded(ODD_SESSION), Session).documents[0]
    read = {"12": document.workspace_id, SessionStatus.FAILED: SessionStatus.FAILED}[value]
    with closing(sqlite3.connect(":memory:")) as database:
        assert database.execute("select ?, typeof(?)", (read, read)).fetchone() == (value, "text")


@given(sessions)
@settings(deadline=None)
def test_any_session_is_hashable(payload: Any) -> None:
    """Two readings of one reply are equal, and so are their hashes."""
    first, second = (decode(encoded(payload), Session) for _ in range(2))
    assert (first, hash(first)) == (second, hash(second))


@pytest.mark.parametrize("part", PARTS)
def test_equality_is_by_type(part: Any) -> None:
    """An object does not equal a tuple of its values, nor an object of another model."""
    others = [each.values[0] for each in PARTS if each.values[0] is not part]
    assert part not in [*others, attrs.astuple(part, recurse=False)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "x"),
        ("status", "new"),
        ("settings", {"a": 1}),
        ("extra", {"a": 1}),
        ("documents", ()),
    ],
)
def test_equality_is_of_every_field(name: str, value: Any) -> None:
    """Objects that differ in one field are unequal, even if it is free-form."""
    session = decode(REFERENCE, Session)
    assert attrs.evolve(session, **{name: value}) != session


def test_wire_keys_do_not_matter() -> None:
    """Objects are equal whatever the spelling and the order of their keys."""
    session = decode(GUIDE, Session)
    assert attrs.evolve(session, wire_keys=()) == session


def test_integer_workspace() -> None:
    """M8: objects whose id came as a number and as a string are equal, and so are their hashes."""
    documents = {
        decode(varied(("documents", 0), {"workspace_id": value}), Session).documents[0]
        for value in (12, "12")
    }
    assert len(documents) == 1
