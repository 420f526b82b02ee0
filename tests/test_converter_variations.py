"""Variations of a body: each is written as it came, key for key and value for value."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings

from raydocs_async import Session, converter
from raydocs_async._converter import decode
from tests.strategies import ABSENT, ODD_SESSION, REFERENCE, Json, Place, encoded, sessions, varied
from tests.support.sessions import (
    AN_ID,
    AUDIT,
    DOCUMENT,
    PARSING,
    REF,
    RESULT,
    SESSION,
    SOURCE,
    refusal,
    rewritten,
    same,
)


def variation(id: str, place: Place, /, **changes: Json) -> Any:
    """Return a case: the reference's body with changes at one place."""
    return pytest.param(varied(place, changes), id=id)


DATA = {"totals": {"net": 10.5, "lines": [{"n": 1}, {"n": 2}], "paid": True, "note": None}, "e": []}


STATUSES = [
    variation(f"{'.'.join(map(str, place)) or 'session'} is {status}", place, status=status)
    for place, known in {
        SESSION: "pending processing completed failed",
        DOCUMENT: "uploaded pending parsing parsed processing processed ready failed",
        PARSING: "queued processing ready failed",
        RESULT: "created pending parsing_pending processing completed failed",
    }.items()
    for status in [*known.split(), "archived", ""]
]
NULLS = [
    variation(f"M6 null for {place[0] if place else 'session'}…{key}", place, **{key: None})
    for place, keys in {
        SESSION: "status",
        DOCUMENT: "workspace_id mime size sha256 source_type source_url created_at source "
        "extraction_session_id",
        PARSING: "config_hash parser_version updated_at",
        RESULT: "title extraction_session_id config_hash data audit_data created_at updated_at "
        "completed_at",
        REF: "kind workspaceId filename mime size sha256 source createdAt",
        SOURCE: "type url",
    }.items()
    for key in keys.split()
]
NULL_COLLECTIONS = [
    variation("M6 null for parsings", DOCUMENT, parsings=None),
    variation("M6 null for meta", DOCUMENT, meta=None),
    variation("M6 null for document_refs", RESULT, document_refs=None),
]
WORKSPACES = [
    variation(f"M8 {key} {value!r}", place, **{key: value})
    for place, key in [(DOCUMENT, "workspace_id"), (REF, "workspaceId")]
    for value in (123, 0, -1, 2**70, str(AN_ID), "12", "012", "")
]

SHAPES = [
    variation("session without status", SESSION, status=ABSENT),
    variation("no documents, no results", SESSION, documents=[], results=[]),
    variation("document with mime_type", DOCUMENT, mime=ABSENT, mime_type="application/pdf"),
    variation("document with extraction_session_id", DOCUMENT, extraction_session_id=str(AN_ID)),
    variation("document with source", DOCUMENT, source_type=ABSENT, source={"type": "upload"}),
    variation("document with meta", DOCUMENT, meta={"page_count": 2, "file_size": 125000}),
    variation("reference tagged by type", REF, kind=ABSENT, type="documentRef"),
    variation("reference without mime", REF, mime=ABSENT),
    variation("reference without size", REF, size=ABSENT),
    variation("reference without source", REF, source=ABSENT),
    variation("reference without createdAt", REF, createdAt=ABSENT),
    variation("source without url", SOURCE, url=ABSENT),
    variation("source without anything", SOURCE, type=ABSENT, url=ABSENT),
    variation("result with title", RESULT, title="Invoice #12345"),
    variation("result with completed_at", RESULT, completed_at="2024-01-15T10:30:00Z"),
    variation("result with data", RESULT, data=DATA),
    variation("result with audit_data", RESULT, audit_data=AUDIT),
    variation("result with reasoning", RESULT, audit_data=ABSENT, reasoning=AUDIT),
    variation("data of one number", RESULT, data=3.0),
    variation("data of one array", RESULT, data=[[], {}, [{}]]),
    variation("B16 data beyond 64 bits", RESULT, data={"n": [2**64, -(2**63) - 1, 2**1000]}),
    variation("B16 size beyond 64 bits", DOCUMENT, size=2**64),
]
EMPTY: list[Json] = [[], {}]
EMPTY_MAPS = [
    variation(f"M4 {key} is {value}", place, **{key: value})
    for place, key in [
        (SESSION, "settings"),
        (DOCUMENT, "meta"),
        (RESULT, "data"),
        (RESULT, "audit_data"),
        (SESSION, "something_new"),
    ]
    for value in EMPTY
]
EXTRAS = [
    variation(f"M1 extra keys in {name}", place, new={"a": [1, None]}, extra="x", wire_keys=["id"])
    for name, place in {
        "session": SESSION,
        "document": DOCUMENT,
        "parsing": PARSING,
        "result": RESULT,
        "document reference": REF,
        "source": SOURCE,
    }.items()
]


@pytest.mark.parametrize(
    "body", STATUSES + NULLS + NULL_COLLECTIONS + WORKSPACES + SHAPES + EMPTY_MAPS + EXTRAS
)
def test_variations_are_written_as_they_came(body: bytes) -> None:
    """Each shape that the service's pages show is written as it came."""
    assert same(rewritten(body), json.loads(body))


ODD_VALUES: dict[Place, dict[str, Json]] = {
    DOCUMENT: {"source": [], "meta": None, "parsings": None},
    REF: {"source": [], "workspaceId": 2**70},
    RESULT: {"document_refs": None, "data": [], "audit_data": []},
}
ODD_SPELLINGS = [
    variation(f"M4 M6 M8 M9 {'.'.join(map(str, place))} {key} {value!r}", place, **{key: value})
    for place, changes in ODD_VALUES.items()
    for key, value in changes.items()
] + [
    variation(f"M9 {'.'.join(map(str, place))} {key} {text}", place, **{key: text})
    for place, key in [
        (DOCUMENT, "created_at"),
        (PARSING, "updated_at"),
        (REF, "createdAt"),
        (RESULT, "completed_at"),
    ]
    for text in ["-0001-11-30T00:00:00.000000Z", "-0001-11-30 00:00:00", "0000-00-00 00:00:00"]
]


@pytest.mark.parametrize("body", [*ODD_SPELLINGS, pytest.param(encoded(ODD_SESSION), id="all")])
def test_odd_spellings_are_written_as_they_came(body: bytes) -> None:
    """Each spelling of an empty or missing value by PHP, Carbon or MySQL is kept."""
    assert same(rewritten(body), json.loads(body))


def test_an_array_of_the_caller_is_not_shared() -> None:
    """M4: a session does not share the caller's arrays."""
    wire = {**json.loads(REFERENCE), "settings": []}
    session = converter.structure(wire, Session)
    wire["settings"].append(1)
    written = converter.unstructure(session)
    written["settings"].append(2)
    assert converter.unstructure(session)["settings"] == []


def test_a_refused_session_leaves_no_trace() -> None:
    """M8: spellings noted for a refused session do not get into the next one."""
    refusal(varied(REF, {"size": "x"}))
    assert [
        each.wire_values
        for each in decode(varied(DOCUMENT, {"workspace_id": "12"}), Session).documents
    ] == [()]


@pytest.mark.parametrize("number", [2**64 + 1, -(10**400), 0.1, 1.7976931348623157e308, -0.0])
def test_exact_numbers(number: float) -> None:
    """B16: integers of any size are exact, and so are doubles."""
    data = converter.loads(
        converter.dumps(decode(varied(RESULT, {"data": number}), Session)), Session
    )
    assert repr(data.results[0].data) == repr(number)


def test_inexact_numbers() -> None:
    """B16: a fraction with more digits than a double is read as the nearest double."""
    body = varied(RESULT, {"data": "x"}).replace(b'"x"', b"123456789.123456789123456789")
    assert decode(body, Session).results[0].data == 123456789.12345679


@given(sessions)
@settings(deadline=None)
@example(ODD_SESSION)
def test_any_session_is_written_as_it_came(payload: Json) -> None:
    """Any session that the API may send is written with its keys, order and values."""
    assert same(rewritten(encoded(payload)), payload)


@given(sessions)
@settings(deadline=None)
def test_what_is_written_is_read_as_equal(payload: Json) -> None:
    """A session that is written and read again is equal."""
    session = decode(encoded(payload), Session)
    assert decode(converter.dumps(session), Session) == session


def test_deep_free_form_is_written() -> None:
    """Free-form data that was read at a great depth can be written."""
    depth = 400
    body = varied(SESSION, {"settings": {"a": "HERE"}}).replace(
        b'"HERE"', b"[" * depth + b"]" * depth
    )
    assert rewritten(body)["settings"] == json.loads(body)["settings"]
