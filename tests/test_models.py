"""The models' fields: documented, frozen, keyword-only, and with the right defaults."""

from enum import StrEnum
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from raydocs_async import (
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
)
from raydocs_async._converter import decode
from raydocs_async._model import WIRE_NAMES
from tests.strategies import REFERENCE
from tests.support.models import AN_ID, MODELS, PARTS, parts


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
    """The enumerations have the documented values, under their own names."""
    assert {each.name: each.value for each in statuses} == {
        value.upper(): value for value in values.split()
    }


def test_parts_are_of_all_models() -> None:
    """The reference has an object of every model."""
    assert [type(part) for part in parts(decode(REFERENCE, Session))] == MODELS


@pytest.mark.parametrize("part", PARTS)
def test_frozen(part: Any) -> None:
    """A field cannot be set."""
    with pytest.raises(FrozenInstanceError):
        part.extra = {}


@pytest.mark.parametrize("part", PARTS)
def test_slotted(part: Any) -> None:
    """A model has no dictionary in which a misspelt field could be set."""
    assert not hasattr(part, "__dict__")


@pytest.mark.parametrize("model", MODELS)
def test_keywords_only(model: type[Any]) -> None:
    """Fields are keyword-only, so that new ones can come anywhere."""
    assert all(each.kw_only for each in attrs.fields(model))


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
    """An optional field is ``None`` by default, or an empty collection."""
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
    """Only the status of a session, and the library's own fields, are optional."""
    optional = attrs.fields_dict(Session)[name].default is not attrs.NOTHING
    assert optional == (name in {"status", "extra", "wire_keys", "wire_values"})


def test_no_shared_defaults() -> None:
    """Two objects do not share their empty mappings."""
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
    """The current spelling of a field comes before the older one."""
    assert attrs.fields_dict(model)[name].metadata[WIRE_NAMES] == spellings


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
    """A session is finished by its status, or without one by those of its results."""
    found = tuple(Result(id=AN_ID, status=each) for each in results)
    session = attrs.evolve(decode(REFERENCE, Session), status=status, results=found)
    assert session.is_finished is finished
