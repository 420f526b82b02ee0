"""The models as values: frozen, comparable, to be kept and sent elsewhere, silent about content."""

import copy
import json
import pickle
import sqlite3
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from types import NoneType
from typing import Any
from uuid import UUID

import attrs
import msgspec
import pytest
from attrs import frozen
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings

from raydocs_async import (
    APIResponseValidationError,
    Block,
    Chunk,
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
from raydocs_async._converter import decode
from raydocs_async._model import WIRE_NAMES
from raydocs_async.testing import build_session
from tests.strategies import GUIDE, ODD_SESSION, REFERENCE, encoded, sessions, varied

MODELS = [Session, Document, Parsing, Result, DocumentRef, Source]
AN_ID = UUID("770e8400-e29b-41d4-a716-446655440000")


def parts(session: Session) -> list[Any]:
    """The session, and one of everything in it."""
    document, result = session.documents[0], session.results[0]
    ref = result.document_refs[0]
    return [session, document, document.parsings[0], result, ref, ref.source]


def spelling(part: Any) -> tuple[Any, ...]:
    """What a model remembers of the JSON that it was read from."""
    return (part.wire_keys, part.wire_values)


PARTS = [pytest.param(part, id=type(part).__name__) for part in parts(decode(REFERENCE, Session))]


@pytest.mark.parametrize(
    ("statuses", "values"),
    [
        (SessionStatus, "pending processing completed failed"),
        (
            DocumentStatus,
            "uploaded queued pending parsing parsed processing processed ready failed",
        ),
        (ParsingStatus, "queued processing ready failed"),
        (ResultStatus, "created pending parsing_pending processing completed failed"),
    ],
)
def test_statuses(statuses: type[StrEnum], values: str) -> None:
    """The enumerations have the documented values, named as they read."""
    assert {each.name: each.value for each in statuses} == {
        value.upper(): value for value in values.split()
    }


def test_parts_are_of_all_models() -> None:
    """The reference has one of every model."""
    assert [type(part) for part in parts(decode(REFERENCE, Session))] == MODELS


@pytest.mark.parametrize("part", PARTS)
def test_frozen(part: Any) -> None:
    """A field cannot be set."""
    with pytest.raises(FrozenInstanceError):
        part.extra = {}


@pytest.mark.parametrize("part", PARTS)
def test_slotted(part: Any) -> None:
    """There is no dictionary in which a misspelt field could be set."""
    assert not hasattr(part, "__dict__")


@pytest.mark.parametrize("model", MODELS)
def test_keywords_only(model: type[Any]) -> None:
    """Fields are given by name, so that new ones can come anywhere."""
    assert all(each.kw_only for each in attrs.fields(model))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("part", PARTS)
def test_pickle(part: Any, protocol: int) -> None:
    """Every model goes through pickle and comes back equal, its spelling included."""
    back = pickle.loads(pickle.dumps(part, protocol))
    assert (back, spelling(back)) == (part, spelling(part))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("part", PARTS)
def test_copy(part: Any, duplicate: Any) -> None:
    """Every model copies, shallowly and deeply, its spelling included."""
    back = duplicate(part)
    assert (back, spelling(back)) == (part, spelling(part))


def pickled(value: Any) -> Any:
    """The value, from its pickle."""
    return pickle.loads(pickle.dumps(value))


def respelled(session: Session) -> Session:
    """The session without its memory of how values were spelled."""
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
    """M4 M6 M8 M9: a copy of whatever kind is written as the reply was, value for value."""
    session = decode(encoded(ODD_SESSION), Session)
    assert json.loads(converter.dumps(duplicate(session))) == ODD_SESSION


def test_how_a_reply_was_spelled_makes_no_difference() -> None:
    """Two objects whose values were spelled differently are equal, hash and all."""
    odd = decode(encoded(ODD_SESSION), Session)
    usual = decode(converter.dumps(respelled(odd)), Session)
    assert (odd, hash(odd)) == (usual, hash(usual))


def kinds(value: Any) -> set[type]:
    """The exact types of a value and of everything in it."""
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
    """M4 M6 M8 M9: however it was spelled, a value is of a built-in type, no subclass of one."""
    assert kinds(decode(encoded(ODD_SESSION), Session)) <= {*PLAIN, *STATUSES, *MODELS}


@given(sessions)
@settings(deadline=None)
def test_values_of_any_session_are_plain(payload: Any) -> None:
    """The values of any session are of built-in types, members of statuses apart."""
    assert kinds(decode(encoded(payload), Session)) <= {*PLAIN, *STATUSES, *MODELS}


@pytest.mark.parametrize("write", [msgspec.json.encode, pickle.dumps])
def test_other_libraries_write_the_values(write: Any) -> None:
    """Libraries that dispatch by exact type take a session as attrs takes it apart."""
    assert write(attrs.asdict(decode(encoded(ODD_SESSION), Session)))


@pytest.mark.parametrize("value", ["12", SessionStatus.FAILED])
def test_a_database_takes_the_values(value: str) -> None:
    """sqlite3, which adapts by type, takes ids and statuses as text."""
    document = decode(encoded(ODD_SESSION), Session).documents[0]
    read = {"12": document.workspace_id, SessionStatus.FAILED: SessionStatus.FAILED}[value]
    with closing(sqlite3.connect(":memory:")) as database:
        assert database.execute("select ?, typeof(?)", (read, read)).fetchone() == (value, "text")


@given(sessions)
@settings(deadline=None)
def test_any_session_is_hashable(payload: Any) -> None:
    """Two readings of one reply are equal, and equal in their hash."""
    first, second = (decode(encoded(payload), Session) for _ in range(2))
    assert (first, hash(first)) == (second, hash(second))


@pytest.mark.parametrize("part", PARTS)
def test_equality_is_by_type(part: Any) -> None:
    """An object equals no tuple of its values, and no object of another model."""
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
    """One field that differs makes two objects unequal, free-form ones included."""
    session = decode(REFERENCE, Session)
    assert attrs.evolve(session, **{name: value}) != session


def test_wire_keys_do_not_matter() -> None:
    """How the reply was spelled and ordered makes no difference between two objects."""
    session = decode(GUIDE, Session)
    assert attrs.evolve(session, wire_keys=()) == session


def test_integer_workspace() -> None:
    """M8: an id that came as a number equals the one that came as a string, hash and all."""
    documents = {
        decode(varied(("documents", 0), {"workspace_id": value}), Session).documents[0]
        for value in (12, "12")
    }
    assert len(documents) == 1


DEFAULTS = [
    pytest.param(Source, {}, "type url", id="Source"),
    pytest.param(
        DocumentRef,
        {"document_id": AN_ID},
        "kind workspace_id filename mime size sha256 source created_at",
        id="DocumentRef",
    ),
    pytest.param(
        Parsing,
        {"id": AN_ID, "status": "ready"},
        "config_hash parser_version updated_at",
        id="Parsing",
    ),
    pytest.param(
        Document,
        {"id": AN_ID, "filename": "a.pdf", "status": "ready"},
        "workspace_id mime size sha256 source_type source_url source extraction_session_id "
        "created_at",
        id="Document",
    ),
    pytest.param(
        Result,
        {"id": AN_ID, "status": "created"},
        "title extraction_session_id config_hash data audit_data created_at updated_at "
        "completed_at",
        id="Result",
    ),
]
"""Each model, what it asks for, and the fields that are ``None`` without being given."""


@pytest.mark.parametrize(("model", "required", "nothing"), DEFAULTS)
def test_defaults(model: type[Any], required: dict[str, Any], nothing: str) -> None:
    """What a reply may leave out is ``None``, or empty where it is a collection."""
    values = attrs.asdict(model(**required), recurse=False)
    collections: dict[str, Any] = {
        "extra": {},
        "wire_keys": (),
        "wire_values": (),
        "meta": {},
        "parsings": (),
        "document_refs": (),
    }
    expected = {**required, **dict.fromkeys(nothing.split())}
    expected |= {name: empty for name, empty in collections.items() if name in values}
    assert values == expected


@pytest.mark.parametrize("name", sorted(each.name for each in attrs.fields(Session)))
def test_what_a_session_asks_for(name: str) -> None:
    """Of a session only the status, and what the library keeps itself, may be left out."""
    optional = attrs.fields_dict(Session)[name].default is not attrs.NOTHING
    assert optional == (name in {"status", "extra", "wire_keys", "wire_values"})


def test_no_shared_defaults() -> None:
    """Two objects do not share the mapping that they are empty of."""
    first, second = Source(), Source()
    assert first.extra is not second.extra


@pytest.mark.parametrize(
    ("model", "name", "spellings"),
    [
        (Document, "mime", ("mime", "mime_type")),
        (Result, "audit_data", ("audit_data", "reasoning")),
        (DocumentRef, "kind", ("kind", "type")),
        (DocumentRef, "document_id", ("documentId",)),
        (DocumentRef, "workspace_id", ("workspaceId",)),
        (DocumentRef, "created_at", ("createdAt",)),
    ],
)
def test_spellings(model: type[Any], name: str, spellings: tuple[str, ...]) -> None:
    """The current spelling of a field comes first, the older one after it."""
    assert attrs.fields_dict(model)[name].metadata[WIRE_NAMES] == spellings


def test_repr() -> None:
    """A ``repr`` tells what it is and how far, and counts what is in it."""
    assert repr(decode(GUIDE, Session)) == (
        "Session(id=UUID('770e8400-e29b-41d4-a716-446655440000'), name='Q1 2024 Invoices', "
        "documents=<1>, results=<1>, status=None)"
    )


@pytest.mark.parametrize("part", PARTS)
def test_repr_does_not_show_content(part: Any) -> None:
    """S4: what was extracted, where it came from and what is not known is in no ``repr``."""
    marked = {
        name: "MARKER"
        for name in ("extra", "settings", "meta", "data", "audit_data", "url", "source_url")
        if name in attrs.fields_dict(type(part))
    }
    assert "MARKER" not in repr(attrs.evolve(part, **marked))


@pytest.mark.parametrize(
    ("status", "results", "finished"),
    [
        ("completed", [], True),
        ("failed", [], True),
        ("processing", ["completed"], False),
        ("something new", ["completed"], False),
        (None, [], False),
        (None, ["completed", "failed"], True),
        (None, ["completed", "processing"], False),
        (None, ["something new"], False),
    ],
)
def test_finished(status: str | None, results: list[str], finished: bool) -> None:
    """By its status; without one, when there are results and all of them are finished."""
    found = tuple(Result(id=AN_ID, status=each) for each in results)
    session = attrs.evolve(decode(REFERENCE, Session), status=status, results=found)
    assert session.is_finished is finished


def test_a_notebook_shows_a_small_table() -> None:
    """The extracted values come first, then documents and results with their status."""
    built = build_session(
        AN_ID,
        data=[{"total": "<12>"}],
        name="<b>Q3</b>",
        documents=[{"id": str(AN_ID), "filename": "a&b.pdf", "status": "ready"}],
    )
    assert built._repr_html_() == (
        "<table><caption>&lt;b&gt;Q3&lt;/b&gt;: completed</caption>"
        f"<tr><th></th><th>{AN_ID}</th><th>status or page</th></tr>"
        "<tr><td>total</td><td>&lt;12&gt;</td><td></td></tr>"
        "<tr><td>document</td><td>a&amp;b.pdf</td><td>ready</td></tr>"
        f"<tr><td>result</td><td>{built.results[0].id}</td><td>completed</td></tr></table>"
    )


def test_a_notebook_shows_a_results_values() -> None:
    """Each value with its name and the page that it was read from."""
    audit = {"total": {"sources": [{"text": "12"}, {"page": 2}]}}
    result = Result(
        id=AN_ID, status="completed", data={"total": 12, "paid": None}, audit_data=audit
    )
    assert result._repr_html_() == (
        f"<table><caption>result</caption><tr><th></th><th>{AN_ID}</th><th>page</th></tr>"
        "<tr><td>total</td><td>12</td><td>2</td></tr>"
        "<tr><td>paid</td><td></td><td></td></tr></table>"
    )
    assert "<td>value</td><td>7</td>" in attrs.evolve(result, data=7)._repr_html_()


def test_a_notebooks_table_stays_small() -> None:
    """Of many results, the first ones are shown, and how many more there are."""
    html = build_session(data=[None] * 10_000, status=None)._repr_html_()
    assert html.count("<td>result</td>") == 20
    assert "<td>… and 9980 more</td>" in html


def test_a_session_without_a_status_in_a_notebook() -> None:
    """Its caption is its name alone."""
    html = build_session(status=None, name="Q3", documents=[], data=[])._repr_html_()
    assert "<caption>Q3</caption>" in html


def test_a_session_prints_short() -> None:
    """Its `repr` counts documents and results instead of printing them."""
    assert len(repr(build_session(data=[{"wall": "of text" * 1000}] * 50))) < 200


@pytest.mark.parametrize(
    ("data", "shown"),
    [({"a": 1, "b": 2}, "<2 keys>"), ([1], "<1 items>"), (None, "None"), ("x", "<str>")],
)
def test_a_result_prints_how_much_data_it_has(data: Any, shown: str) -> None:
    """Its `repr` leads to `data`, and shows nothing of it."""
    (result,) = build_session(data=[data]).results
    assert f", data={shown}" in repr(result)


@frozen
class Invoice:
    """A user's own class."""

    total: float
    lines: tuple[str, ...] = ()


class Point(msgspec.Struct):
    """A user's own Struct, whose reader needs to know the class."""

    x: int


@frozen
class Nested:
    """A user's own class that holds its like."""

    inner: "Nested | None" = None


def with_data(data: Any) -> Result:
    """A result with that data."""
    return Result(id=UUID(int=1), status=ResultStatus.COMPLETED, data=data)


def test_data_as_a_class_of_ones_own() -> None:
    """The data of a result is read as the class that the caller names."""
    assert with_data({"total": 12, "lines": ["a"]}).data_as(Invoice) == Invoice(12.0, ("a",))
    assert with_data([{"total": 1.5}]).data_as(list[Invoice]) == [Invoice(1.5)]
    assert with_data({"x": 1}).data_as(Point) == Point(1)


@pytest.mark.parametrize(
    ("data", "type_", "message"),
    [
        ({"total": "x"}, Invoice, "Invoice: $.data.total is a string, not a number that a float"),
        ({}, Invoice, "Invoice: $.data.total is missing"),
        (None, Invoice, "Invoice: $.data is null, not an object"),
        ([{}], list[Invoice], f"list[{__name__}.Invoice]: $.data[0].total is missing"),
        ("x", int | None, "int | None: $.data is a string, not an integer"),
        ({"inner": {"inner": 7}}, Nested, "Nested: $.data.inner.inner is an integer, not"),
    ],
)
def test_data_that_does_not_fit(data: Any, type_: Any, message: str) -> None:
    """The error names the class and the place, and no value."""
    with pytest.raises(APIResponseValidationError) as caught:
        with_data(data).data_as(type_)
    assert caught.value.message.startswith(f"the result's data does not fit {message}")


def test_data_that_is_too_deep() -> None:
    """Data that is nested too deeply for a class is refused as that."""
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"inner": deep}
    with pytest.raises(APIResponseValidationError, match=r"\$\.data is nested too deeply"):
        with_data(deep).data_as(Nested)


# -- chunks ------------------------------------------------------------------------------------

NEWEST = {
    "id": str(AN_ID),
    "document_id": str(UUID(int=2)),
    "chunk_index": 4,
    "blocks": [
        {"block_id": "b1", "type": "heading", "content": "Invoice", "page_ref": 2, "meta": []},
        {
            "block_id": 7,
            "type": "table_row",
            "content": "Total 12.50",
            "page_ref": "1",
            "meta": {"table_row": {"cells": ["Total", "12.50"]}},
        },
        {"block_id": None, "type": "figure", "content": None, "page_ref": {"a": 1}, "new": 1},
    ],
}
OLDER = {
    "id": str(AN_ID),
    "document_id": str(UUID(int=2)),
    "chunk_index": 0,
    "content": "Total 12.50",
    "page_numbers": [2, 1],
    "token_count": 120,
}
OLDEST = {
    "id": str(AN_ID),
    "content": "Total 12.50",
    "page_number": 3,
    "chunk_index": 0,
    "metadata": {"lang": "en"},
}


@pytest.mark.parametrize(
    ("wire", "text", "pages"),
    [
        (NEWEST, "Invoice\nTotal 12.50", (1, 2)),
        (OLDER, "Total 12.50", (1, 2)),
        (OLDEST, "Total 12.50", (3,)),
        ({"id": str(AN_ID)}, "", ()),
        ({"id": str(AN_ID), "blocks": None, "page_numbers": None, "metadata": []}, "", ()),
    ],
    ids=["newest", "older", "oldest", "bare", "empty"],
)
def test_every_shape_of_a_chunk(wire: Any, text: str, pages: tuple[int, ...]) -> None:
    """Text and pages are the same for all shapes, and each is written as it was read."""
    chunk = converter.structure(wire, Chunk)
    assert (chunk.text, chunk.pages) == (text, pages)
    assert converter.unstructure(chunk) == wire


@pytest.mark.parametrize(
    ("page_ref", "page"),
    [
        (3, 3),
        ("3", 3),
        (None, None),
        ("p. 3", None),
        (True, None),
        (-1, None),
        (999_999_999, 999_999_999),
        ("1" + 9 * "0", None),
        ("9" * 5000, None),  # Python refuses to convert it
    ],
)
def test_the_page_of_a_block(page_ref: Any, page: int | None) -> None:
    """A page that is a number in whatever spelling; anything else is kept, and is no page."""
    assert Block(page_ref=page_ref).page == page


def test_a_chunk_shows_no_text() -> None:
    """S4: the ``repr`` of a chunk has nothing of the document."""
    assert repr(converter.structure(NEWEST, Chunk)) == (
        f"Chunk(id={AN_ID!r}, document_id={UUID(int=2)!r}, index=4, blocks=<3>)"
    )
