"""Fields of a session: their readings, their older spellings, and their changes."""

import json
from typing import Any
from uuid import UUID

import attrs
import pytest

from raydocs_async import Document, Session, SessionStatus, Source, converter
from raydocs_async._converter import decode
from tests.strategies import ABSENT, GUIDE, REFERENCE, Json, Place, at, encoded, varied
from tests.support.sessions import (
    A_TIME,
    AN_ID,
    AUDIT,
    DOCUMENT,
    REF,
    REFERENCE_SESSION,
    RESULT,
    SESSION,
    SOURCE,
    SPELLINGS,
    rewritten,
    same,
)


def attribute(session: Session, place: Place) -> Any:
    """Return the value at a place of the session."""
    value: Any = session
    for step in place:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def reading(id: str, place: Place, name: str, expected: object, /, **changes: Json) -> Any:
    """Return a case: the reference with changed keys, and the expected value of one field."""
    return pytest.param(varied(place, changes), (*place, name), expected, id=id)


READINGS = [
    reading("no status", SESSION, "status", None, status=ABSENT),
    reading("M3 new status of a session", SESSION, "status", "new", status="new"),
    reading("M3 new status of a document", DOCUMENT, "status", "new", status="new"),
    reading("M8 integer", DOCUMENT, "workspace_id", "12", workspace_id=12),
    reading("M8 string", DOCUMENT, "workspace_id", "12", workspace_id="12"),
    reading("M8 integer in a reference", REF, "workspace_id", "12", workspaceId=12),
    reading("mime_type", DOCUMENT, "mime", "text/csv", mime=ABSENT, mime_type="text/csv"),
    reading("type", REF, "kind", "documentRef", kind=ABSENT, type="documentRef"),
    reading("reasoning", RESULT, "audit_data", AUDIT, audit_data=ABSENT, reasoning=AUDIT),
    reading("source", DOCUMENT, "source", Source(type="upload"), source={"type": "upload"}),
    reading("UUID", DOCUMENT, "extraction_session_id", AN_ID, extraction_session_id=str(AN_ID)),
    reading("title", RESULT, "title", "Invoice", title="Invoice"),
    reading("completed_at", RESULT, "completed_at", A_TIME, completed_at="2023-11-07T05:31:56Z"),
    reading("M4 settings", SESSION, "settings", {}, settings=[]),
    reading("M4 meta", DOCUMENT, "meta", {}, meta=[]),
    reading("M4 data", RESULT, "data", {}, data=[]),
    reading("M4 not below the top", RESULT, "data", {"a": []}, data={"a": []}),
    reading("M6 null for parsings", DOCUMENT, "parsings", (), parsings=None),
    reading("M6 null for document_refs", RESULT, "document_refs", (), document_refs=None),
    reading("M6 null for meta", DOCUMENT, "meta", {}, meta=None),
    reading("M6 null for a string", DOCUMENT, "mime", None, mime=None),
    reading("M6 null for a time", RESULT, "updated_at", None, updated_at=None),
    reading("M9 zero date", RESULT, "updated_at", None, updated_at="0000-00-00 00:00:00"),
    reading("M1 new key", SOURCE, "extra", {"new": [1]}, new=[1]),
    reading("M1 key named extra", DOCUMENT, "extra", {"extra": {"a": 1}}, extra={"a": 1}),
    reading("M1 no new key", RESULT, "extra", {}),
    reading("M1 key named as a field", REF, "extra", {"document_id": "x"}, document_id="x"),
    reading("B16 beyond 64 bits", RESULT, "data", 2**64 + 1, data=2**64 + 1),
]


@pytest.mark.parametrize(("body", "place", "expected"), READINGS)
def test_variations_are_read(body: bytes, place: Place, expected: object) -> None:
    """Each spelling of a field is read into that field."""
    assert attribute(decode(body, Session), place) == expected


def test_known_status_is_a_member() -> None:
    """A status that the enumeration has is read as its member."""
    assert decode(REFERENCE, Session).status is SessionStatus.PENDING


def test_new_status_is_a_plain_string() -> None:
    """A status that the enumeration lacks is read as an exact `str`."""
    assert type(decode(varied(RESULT, {"status": "new"}), Session).results[0].status) is str


def respelled(place: Place, older: str, *, first: bool) -> bytes:
    """Return the reference's body with an older spelling beside the current one."""
    payload = json.loads(REFERENCE)
    target = at(payload, place)
    current = dict(target)
    target.clear()
    target |= {older: "old", **current} if first else {**current, older: "old"}
    return encoded(payload)


@pytest.mark.parametrize("first", [True, False], ids=["older first", "current first"])
@pytest.mark.parametrize(("place", "name", "older"), SPELLINGS)
def test_current_spelling_wins(place: Place, name: str, older: str, first: bool) -> None:
    """Of two spellings the current one is the field, and the older one goes to `extra`."""
    part = attribute(decode(respelled(place, older, first=first), Session), place)
    assert (getattr(part, name), part.extra) == (
        getattr(attribute(REFERENCE_SESSION, place), name),
        {older: "old"},
    )


@pytest.mark.parametrize("first", [True, False], ids=["older first", "current first"])
@pytest.mark.parametrize(("place", "name", "older"), SPELLINGS)
def test_both_spellings_are_written(place: Place, name: str, older: str, first: bool) -> None:
    """Two spellings of one field are both written as they came."""
    body = respelled(place, older, first=first)
    assert same(rewritten(body), json.loads(body))


EVOLUTIONS = [
    pytest.param({}, {"mime": "a/b"}, {"mime": "a/b"}, id="a value that was there"),
    pytest.param({}, {"mime": None}, {"mime": None}, id="none for what was there"),
    pytest.param({}, {"meta": {"a": 1}}, {"meta": {"a": 1}}, id="a value that was not there"),
    pytest.param(
        {"mime": ABSENT, "mime_type": "a/b"},
        {"mime": "c/d"},
        {"mime_type": "c/d"},
        id="a value under its older spelling",
    ),
    pytest.param({"new": 1}, {"extra": {"new": 2}}, {"new": 2}, id="an extra key"),
    pytest.param({"new": 1}, {"extra": {}}, {"new": ABSENT}, id="no extra key any more"),
    pytest.param({"new": 1}, {"extra": {"new": 1, "x": 2}}, {"x": 2}, id="one more extra key"),
    pytest.param(
        {"meta": []}, {"meta": {"a": 1}}, {"meta": {"a": 1}}, id="M4 a map no longer empty"
    ),
    pytest.param({}, {"workspace_id": "x"}, {"workspace_id": "x"}, id="M8 another workspace"),
    pytest.param({}, {"workspace_id": "123"}, {}, id="M8 the same workspace"),
    pytest.param({}, {"workspace_id": None}, {"workspace_id": None}, id="M8 no workspace"),
    pytest.param(
        {"created_at": "0000-00-00 00:00:00"},
        {"created_at": A_TIME},
        {"created_at": "2023-11-07T05:31:56Z"},
        id="M9 a time for no date",
    ),
    pytest.param(
        {"created_at": "2023-11-07T05:31:56.000000Z"},
        {"created_at": A_TIME.replace(second=57)},
        {"created_at": "2023-11-07T05:31:57Z"},
        id="M9 another time",
    ),
    pytest.param(
        {"source": []}, {"source": Source(url="x")}, {"source": {"url": "x"}}, id="M4 a source"
    ),
    pytest.param({"source": []}, {"source": None}, {"source": None}, id="M4 no source"),
    pytest.param(
        {"parsings": None},
        {"parsings": decode(REFERENCE, Session).documents[0].parsings},
        {"parsings": json.loads(REFERENCE)["documents"][0]["parsings"]},
        id="M6 parsings",
    ),
    pytest.param(
        {"meta": []},
        {"wire_values": ()},
        {"meta": {}, "workspace_id": "123"},
        id="M4 a spelling that is forgotten",
    ),
]


@pytest.mark.parametrize(("sent", "changes", "difference"), EVOLUTIONS)
def test_evolve(
    sent: dict[str, Json], changes: dict[str, Any], difference: dict[str, Json]
) -> None:
    """A changed copy is written as the original came, except for the change."""
    body = varied(DOCUMENT, sent)
    document = attrs.evolve(decode(body, Session).documents[0], **changes)
    expected = at(json.loads(varied(DOCUMENT, difference, body)), DOCUMENT)
    assert same(json.loads(converter.dumps(document)), expected)


def test_filled_empty_map() -> None:
    """A map that came as ``[]`` is written as an object once it has a key."""
    session = decode(varied(SESSION, {"settings": []}), Session)
    session.settings["a"] = 1  # type: ignore[index]  # what the type forbids, the dict allows
    assert json.loads(converter.dumps(session))["settings"] == {"a": 1}


def test_a_field_that_was_set_since_is_written() -> None:
    """A field that the reply lacked, and that was set since, is written at the end."""
    session = attrs.evolve(decode(GUIDE, Session), status=SessionStatus.FAILED)
    assert list(converter.unstructure(session).items())[-1] == ("status", "failed")


def test_an_unknown_key_that_was_taken_out_is_not_written() -> None:
    """A key that was removed from `extra` is not written, and no field takes its place."""
    wire = json.loads(GUIDE) | {"new": 1}
    session = converter.structure(wire, Session)
    assert converter.unstructure(attrs.evolve(session, extra={})) == json.loads(GUIDE)


def test_an_older_spelling_keeps_its_place() -> None:
    """A key in its older spelling is written in that spelling and at its place."""
    wire = {"id": str(UUID(int=1)), "mime_type": "a/b", "filename": "f", "status": "ready"}
    ours = converter.copy()
    assert list(ours.unstructure(ours.structure(wire, Document))) == list(wire)


@pytest.mark.parametrize("where", ["documents", "document_refs"])
def test_an_empty_source_as_php_writes_it(where: str) -> None:
    """M4: ``[]`` for an object without required keys is read as an empty object."""
    session = json.loads(REFERENCE)
    owner = session["documents"][0] if where == "documents" else None
    owner = owner or session["results"][0]["document_refs"][0]
    owner["source"] = []
    read = decode(encoded(session), Session)
    parts = read.documents if where == "documents" else read.results[0].document_refs
    assert parts[0].source == Source()
