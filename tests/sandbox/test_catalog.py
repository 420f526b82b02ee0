"""Which sessions exist, and what each is served as."""

import json
from typing import Any

import pytest

from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._sessions import build_session, session_id

OWN: dict[str, Any] = {"id": "770e8400-E29B-41d4-a716-446655440000", "name": "mine"}


def test_built_in_ids() -> None:
    """The first ids are those of the first built-in sessions."""
    assert Catalog(10).ids(3) == [session_id(0), session_id(1), session_id(2)]


def test_put_ids() -> None:
    """A session that was added comes after the built-in ones, a replaced one in its place."""
    catalog = Catalog(2)
    catalog.put(OWN)
    catalog.put({"id": session_id(0)})
    assert catalog.ids(3) == [session_id(0), session_id(1), OWN["id"].lower()]


def test_too_many_ids() -> None:
    """More ids than there are is an error that tells both numbers."""
    with pytest.raises(ValueError, match="3 ids were asked for, and 2 exist"):
        Catalog(2).ids(3)


def test_negative() -> None:
    """There cannot be fewer sessions than none."""
    with pytest.raises(ValueError, match="-1"):
        Catalog(-1)


def test_body() -> None:
    """A built-in session is served as it is built."""
    body = Catalog(1).session(session_id(0))
    assert body is not None
    assert json.loads(body) == build_session(session_id(0))


def test_body_is_encoded_once() -> None:
    """A body is kept: asked for again, it is the same object."""
    catalog = Catalog(1)
    assert catalog.session(session_id(0)) is catalog.session(session_id(0))


@pytest.mark.parametrize("known", [session_id(0), OWN["id"]])
def test_letter_case(known: str) -> None:
    """An id is found in any letter case, as the database does."""
    catalog = Catalog(1)
    catalog.put(OWN)
    assert catalog.session(known.upper()) == catalog.session(known.lower()) is not None


@pytest.mark.parametrize("unknown", ["", "nonsense", "..", session_id(1)])
def test_unknown(unknown: str) -> None:
    """What is not there, or is no id at all, has no body."""
    assert Catalog(1).session(unknown) is None


def test_every_uuid() -> None:
    """A catalog without a bound has a session for every UUID, and as many ids as are wanted."""
    catalog = Catalog(None)
    assert catalog.session(OWN["id"]) is not None
    assert len(set(catalog.ids(2000))) == 2000


@pytest.mark.parametrize("malformed", ["nonsense", "{770e8400-e29b-41d4-a716-446655440000}"])
def test_every_uuid_but_no_other(malformed: str) -> None:
    """Even there, only a UUID in its usual form is one."""
    assert Catalog(None).session(malformed) is None


def test_put_copies() -> None:
    """A session is served as it was when it was put."""
    catalog = Catalog(0)
    session = dict(OWN)
    catalog.put(session)
    session["name"] = "changed"
    assert json.loads(catalog.session(OWN["id"]) or b"") == OWN


def test_put_replaces() -> None:
    """A session put later is served in place of the earlier one, built-in or not."""
    catalog = Catalog(1)
    for name in ("first", "second"):
        catalog.put({"id": session_id(0), "name": name})
    assert json.loads(catalog.session(session_id(0)) or b"")["name"] == "second"


@pytest.mark.parametrize("session", [{}, {"id": 5}, {"id": None}])
def test_put_without_id(session: dict[str, Any]) -> None:
    """A session that nobody could ask for is refused."""
    with pytest.raises(ValueError, match="'id'"):
        Catalog(0).put(session)


def test_a_result_of_a_session() -> None:
    """A result is served by its own id, as it is in its session."""
    catalog = Catalog(2)
    result = json.loads(catalog.session(session_id(1)) or b"")["results"][1]
    assert json.loads(catalog.result(result["id"]) or b"") == result
    assert catalog.result(session_id(1)) is None
