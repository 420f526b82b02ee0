"""Which sessions exist, and what each is served as."""

import json
from typing import Any
from uuid import UUID

import pytest

from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._ids import part_ids, session_id
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._sessions import build_session

OWN: dict[str, Any] = {"id": "770e8400-E29B-41d4-a716-446655440000", "name": "mine"}

NOW = 1_700_000_000.0


def catalog_of(sessions: int | None, finish_within: float | None = None) -> Catalog:
    """A catalog that was started at `NOW`."""
    schedule = Schedule(finish_within)
    schedule.start(NOW)
    return Catalog(sessions, schedule)


def test_built_in_ids() -> None:
    """The first ids are those of the first built-in sessions."""
    assert catalog_of(10).ids(3) == [session_id(0), session_id(1), session_id(2)]


def test_put_ids() -> None:
    """A session that was added comes after the built-in ones, a replaced one in its place."""
    catalog = catalog_of(2)
    catalog.put(OWN)
    catalog.put({"id": session_id(0)})
    assert catalog.ids(3) == [session_id(0), session_id(1), OWN["id"].lower()]


def test_too_many_ids() -> None:
    """More ids than there are is an error that tells both numbers."""
    with pytest.raises(ValueError, match="3 ids were asked for, and 2 exist"):
        catalog_of(2).ids(3)


def test_negative() -> None:
    """There cannot be fewer sessions than none."""
    with pytest.raises(ValueError, match="-1"):
        catalog_of(-1)


def test_body() -> None:
    """A built-in session is served as it is built."""
    body = catalog_of(1).session(session_id(0), NOW)
    assert body is not None
    assert json.loads(body) == build_session(session_id(0))


def test_body_is_encoded_once() -> None:
    """A body is kept: asked for again, it is the same object."""
    catalog = catalog_of(1)
    assert catalog.session(session_id(0), NOW) is catalog.session(session_id(0), NOW)


@pytest.mark.parametrize("known", [session_id(0), OWN["id"]])
def test_letter_case(known: str) -> None:
    """An id is found in any letter case, as the database does."""
    catalog = catalog_of(1)
    catalog.put(OWN)
    assert catalog.session(known.upper(), NOW) == catalog.session(known.lower(), NOW) is not None


@pytest.mark.parametrize("unknown", ["", "nonsense", "..", session_id(1)])
def test_unknown(unknown: str) -> None:
    """The reply for an unknown or invalid id has no body."""
    assert catalog_of(1).session(unknown, NOW) is None


def test_every_uuid() -> None:
    """A catalog without a bound has a session for every UUID, and as many ids as are wanted."""
    catalog = catalog_of(None)
    assert catalog.session(OWN["id"], NOW) is not None
    assert len(set(catalog.ids(2000))) == 2000


@pytest.mark.parametrize("malformed", ["nonsense", "{770e8400-e29b-41d4-a716-446655440000}"])
def test_every_uuid_but_no_other(malformed: str) -> None:
    """Even there, only a UUID in its usual form is one."""
    assert catalog_of(None).session(malformed, NOW) is None


def test_put_copies() -> None:
    """A session is served as it was when it was put."""
    catalog = catalog_of(0)
    session = dict(OWN)
    catalog.put(session)
    session["name"] = "changed"
    assert json.loads(catalog.session(OWN["id"], NOW) or b"") == OWN


def test_put_replaces() -> None:
    """A session put later is served in place of the earlier one, built-in or not."""
    catalog = catalog_of(1)
    for name in ("first", "second"):
        catalog.put({"id": session_id(0), "name": name})
    assert json.loads(catalog.session(session_id(0), NOW) or b"")["name"] == "second"


@pytest.mark.parametrize("session", [{}, {"id": 5}, {"id": None}])
def test_put_without_id(session: dict[str, Any]) -> None:
    """A session that nobody could ask for is refused."""
    with pytest.raises(ValueError, match="'id'"):
        catalog_of(0).put(session)


def test_a_document_moves_to_the_latest_session() -> None:
    """A document in several sessions is the one of the session that was put last."""
    catalog = catalog_of(0)
    for name in ("first", "second"):
        catalog.put({"id": name, "documents": [{"id": "Mine", "in": name}]})
    assert catalog.part("documents", "mine", NOW) == {"id": "Mine", "in": "second"}


def test_a_document_that_is_gone() -> None:
    """A session that is replaced takes its documents along, built-in ones included."""
    catalog = catalog_of(1)
    key = session_id(0)
    built_in = str(part_ids(UUID(key), "documents")[0])
    catalog.put({"id": key, "documents": [{"id": "mine"}]})
    catalog.put({"id": key, "documents": []})
    assert catalog.part("documents", "mine", NOW) is None
    assert catalog.part("documents", built_in, NOW) is None


@pytest.mark.parametrize("documents", [None, "text", {}, [1, None, {"id": 5}]])
def test_odd_documents(documents: Any) -> None:
    """A session that was put may have anything in the place of its documents."""
    catalog = catalog_of(0)
    catalog.put({"id": "odd", "documents": documents})
    assert catalog.session("odd", NOW)
    assert catalog.part("documents", "5", NOW) is None


def test_put_finishes_nothing() -> None:
    """The built-in sessions progress, and those that were put stay as they are."""
    catalog = catalog_of(1, finish_within=100)
    catalog.put({**OWN, "status": "processing"})
    states = [
        json.loads(catalog.session(each, NOW + after) or b"")["status"]
        for each in (session_id(0), OWN["id"])
        for after in (0, 100)
    ]
    assert states == ["pending", "completed", "processing", "processing"]
