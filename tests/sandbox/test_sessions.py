"""The built-in sessions: like the service's own, and the same every time."""

import re
from typing import Any
from uuid import UUID

import msgspec
import pytest

from raydocs_async.sandbox._sessions import build_session, session_id

REFERENCE_KEYS = {
    "session": (
        "id name extraction_template_id settings status created_at updated_at documents results"
    ),
    "document": (
        "id workspace_id filename mime size sha256 status source_type source_url parsings"
        " created_at"
    ),
    "parsing": "id config_hash status parser_version updated_at",
    "result": (
        "id extraction_session_id status config_hash document_refs data audit_data"
        " created_at updated_at"
    ),
    "reference": ("kind documentId workspaceId filename mime size sha256 source createdAt"),
}
"""The fields of the service's reference, in its order."""


def shape(value: Any) -> Any:
    """The groups and lists of `value`, its fields left out."""
    match value:
        case {"reasoning": str(), "sources": [{"chunk_id": str(), "text": str(), "page": int()}]}:
            return None
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
    return None


@pytest.fixture
def session() -> dict[str, Any]:
    """One built-in session."""
    return build_session(session_id(0))


def test_ids_differ() -> None:
    """Each index has an id of its own, a UUID."""
    ids = [session_id(index) for index in range(1000)]
    assert len(set(ids)) == 1000
    assert all(str(UUID(id_)) == id_ for id_ in ids)


def test_ids_are_stable() -> None:
    """An index keeps its id from one release to the next."""
    assert session_id(0) == "57e53be9-2a0f-5f16-b0ab-4a868c897d59"


def test_same_every_time() -> None:
    """An id determines its session."""
    assert build_session(session_id(7)) == build_session(session_id(7))


def test_differ() -> None:
    """Two sessions share no document, result or name of a file."""
    first, second = build_session(session_id(1)), build_session(session_id(2))
    for key in ("documents", "results"):
        assert not {item["id"] for item in first[key]} & {item["id"] for item in second[key]}


def test_no_uuid() -> None:
    """What is no UUID has no session."""
    with pytest.raises(ValueError, match="UUID"):
        build_session("nonsense")


@pytest.mark.parametrize("index", range(5))
def test_size(index: int) -> None:
    """A session is about 8 kB of JSON."""
    assert 7_500 < len(msgspec.json.encode(build_session(session_id(index)))) < 8_700


def test_fields(session: dict[str, Any]) -> None:
    """Each object has the fields of the service's reference, in its order."""
    document, result = session["documents"][0], session["results"][0]
    objects = {
        "session": session,
        "document": document,
        "parsing": document["parsings"][0],
        "result": result,
        "reference": result["document_refs"][0],
    }
    assert {name: " ".join(item) for name, item in objects.items()} == REFERENCE_KEYS


def test_counts(session: dict[str, Any]) -> None:
    """There are three documents, each parsed, and two results."""
    assert len(session["documents"]) == 3
    assert [len(document["parsings"]) for document in session["documents"]] == [1, 2, 1]
    assert len(session["results"]) == 2


def test_finished(session: dict[str, Any]) -> None:
    """Everything is done."""
    parsings = [parsing for document in session["documents"] for parsing in document["parsings"]]
    assert {item["status"] for item in [*session["documents"], *parsings]} == {"ready"}
    assert {item["status"] for item in [session, *session["results"]]} == {"completed"}


def test_references(session: dict[str, Any]) -> None:
    """The results refer to the session's own documents, each to be found by its id."""
    references = [ref for result in session["results"] for ref in result["document_refs"]]
    documents = {document["id"]: document for document in session["documents"]}
    assert [ref["documentId"] for ref in references] == list(documents)
    assert all(ref["sha256"] == documents[ref["documentId"]]["sha256"] for ref in references)
    assert {result["extraction_session_id"] for result in session["results"]} == {session["id"]}


def test_audit_mirrors_data(session: dict[str, Any]) -> None:
    """The audit has the data's groups and lists, with a reasoning and sources at each field."""
    for result in session["results"]:
        assert shape(result["audit_data"]) == shape(result["data"])
        assert list(result["audit_data"]["invoice"]["total"]) == ["reasoning", "sources"]


def test_times(session: dict[str, Any]) -> None:
    """Times are in Laravel's form, and in the order in which things happen."""
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z"
    assert re.fullmatch(pattern, session["created_at"])
    assert session["created_at"] < session["results"][0]["created_at"] < session["updated_at"]
