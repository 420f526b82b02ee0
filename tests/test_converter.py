"""Sessions read from JSON and written back: nothing lost, nothing guessed, every failure typed."""

import copy
import cProfile
import json
import pickle
import traceback
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NotRequired,
    Optional,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from cattrs.gen import make_dict_structure_fn, override
from hypothesis import example, given, settings
from hypothesis.strategies import binary

from raydocs_async import (
    APIResponseValidationError,
    Document,
    DocumentRef,
    DocumentStatus,
    Parsing,
    ParsingStatus,
    Result,
    ResultStatus,
    Session,
    SessionStatus,
    Source,
    converter,
)
from raydocs_async._converter import ModelConverter, decode
from raydocs_async._model import WIRE_NAMES, AnyId, Model
from raydocs_async._strict import Mismatch
from raydocs_async.errors import PAYLOAD_LIMIT
from tests.strategies import (
    ABSENT,
    GUIDE,
    ODD_SESSION,
    REFERENCE,
    Json,
    Place,
    altered_sessions,
    at,
    encoded,
    json_values,
    many_results,
    sessions,
    varied,
)

SESSION: Place = ()
DOCUMENT: Place = ("documents", 0)
PARSING: Place = ("documents", 0, "parsings", 0)
RESULT: Place = ("results", 0)
REF: Place = ("results", 0, "document_refs", 0)
SOURCE: Place = ("results", 0, "document_refs", 0, "source")

AN_ID = UUID("3c90c3cc-0d44-4b50-8888-8dd25736052a")
A_TIME = datetime(2023, 11, 7, 5, 31, 56, tzinfo=UTC)
MARKER = "confidential-4711"

AUDIT = {
    "total": {
        "reasoning": "the sum line",
        "sources": [{"chunk_id": str(AN_ID), "text": "Total 12.50", "page": 1}],
    }
}
DATA = {"totals": {"net": 10.5, "lines": [{"n": 1}, {"n": 2}], "paid": True, "note": None}, "e": []}


def rewritten(body: bytes) -> Json:
    """What is written of what was read."""
    return json.loads(converter.dumps(decode(body, Session)))


def same(left: Json, right: Json) -> bool:
    """Whether both are the same JSON: the same keys in the same order, the same types."""
    return json.dumps(left) == json.dumps(right)


def attribute(session: Session, place: Place) -> Any:
    """What is at a place of the session."""
    value: Any = session
    for step in place:
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def path(place: Place) -> str:
    """The place as errors spell it."""
    return "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in place)


def refusal(body: bytes) -> APIResponseValidationError:
    """The error that the body is refused with."""
    with pytest.raises(APIResponseValidationError) as caught:
        decode(body, Session)
    return caught.value


def problem(body: bytes) -> str:
    """What the refusal says is wrong with the shape."""
    return str(refusal(body)).removeprefix("the body is not as documented: ")


REFERENCE_SESSION = Session(
    id=AN_ID,
    name="<string>",
    extraction_template_id=AN_ID,
    settings={},
    status=SessionStatus.PENDING,
    created_at=A_TIME,
    updated_at=A_TIME,
    documents=(
        Document(
            id=AN_ID,
            workspace_id="123",
            filename="<string>",
            mime="<string>",
            size=123,
            sha256="<string>",
            status=DocumentStatus.UPLOADED,
            source_type="upload",
            source_url="<string>",
            parsings=(
                Parsing(
                    id=AN_ID,
                    config_hash="<string>",
                    status=ParsingStatus.QUEUED,
                    parser_version="<string>",
                    updated_at=A_TIME,
                ),
            ),
            created_at=A_TIME,
        ),
    ),
    results=(
        Result(
            id=AN_ID,
            extraction_session_id=AN_ID,
            status=ResultStatus.CREATED,
            config_hash="<string>",
            document_refs=(
                DocumentRef(
                    kind="documentRef",
                    document_id=AN_ID,
                    workspace_id="123",
                    filename="<string>",
                    mime="<string>",
                    size=123,
                    sha256="<string>",
                    source=Source(type="upload", url="<string>"),
                    created_at=A_TIME,
                ),
            ),
            data={},
            audit_data={},
            created_at=A_TIME,
            updated_at=A_TIME,
        ),
    ),
)
GUIDE_SESSION = Session(
    id=UUID("770e8400-e29b-41d4-a716-446655440000"),
    name="Q1 2024 Invoices",
    extraction_template_id=UUID("550e8400-e29b-41d4-a716-446655440000"),
    settings={},
    created_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    updated_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    documents=(
        Document(
            id=UUID("880e8400-e29b-41d4-a716-446655440000"),
            filename="invoice_001.pdf",
            status=DocumentStatus.READY,
            meta={"page_count": 2},
        ),
    ),
    results=(
        Result(
            id=UUID("990e8400-e29b-41d4-a716-446655440000"),
            status=ResultStatus.COMPLETED,
            title="Invoice #12345",
        ),
    ),
)
DOCUMENTED = [
    pytest.param(REFERENCE, REFERENCE_SESSION, id="reference"),
    pytest.param(GUIDE, GUIDE_SESSION, id="guide"),
]


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_documented_bodies_are_read(body: bytes, session: Session) -> None:
    """Every field of the documented bodies is where the models say."""
    assert decode(body, Session) == session


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_documented_bodies_are_written_as_they_came(body: bytes, session: Session) -> None:
    """What is written of a documented body is that body: keys, order, values."""
    assert same(rewritten(body), json.loads(body))


@pytest.mark.parametrize(("body", "session"), DOCUMENTED)
def test_built_by_hand(body: bytes, session: Session) -> None:
    """What is written of an object that was built by hand is read as an equal one."""
    assert decode(converter.dumps(session), Session) == session


def test_built_by_hand_leaves_out_what_is_not_set() -> None:
    """Of an object built by hand, the fields that are required or set are written, no others."""
    written = json.loads(converter.dumps(GUIDE_SESSION))
    assert written == json.loads(GUIDE)


def test_loads() -> None:
    """The public converter reads a body, too."""
    assert converter.loads(GUIDE, Session) == GUIDE_SESSION


def test_unstructure() -> None:
    """The public converter makes plain dictionaries, too."""
    assert converter.unstructure(decode(REFERENCE, Session)) == json.loads(REFERENCE)


def test_structure_a_part() -> None:
    """Parts of a session can be read on their own."""
    part = json.loads(REFERENCE)["documents"][0]
    assert converter.structure(part, Document) == REFERENCE_SESSION.documents[0]


def test_structure_a_status() -> None:
    """A status that is read on its own is a member, too, or stays the string that it is."""
    read = [converter.structure(status, SessionStatus) for status in ("failed", "new")]
    assert (read, type(read[0])) == ([SessionStatus.FAILED, "new"], SessionStatus)


def test_null_is_no_status() -> None:
    """Unless the field may be absent, and then its type says so."""
    with pytest.raises(APIResponseValidationError, match=r"\$ is null, not a string$"):
        converter.structure(None, SessionStatus)


def test_an_open_status_in_any_order() -> None:
    """Whether the enumeration or the string is named first makes no difference."""
    kind: Any = str | SessionStatus
    assert converter.structure("failed", kind) is SessionStatus.FAILED


def test_a_status_is_written_as_a_plain_string() -> None:
    """What is made for other libraries holds nothing that they would have to know."""
    assert type(converter.unstructure(SessionStatus.FAILED)) is str


def test_a_choice_of_types_that_no_model_has() -> None:
    """It is cattrs' own affair, and stays what it is there."""
    kind: Any = int | str
    assert [converter.structure(value, kind) for value in (1, "x")] == [1, "x"]


def test_what_no_model_has() -> None:
    """Its reader, cattrs' own, is told the type, as a body and within a tuple."""
    kind: Any = Literal["a"]
    assert converter.loads(b'"a"', kind) == "a"
    assert converter.structure(["a"], tuple[kind, ...]) == ("a",)


def test_structure_another_collection() -> None:
    """Collections that no model has are read, too, and refused with what is wrong in them."""
    assert converter.structure([1], deque[int]) == deque([1])
    with pytest.raises(APIResponseValidationError, match=r"\$\[0\] is a string, not an integer$"):
        converter.structure(["x"], deque[int])


@attrs.frozen(kw_only=True)
class Odd(Model):
    """A model with a collection that JSON spells otherwise, and with parts that may be empty."""

    parts: tuple[int, ...] = attrs.field(default=(), metadata={WIRE_NAMES: ("theParts",)})
    sources: tuple[Source, ...] = ()


@pytest.mark.parametrize(("sent", "read"), [({"theParts": [1]}, (1,)), ({"theParts": None}, ())])
def test_a_collection_has_its_own_spelling(sent: Json, read: tuple[int, ...]) -> None:
    """A collection is read under the name that JSON has for it, as any other field."""
    assert converter.structure(sent, Odd).parts == read


def test_an_empty_array_of_parts_that_may_be_empty() -> None:
    """``[]`` in the place of an array is an array, whatever its items may be."""
    odd = converter.structure({"sources": [], "theParts": None}, Odd)
    assert (odd.sources, odd.wire_values) == ((), (("parts", None),))


def variation(id: str, place: Place, /, **changes: Json) -> Any:
    """A case: the reference's body with changes at one place."""
    return pytest.param(varied(place, changes), id=id)


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
SPELLINGS = [
    pytest.param(DOCUMENT, "mime", "mime_type", id="mime"),
    pytest.param(REF, "kind", "type", id="kind"),
    pytest.param(RESULT, "audit_data", "reasoning", id="audit_data"),
]


@pytest.mark.parametrize(
    "body", STATUSES + NULLS + NULL_COLLECTIONS + WORKSPACES + SHAPES + EMPTY_MAPS + EXTRAS
)
def test_variations_are_written_as_they_came(body: bytes) -> None:
    """Whatever shape a page of the service shows is written as it came."""
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
    """Each spelling of an empty or missing thing that PHP, Carbon or MySQL has is kept."""
    assert same(rewritten(body), json.loads(body))


def test_an_array_of_the_caller_is_not_shared() -> None:
    """M4: what the caller does to the JSON afterwards does not reach the session."""
    wire = {**json.loads(REFERENCE), "settings": []}
    session = converter.structure(wire, Session)
    wire["settings"].append(1)
    written = converter.unstructure(session)
    written["settings"].append(2)
    assert converter.unstructure(session)["settings"] == []


def test_a_refused_session_leaves_no_trace() -> None:
    """M8: what was noted of a session that is refused in the end is not taken for the next one."""
    refusal(varied(REF, {"size": "x"}))
    assert [
        each.wire_values
        for each in decode(varied(DOCUMENT, {"workspace_id": "12"}), Session).documents
    ] == [()]


@pytest.mark.parametrize("number", [2**64 + 1, -(10**400), 0.1, 1.7976931348623157e308, -0.0])
def test_exact_numbers(number: float) -> None:
    """B16: integers of any size are exact, and so is whatever a double can hold."""
    data = converter.loads(
        converter.dumps(decode(varied(RESULT, {"data": number}), Session)), Session
    )
    assert repr(data.results[0].data) == repr(number)


def test_inexact_numbers() -> None:
    """B16: a fraction with more digits than a double has is read as the nearest double."""
    body = varied(RESULT, {"data": "x"}).replace(b'"x"', b"123456789.123456789123456789")
    assert decode(body, Session).results[0].data == 123456789.12345679


@given(sessions)
@settings(deadline=None)
@example(ODD_SESSION)
def test_any_session_is_written_as_it_came(payload: Json) -> None:
    """Any session that the API may send is written with the same keys, order and values."""
    assert same(rewritten(encoded(payload)), payload)


@given(sessions)
@settings(deadline=None)
def test_what_is_written_is_read_as_equal(payload: Json) -> None:
    """Reading what was written gives an equal session."""
    session = decode(encoded(payload), Session)
    assert decode(converter.dumps(session), Session) == session


@given(altered_sessions())
@settings(deadline=None)
def test_nothing_is_coerced(payload: Json) -> None:
    """A session with anything at any place is either read without loss, or refused by its path."""
    try:
        written = rewritten(encoded(payload))
    except APIResponseValidationError as error:
        assert "documented: $." in error.message  # noqa: PT017  (either is right)
    else:
        assert same(written, payload)


@given(json_values)
def test_other_json(payload: Json) -> None:
    """JSON that is no session is refused by its path."""
    assert problem(encoded(payload)).startswith("$")


@given(binary())
def test_no_json(body: bytes) -> None:
    """Bytes of any kind are refused with no other error than the documented one."""
    assert refusal(body).payload == body


def reading(id: str, place: Place, name: str, expected: object, /, **changes: Json) -> Any:
    """A case: what a field is read as when its object has been changed."""
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
    """Each shape is read into the one field that it is a spelling of."""
    assert attribute(decode(body, Session), place) == expected


def test_known_status_is_a_member() -> None:
    """A status that the enumeration knows is its member."""
    assert decode(REFERENCE, Session).status is SessionStatus.PENDING


def test_new_status_is_a_plain_string() -> None:
    """A status that the enumeration does not know is a string and nothing else."""
    assert type(decode(varied(RESULT, {"status": "new"}), Session).results[0].status) is str


def respelled(place: Place, older: str, *, first: bool) -> bytes:
    """The reference's body with an older spelling beside the current one."""
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
    """A changed copy is written as the original came, but for the change."""
    body = varied(DOCUMENT, sent)
    document = attrs.evolve(decode(body, Session).documents[0], **changes)
    expected = at(json.loads(varied(DOCUMENT, difference, body)), DOCUMENT)
    assert same(json.loads(converter.dumps(document)), expected)


def test_filled_empty_map() -> None:
    """A map that came as ``[]`` is written as an object once something is in it."""
    session = decode(varied(SESSION, {"settings": []}), Session)
    session.settings["a"] = 1  # type: ignore[index]  # what the type forbids, the dict allows
    assert json.loads(converter.dumps(session))["settings"] == {"a": 1}


def test_deep_free_form_is_written() -> None:
    """What is nested deeply, but could be read, can be written."""
    depth = 400
    body = varied(SESSION, {"settings": {"a": "HERE"}}).replace(
        b'"HERE"', b"[" * depth + b"]" * depth
    )
    assert rewritten(body)["settings"] == json.loads(body)["settings"]


VALUES = {
    "null": None,
    "a boolean": False,
    "an integer": 3,
    "a number with a fraction": 3.7,
    "a string": "false",
    "an array": ["x"],
    "an object": {"a": 1},
}
"""A value of every JSON type, by the name that errors give the type."""

TEXT, TEXT_OR_NULL = ("a string",), ("a string", "null")
ID, MAYBE_ID = ("a UUID",), ("a UUID", "null")
TIME, MAYBE_TIME = ("a time",), ("a time", "null")
COUNT, ANY_ID = ("an integer", "null"), ("an id", "null", "an integer", "a string")
MAP, MAYBE_MAP = ("an object",), ("an object", "null")
ITEMS, MAYBE_ITEMS = ("an array",), ("an array", "null")
FIELDS: dict[Place, dict[str, tuple[str, ...]]] = {
    SESSION: {
        "id": ID,
        "name": TEXT,
        "extraction_template_id": ID,
        "settings": MAP,
        "status": TEXT_OR_NULL,
        "created_at": TIME,
        "updated_at": TIME,
        "documents": ITEMS,
        "results": ITEMS,
    },
    DOCUMENT: {
        "id": ID,
        "filename": TEXT,
        "status": TEXT,
        "workspace_id": ANY_ID,
        "mime": TEXT_OR_NULL,
        "size": COUNT,
        "sha256": TEXT_OR_NULL,
        "source_type": TEXT_OR_NULL,
        "source_url": TEXT_OR_NULL,
        "source": MAYBE_MAP,
        "extraction_session_id": MAYBE_ID,
        "meta": MAYBE_MAP,
        "parsings": MAYBE_ITEMS,
        "created_at": MAYBE_TIME,
    },
    PARSING: {
        "id": ID,
        "status": TEXT,
        "config_hash": TEXT_OR_NULL,
        "parser_version": TEXT_OR_NULL,
        "updated_at": MAYBE_TIME,
    },
    RESULT: {
        "id": ID,
        "status": TEXT,
        "title": TEXT_OR_NULL,
        "extraction_session_id": MAYBE_ID,
        "config_hash": TEXT_OR_NULL,
        "document_refs": MAYBE_ITEMS,
        "created_at": MAYBE_TIME,
        "updated_at": MAYBE_TIME,
        "completed_at": MAYBE_TIME,
    },
    REF: {
        "documentId": ID,
        "kind": TEXT_OR_NULL,
        "workspaceId": ANY_ID,
        "filename": TEXT_OR_NULL,
        "mime": TEXT_OR_NULL,
        "size": COUNT,
        "sha256": TEXT_OR_NULL,
        "source": MAYBE_MAP,
        "createdAt": MAYBE_TIME,
    },
    SOURCE: {"type": TEXT_OR_NULL, "url": TEXT_OR_NULL},
}
"""What each field takes: first the words for it, then the JSON types besides."""

REQUIRED = {
    SESSION: FIELDS[SESSION].keys() - {"status"},
    DOCUMENT: {"id", "filename", "status"},
    PARSING: {"id", "status"},
    RESULT: {"id", "status"},
    REF: {"documentId"},
}


@pytest.mark.parametrize(
    ("place", "key", "takes"),
    [
        pytest.param(place, key, takes, id=f"M6 M7 {path((*place, key))}")
        for place, fields in FIELDS.items()
        for key, takes in fields.items()
    ],
)
def test_wrong_type(place: Place, key: str, takes: tuple[str, ...]) -> None:
    """A value of a type that its field does not take is refused, with its path and both types."""
    refused = {got: value for got, value in VALUES.items() if got not in takes}
    assert {got: problem(varied(place, {key: value})) for got, value in refused.items()} == {
        got: f"{path((*place, key))} is {got}, not {takes[0]}" for got in refused
    }


@pytest.mark.parametrize(
    ("place", "key"),
    [
        pytest.param(place, key, id=f"M2 {path((*place, key))}")
        for place, keys in REQUIRED.items()
        for key in sorted(keys)
    ],
)
def test_missing(place: Place, key: str) -> None:
    """A required key that is missing is named by its path."""
    assert problem(varied(place, {key: ABSENT})) == f"{path((*place, key))} is missing"


@pytest.mark.parametrize(
    ("place", "key"),
    [
        pytest.param(place, key, id=path((*place, key)))
        for place, fields in FIELDS.items()
        for key in fields
        if key not in REQUIRED.get(place, ())
    ],
)
def test_optional(place: Place, key: str) -> None:
    """Every other key may be missing, and is not made up when the session is written."""
    assert key not in at(rewritten(varied(place, {key: ABSENT})), place)


@pytest.mark.parametrize("key", ["documents", "results"])
@pytest.mark.parametrize(("words", "value"), [*VALUES.items(), ("an array", [])])
def test_wrong_item(key: str, words: str, value: Json) -> None:
    """An item that is no object is refused by its index."""
    if words == "an object":
        expected = f"$.{key}[1].id is missing"
    else:
        expected = f"$.{key}[1] is {words}, not an object"
    good = json.loads(REFERENCE)[key]
    assert problem(varied(SESSION, {key: [*good, value]})).split(";")[0] == expected


@pytest.mark.parametrize(
    ("place", "name", "older"), [case for case in SPELLINGS if case.id != "audit_data"]
)
def test_wrong_type_under_an_older_spelling(place: Place, name: str, older: str) -> None:
    """The path of a refused value has the spelling that the body has."""
    body = varied(place, {name: ABSENT, older: 3})
    assert problem(body) == f"{path((*place, older))} is an integer, not a string"


def test_null_is_no_problem() -> None:
    """What is null where it may be is not named among what is wrong."""
    body = varied(DOCUMENT, {"mime": None, "parsings": None, "size": "x"})
    assert problem(body) == "$.documents[0].size is a string, not an integer"


@pytest.mark.parametrize(
    ("place", "known"),
    [
        pytest.param(RESULT, {"completed_at": "0000-00-00 00:00:00"}, id="M9 a zero date"),
        pytest.param(RESULT, {"completed_at": None}, id="M6 null for a time"),
        pytest.param(RESULT, {"status": "new"}, id="M3 a new status"),
        pytest.param(REF, {"source": {"type": "upload"}}, id="a part that may be absent"),
    ],
)
def test_what_is_right_is_no_problem(place: Place, known: dict[str, Json]) -> None:
    """Next to what is wrong, nothing is named that would do by itself."""
    body = varied(DOCUMENT, {"size": "x"}, varied(place, known))
    assert problem(body) == "$.documents[0].size is a string, not an integer"


def test_first_problems() -> None:
    """The first three problems are named, in the models' order, and no more."""
    assert problem(b"{}") == (
        "$.id is missing; $.name is missing; $.extraction_template_id is missing"
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        pytest.param(bool, "false", id="M7 'false' for a boolean"),
        pytest.param(bool, 1, id="M7 1 for a boolean"),
        pytest.param(int, 3.7, id="M7 3.7 for an integer"),
        pytest.param(int, True, id="M7 true for an integer"),
        pytest.param(float, "1.5", id="M7 '1.5' for a number"),
        pytest.param(str, None, id="M6 null for a string"),
        pytest.param(tuple[str, ...], "abc", id="a string for an array"),
    ],
)
def test_no_kind_of_value_is_coerced(kind: Any, value: Json) -> None:
    """The types that no model has yet are as strict as the others."""
    with pytest.raises(
        APIResponseValidationError, match=r"\$ is (an? .*, not an? |null, not a string$)"
    ):
        converter.structure(value, kind)


@pytest.mark.parametrize(("kind", "value"), [(bool, True), (int, 3), (float, 1.5), (str, "x")])
def test_plain_kinds(kind: Any, value: Json) -> None:
    """A value of the right type is itself."""
    assert converter.structure(value, kind) is value


HALF_PAST = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
GOOD_TIMES = [
    ("2024-01-15T10:30:00Z", HALF_PAST),
    ("2024-01-15T10:30:00.1Z", HALF_PAST.replace(microsecond=100000)),
    ("2024-01-15T10:30:00.123Z", HALF_PAST.replace(microsecond=123000)),
    ("2024-01-15T10:30:00.123456Z", HALF_PAST.replace(microsecond=123456)),
    ("2024-01-15T10:30:00.000000Z", HALF_PAST),
    ("2024-01-15T10:30:00.123456789Z", HALF_PAST.replace(microsecond=123456)),
    ("2024-01-15T10:30:00+00:00", HALF_PAST),
    ("2024-01-15T12:30:00+0200", HALF_PAST),
    ("2024-01-15T12:30:00+02:00", HALF_PAST),
    ("2024-01-15T10:30:00", HALF_PAST),
    ("2024-01-15 10:30:00", HALF_PAST),
]
BAD_TIMES = [
    "",
    "now",
    "2024-01-15",
    "2024-02-30T00:00:00Z",
    "2024-01-15T25:00:00Z",
    "-001-11-30T00:00:00.000000Z",
    "1705314600",
    "10:30:00",
]
ZERO_DATES = [
    "0000-00-00 00:00:00",
    "0000-00-00",
    "0000-00-00T00:00:00.000000Z",
    "-0001-11-30 00:00:00",
    "-0001-11-30T00:00:00.000000Z",
]


@pytest.mark.parametrize(
    ("text", "moment"), [pytest.param(*case, id=f"M9 {case[0]}") for case in GOOD_TIMES]
)
def test_times(text: str, moment: datetime) -> None:
    """Every form of a time is read as the same instant, and is aware."""
    read = decode(varied(SESSION, {"created_at": text}), Session).created_at
    assert (read, read.tzinfo is not None) == (moment, True)


@pytest.mark.parametrize("text", [pytest.param(case[0], id=f"M9 {case[0]}") for case in GOOD_TIMES])
def test_times_are_written_as_they_came(text: str) -> None:
    """A time is written with the text that it was read from."""
    assert rewritten(varied(SESSION, {"updated_at": text}))["updated_at"] == text


def test_a_time_built_by_hand() -> None:
    """A time that came from no reply is written as ISO 8601, UTC as Z."""
    moment = datetime(2024, 1, 15, 10, 30, 0, 120000, tzinfo=UTC)
    written = [converter.unstructure(each) for each in (moment, moment.replace(microsecond=0))]
    assert written == ["2024-01-15T10:30:00.120000Z", "2024-01-15T10:30:00Z"]


@pytest.mark.parametrize(
    ("place", "key"), [(SESSION, "created_at"), (DOCUMENT, "created_at")], ids=["always", "maybe"]
)
@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in BAD_TIMES])
def test_no_times(text: str, place: Place, key: str) -> None:
    """A string that is no time is refused, whether the field may be absent or not."""
    expected = f"{path((*place, key))} is a string, not a time"
    assert problem(varied(place, {key: text})) == expected


@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in ZERO_DATES])
def test_zero_dates_are_no_time(text: str) -> None:
    """The zero date of MySQL and Carbon is no time where one has to be."""
    assert problem(varied(SESSION, {"created_at": text})) == "$.created_at is a string, not a time"


@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in ZERO_DATES])
def test_zero_dates_are_none(text: str) -> None:
    """The zero date of MySQL and Carbon is ``None`` where a time may be absent."""
    assert decode(varied(DOCUMENT, {"created_at": text}), Session).documents[0].created_at is None


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(UTC, id="UTC"),
        pytest.param(timezone(timedelta(hours=5, minutes=30)), id="+05:30"),
        pytest.param(timezone(-timedelta(minutes=30)), id="-00:30"),
        pytest.param(timezone(timedelta(seconds=30)), id="+00:00:30"),
    ],
)
def test_zones_of_times_built_by_hand(zone: timezone) -> None:
    """A time in any zone is written so that it is read as the same instant."""
    moment = datetime(2024, 1, 15, 10, 30, tzinfo=zone)
    session = attrs.evolve(GUIDE_SESSION, created_at=moment)
    assert decode(converter.dumps(session), Session).created_at == moment


NESTED = b"[" * 100_000
NO_JSON = [
    pytest.param(b"<!doctype html><p>Log in</p>", "", id="B12 HTML"),
    pytest.param(varied(SESSION, {"n": float("nan")}), "", id="B14 NaN"),
    pytest.param(varied(SESSION, {"n": float("inf")}), "", id="B14 Infinity"),
    pytest.param(varied(SESSION, {"n": float("-inf")}), "", id="B14 -Infinity"),
    pytest.param(varied(SESSION, {"n": 7}).replace(b"7}", b"1e999}"), "", id="B14 1e999"),
    pytest.param(
        varied(SESSION, {"n": "x"}).replace(b'"x"', b"7" * 5000), "", id="B15 5000 digits"
    ),
    pytest.param(varied(DOCUMENT, {"n": "x"}).replace(b'"x"', b"'x'"), "", id="single quotes"),
    pytest.param(REFERENCE + b"x", "", id="H18 more after the end"),
    pytest.param(REFERENCE + REFERENCE, "", id="H18 twice"),
    pytest.param(b"\xef\xbb\xbf" + REFERENCE, "", id="B19 BOM"),
    pytest.param(REFERENCE.decode().encode("utf-16"), "", id="B19 UTF-16"),
    pytest.param(REFERENCE.decode().encode("utf-16-le"), "", id="B19 UTF-16 without BOM"),
    pytest.param(
        varied(SESSION, {"name": "é"}).decode().encode("latin-1"),
        "it is not UTF-8",
        id="B19 latin-1",
    ),
    pytest.param(
        varied(SESSION, {"name": "x"}).replace(b'"x"', b'"\\ud800"'), "", id="B19 half a pair"
    ),
]


@pytest.mark.parametrize(("body", "reason"), NO_JSON)
def test_bodies_that_are_no_json(body: bytes, reason: str) -> None:
    """A body that is no JSON is refused as that, and not as one that was cut."""
    error = refusal(body)
    assert error.message.startswith(f"the body is not JSON: {reason}")
    assert not error.truncated


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(NESTED, id="B17 open arrays"),
        pytest.param(b'{"a":' * 100_000, id="B17 open objects"),
        pytest.param(NESTED + b"]" * 100_000, id="B17 arrays"),
        pytest.param(varied(SESSION, {"n": "x"}).replace(b'"x"', NESTED), id="B17 in a session"),
    ],
)
def test_nesting(body: bytes) -> None:
    """JSON that is nested too deeply to be read is refused as that."""
    assert str(refusal(body)) == "the body is not usable JSON: it is nested too deeply"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        pytest.param(value, words, id=f"B11 {words}")
        for words, value in VALUES.items()
        if words != "an object"
    ],
)
def test_other_json_on_top(payload: Json, words: str) -> None:
    """JSON that is no object is refused by its type."""
    assert problem(encoded(payload)) == f"$ is {words}, not an object"


CUT = [
    pytest.param(REFERENCE, id="reference"),
    pytest.param(GUIDE, id="guide"),
    pytest.param(b'{"a": [true, false, null, "\\u00e9\\ud83d\\ude00\\n\xc3\xa9"]}', id="literals"),
    pytest.param(b'{"a": [-1, 2.5, 15e10, 1.5E-10, 2e+3]}', id="numbers"),
]


@pytest.mark.parametrize("body", CUT)
def test_cut_bodies(body: bytes) -> None:
    """A body that was cut is recognised as that, wherever it was cut."""
    cuts = [body[:length] for length in range(len(body))]
    assert [cut[-20:] for cut in cuts if not refusal(cut).truncated] == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{}", id="no field"),
        pytest.param(varied(DOCUMENT, {"size": "truncated"}), id="a value that says truncated"),
    ],
)
def test_whole_bodies_are_not_cut(body: bytes) -> None:
    """A whole body of the wrong shape is not taken for one that was cut."""
    assert not refusal(body).truncated


REVEALING = [
    pytest.param(varied(DOCUMENT, {"filename": [MARKER], MARKER: MARKER}), id="shape"),
    pytest.param(varied(RESULT, {"id": MARKER, "data": {MARKER: 1}}), id="identifier"),
    pytest.param(varied(RESULT, {"created_at": MARKER}), id="time"),
    pytest.param(varied(RESULT, {MARKER: float("nan")}), id="JSON"),
    pytest.param(varied(RESULT, {"data": MARKER})[:-20], id="cut"),
    pytest.param(varied(RESULT, {"data": MARKER + "é"}).decode().encode("latin-1"), id="UTF-8"),
]


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_do_not_show_the_body(body: bytes) -> None:
    """Neither message, ``repr`` nor ``args`` show anything of the body."""
    error = refusal(body)
    assert MARKER not in f"{error} {error!r} {error.args} {error.body_excerpt}"


@pytest.mark.parametrize("body", REVEALING)
def test_tracebacks_do_not_show_the_body(body: bytes) -> None:
    """Tracebacks with captured locals do not show the body, but for the caller's own locals."""
    report = traceback.TracebackException.from_exception(refusal(body), capture_locals=True)
    ours = [frame.locals for frame in report.stack if "raydocs_async" in frame.filename]
    assert MARKER not in str(ours)


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_keep_the_body(body: bytes) -> None:
    """The whole body is the error's payload."""
    assert refusal(body).payload == body


@pytest.mark.parametrize("body", REVEALING)
def test_refusals_have_no_cause(body: bytes) -> None:
    """No other exception, which would hold the body, is chained to the refusal."""
    error = refusal(body)
    assert (error.__cause__, error.__context__) == (None, None)


def test_a_large_body_is_cut() -> None:
    """Of a body of any size the error keeps the documented size, and how large it was."""
    body = varied(SESSION, {"name": "x" * 2 * PAYLOAD_LIMIT, "size": 1, "id": 1})
    error = refusal(body)
    assert (error.payload, error.payload_size, error.truncated) == (
        body[:PAYLOAD_LIMIT],
        len(body),
        False,
    )


def test_many_large_bodies() -> None:
    """A hundred and fifty refused bodies of a megabyte each take less than 40 MiB."""
    body = b"[" + b" " * 10**6 + b"]"
    tracemalloc.start()
    try:
        errors = [refusal(body) for _ in range(150)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(errors), taken < 40 * 2**20) == (150, True)


def calls_to_decode(body: bytes) -> int:
    """How many functions are called to decode a body."""
    profile = cProfile.Profile()
    profile.runcall(decode, body, Session)
    return sum(entry.callcount for entry in profile.getstats())


def test_many_results_are_linear() -> None:
    """M10: ten times the results cost ten times the work, 10 000 of them included."""
    decode(REFERENCE, Session)
    few, many = (calls_to_decode(encoded(many_results(count))) for count in (1000, 10_000))
    assert 9 < many / few < 11


def test_bad_result_at_the_end() -> None:
    """M10: what is wrong in the last one of 10 000 results is found and named."""
    payload = many_results(10_000)
    payload["results"][-1]["id"] = "x"
    assert problem(encoded(payload)) == "$.results[9999].id is a string, not a UUID"


def test_many_bad_results() -> None:
    """M10: with 10 000 bad results, the message names three of them."""
    payload = many_results(10_000)
    for result in payload["results"]:
        result["title"] = 1
    places = [f"$.results[{index}].title is an integer, not a string" for index in range(3)]
    assert problem(encoded(payload)) == "; ".join(places)


@pytest.mark.parametrize("where", ["documents", "document_refs"])
def test_an_empty_source_as_php_writes_it(where: str) -> None:
    """M4: ``[]`` for an object of which nothing is required is an empty one."""
    session = json.loads(REFERENCE)
    owner = session["documents"][0] if where == "documents" else None
    owner = owner or session["results"][0]["document_refs"][0]
    owner["source"] = []
    read = decode(encoded(session), Session)
    parts = read.documents if where == "documents" else read.results[0].document_refs
    assert parts[0].source == Source()


@attrs.frozen
class Address:
    """A user's own class, frozen and with slots."""

    city: str
    tags: list[str] = attrs.field(factory=list)


@attrs.define
class Supplier:
    """A user's own class, with one of ours in it."""

    name: str
    vat_rate: float
    address: Address | None = None
    found_at: datetime | None = None
    source: Source | None = None
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    notes: Any = None


@dataclass
class Line:
    """A user's own data class."""

    text: str
    amounts: tuple[float, float]
    parts: Optional[dict[str, Address]] = None  # noqa: UP045  (as many still write it)


SUPPLIER = {
    "name": "ACME",
    "vat_rate": 0.19,
    "address": {"city": "Graz", "tags": ["a"]},
    "found_at": "2024-01-15T10:30:00Z",
    "source": {"url": "x", "new": 1},
    "settings": {"a": []},
    "notes": [],
}
LINE = {"text": "x", "amounts": [1.5, 2.0], "parts": {"a": {"city": "Graz", "tags": []}}}
CONVERTERS = pytest.mark.parametrize("ours", [converter, converter.copy()], ids=["ours", "a copy"])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_converter_pickles_as_its_name(protocol: int) -> None:
    """The pickled converter is the global one of the process that loads it."""
    assert pickle.loads(pickle.dumps(converter, protocol)) is converter


def test_a_copy_of_the_converter_does_not_pickle() -> None:
    """Hooks of a copy could not follow it into another process, so it refuses to go there."""
    with pytest.raises(TypeError, match=r"^a copy of the converter cannot be pickled; make it in "):
        pickle.dumps(converter.copy())


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_are_independent(duplicate: Callable[[ModelConverter], ModelConverter]) -> None:
    """A hook of a copy, by the module `copy` as well, does not reach the converter itself."""
    ours = duplicate(converter)
    ours.register_structure_hook(int, lambda value, _: int(value))
    assert ours.structure("1", int) == 1
    with pytest.raises(APIResponseValidationError):
        converter.structure("1", int)


@CONVERTERS
@pytest.mark.parametrize(("kind", "wire"), [(Supplier, SUPPLIER), (Line, LINE)])
def test_users_own_classes(ours: ModelConverter, kind: Any, wire: Json) -> None:
    """A user's own attrs class or data class is read and written, by copies, too."""
    read = ours.structure(wire, kind)
    assert (type(read), json.loads(ours.dumps(read))) == (kind, wire)
    assert ours.loads(ours.dumps(read), kind) == read


@CONVERTERS
def test_a_copy_reads_sessions(ours: ModelConverter) -> None:
    """A copy of the converter reads and writes sessions as the converter does."""
    session = ours.loads(encoded(ODD_SESSION), Session)
    assert (session, ours.unstructure(session)) == (
        decode(encoded(ODD_SESSION), Session),
        ODD_SESSION,
    )


def test_php_spellings_for_users_own_classes() -> None:
    """M4: PHP's ``[]`` is an empty mapping where one is asked for, and stays itself elsewhere."""
    read = converter.structure({**SUPPLIER, "settings": [], "notes": []}, Supplier)
    assert (read.settings, read.notes) == ({}, [])


def test_integral_numbers_for_floats() -> None:
    """An integer is read where a user's own class has a float, as JSON does not tell them apart."""
    assert repr(converter.structure({"name": "x", "vat_rate": 20}, Supplier).vat_rate) == "20.0"


@CONVERTERS
@pytest.mark.parametrize(
    ("kind", "wire", "words"),
    [
        (Supplier, {**SUPPLIER, "name": None}, "$.name is null, not a string"),
        (Supplier, {"name": "x"}, "$.vat_rate is missing"),
        (
            Supplier,
            {**SUPPLIER, "address": {"city": 1}},
            "$.address.city is an integer, not a string",
        ),
        (Supplier, {**SUPPLIER, "address": "x"}, "$.address is a string, not an object"),
        (Supplier, {**SUPPLIER, "address": []}, "$.address.city is missing"),
        (
            Supplier,
            {**SUPPLIER, "address": {"city": "x", "tags": "abc"}},
            "$.address.tags is a string, not an array",
        ),
        (
            Supplier,
            {**SUPPLIER, "source": {"url": 1}},
            "$.source.url is an integer, not a string",
        ),
        (Supplier, "x", "$ is a string, not an object"),
        (Line, {"text": 1, "amounts": [1, 2]}, "$.text is an integer, not a string"),
        (Line, {"amounts": [1, 2]}, "$.text is missing"),
        (Line, {**LINE, "parts": "x"}, "$.parts is a string, not an object"),
        (list[Line], [LINE, {**LINE, "text": 1}], "$[1].text is an integer, not a string"),
        (list[str], "abc", "$ is a string, not an array"),
        (set[str], "abc", "$ is a string, not an array"),
        (dict[str, int], [1], "$ is an array, not an object"),
    ],
)
def test_users_own_classes_are_read_strictly(
    ours: ModelConverter, kind: Any, wire: Json, words: str
) -> None:
    """What does not fit a user's own class is refused by its path, as for the models."""
    with pytest.raises(APIResponseValidationError) as caught:
        ours.structure(wire, kind)
    assert caught.value.message == f"the body is not as documented: {words}"


def test_keys_that_a_user_renames() -> None:
    """A key that the user's own hook renames is named as JSON has it."""
    ours = converter.copy()
    hook = make_dict_structure_fn(Address, ours, city=override(rename="cityName"))
    ours.register_structure_hook(Address, hook)
    assert ours.structure({"cityName": "Graz"}, Address) == Address("Graz")
    for wire, words in [({}, r"\$\.cityName is missing"), ({"cityName": 1}, r"\$ is an integer")]:
        with pytest.raises(APIResponseValidationError, match=words):
            ours.loads(encoded(wire), Address)


def test_every_reader_of_a_mapping_is_strict() -> None:
    """A mapping is read strictly also if a reader of it was made before, as for a field."""
    ours = converter.copy()
    ours.get_structure_hook(dict[str, int], cache_result=False)
    with pytest.raises(APIResponseValidationError, match=r"\$ is an array, not an object"):
        ours.structure([1], dict[str, int])


def test_other_unions_and_tuples() -> None:
    """Types that no model has are left to cattrs, values of the tuple's types included."""
    kind: Any = tuple[int, str]
    assert converter.structure([1, "x"], kind) == (1, "x")
    maybe: Any = int | str | None
    assert [converter.structure(value, maybe) for value in (None, 1, "x")] == [None, 1, "x"]


def test_the_values_of_a_mapping_are_read_strictly() -> None:
    """The type of a mapping's values is the user's, and no value is coerced."""
    ours = converter.copy()  # which has no reader for it yet
    assert ours.structure({"a": 1}, dict[str, int]) == {"a": 1}
    with pytest.raises(APIResponseValidationError):
        ours.structure({"a": "1"}, dict[str, int])


def test_each_thread_reads_odd_spellings() -> None:
    """Odd spellings are remembered in every thread, not only in the one that imported us."""
    wire = json.loads(GUIDE) | {"settings": []}
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(converter.structure, wire, Session).result()
    assert converter.unstructure(session)["settings"] == []


def test_a_field_that_was_set_since_is_written() -> None:
    """A field that the reply left out, and that was set afterwards, is written at the end."""
    session = attrs.evolve(decode(GUIDE, Session), status=SessionStatus.FAILED)
    assert list(converter.unstructure(session).items())[-1] == ("status", "failed")


def test_an_unknown_key_that_was_taken_out_is_not_written() -> None:
    """What is no longer in `extra` is not written, and no field takes its place."""
    wire = json.loads(GUIDE) | {"new": 1}
    session = converter.structure(wire, Session)
    assert converter.unstructure(attrs.evolve(session, extra={})) == json.loads(GUIDE)


def test_an_older_spelling_keeps_its_place() -> None:
    """A key in its older spelling is written under it, where it was."""
    wire = {"id": str(UUID(int=1)), "mime_type": "a/b", "filename": "f", "status": "ready"}
    ours = converter.copy()
    assert list(ours.unstructure(ours.structure(wire, Document))) == list(wire)


def test_a_model_that_is_no_object() -> None:
    """The message names the place of a model that is no object, and its type."""
    wire = json.loads(GUIDE) | {"documents": ["secret"]}
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, Session)
    assert caught.value.message == (
        "the body is not as documented: $.documents[0] is a string, not an object"
    )


def test_odd_spellings_outside_of_a_model() -> None:
    """A time or an id that no model holds is read, and its spelling is forgotten."""
    workspace: Any = AnyId
    moment = converter.structure("2024-01-15T10:30:00.000000Z", datetime)
    assert moment == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert converter.structure(12, workspace) == "12"


Code: TypeAlias = Annotated[str, "in capitals"]


@attrs.frozen
class Coded:
    """A user's class, with a type that has a reader of its own."""

    code: Code


def test_an_annotated_type_has_its_own_reader() -> None:
    """A value of a type that the user has annotated is read, and named, by that type's reader."""
    ours = converter.copy()

    def read(value: Any, _: Any) -> str:
        if value != value.upper():
            raise Mismatch("in capitals", value)
        return str(value)

    ours.register_structure_hook_func(lambda type_: type_ == Code, read)
    assert ours.structure({"code": "A"}, Coded) == Coded("A")
    with pytest.raises(APIResponseValidationError, match=r"\$\.code is a string, not in capitals"):
        ours.structure({"code": "a"}, Coded)


T = TypeVar("T")


@attrs.frozen
class Box(Generic[T]):
    """A user's class that is generic."""

    value: T


def test_a_generic_class() -> None:
    """A generic class of the user's is read strictly, and refused as a whole."""
    ours = converter.copy()
    assert ours.structure({"value": 1}, Box[int]) == Box(1)
    with pytest.raises(APIResponseValidationError, match=r"\$ is a string, not an integer"):
        ours.structure({"value": "1"}, Box[int])


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ([{"city": "Graz"}], (Address("Graz"),)),
        ([], ()),
        ({"city": "Graz"}, Address("Graz")),
    ],
)
def test_an_array_or_an_object(wire: Any, expected: object) -> None:
    """A union of an array and an object is told apart by its JSON."""
    either: Any = tuple[Address, ...] | Address
    assert converter.copy().structure(wire, either) == expected


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        ([{}], "$[0].city is missing"),
        ({}, "$.city is missing"),
        ("SECRET", "$ is a string, not an object"),
        (None, "$ is null, not an object"),
    ],
)
def test_neither_an_array_nor_an_object(wire: Any, problem: str) -> None:
    """The place is one in the array, or in the object, as it came."""
    either: Any = tuple[Address, ...] | Address
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, either)
    assert caught.value.message == f"the body is not as documented: {problem}"


class Extras(TypedDict):
    """A user's own TypedDict."""

    count: int
    tags: NotRequired[list[str]]
    note: Required[str | None]


class Held(TypedDict, Generic[T]):
    """A generic TypedDict."""

    value: T


class Point(msgspec.Struct):
    """A user's own Struct."""

    x: int


class Pair(msgspec.Struct, Generic[T]):
    """A generic Struct."""

    first: T


class Model3(pydantic.BaseModel):
    """A user's own pydantic model."""

    x: int


@pytest.mark.parametrize(
    ("wire", "type_", "expected"),
    [
        ({"count": 1, "note": None}, Extras, {"count": 1, "note": None}),
        ({"value": 3}, Held[int], {"value": 3}),
        ({"x": 3}, Point, Point(3)),
        ({"first": 3}, Pair[int], Pair(3)),
        ({"x": 3}, Model3, Model3(x=3)),
    ],
)
def test_classes_of_other_kinds(wire: Any, type_: Any, expected: object) -> None:
    """TypedDicts, Structs and pydantic models are read as attrs classes are."""
    assert converter.copy().structure(wire, type_) == expected


@pytest.mark.parametrize(
    ("wire", "type_", "problem"),
    [
        ({"count": "SECRET", "note": None}, Extras, "$.count is a string, not an integer"),
        ({"count": 1, "tags": [7], "note": "x"}, Extras, "$.tags[0] is an integer, not a string"),
        ({"count": 1, "note": [7]}, Extras, "$.note is an array, not a string"),
        ({"count": 1}, Extras, "$.note is missing"),
        ({"value": "SECRET"}, Held[int], "$ is a string, not an integer"),
        ({"x": "SECRET"}, Point, "$.x is not valid: expected `int`, got `str`"),
        ({"first": "SECRET"}, Pair[int], "$.first is not valid: expected `int`, got `str`"),
        ({"x": "SECRET"}, Model3, "$.x is not valid: int_parsing"),
    ],
)
def test_classes_of_other_kinds_are_strict(wire: Any, type_: Any, problem: str) -> None:
    """What does not fit them is named by its place, where the class has its own names."""
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, type_)
    assert caught.value.message == f"the body is not as documented: {problem}"


def test_an_empty_optional_field_is_no_problem() -> None:
    """Beside a field that does not fit, ``null`` in an optional one is not named."""
    wire = SUPPLIER | {"address": None, "found_at": None, "name": 7}
    with pytest.raises(APIResponseValidationError) as caught:
        converter.structure(wire, Supplier)
    assert (
        caught.value.message == "the body is not as documented: $.name is an integer, not a string"
    )
