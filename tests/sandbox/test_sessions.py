"""The built-in sessions: like the service's own, and the same every time."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import pytest

from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._schedule import Stage
from raydocs_async.sandbox._sessions import build_document, build_session

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
        case {
            "reasoning": str(),
            "sources": [{"chunk_id": str(), "text": str(), "page": int()}, *_],
        }:
            return None
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
    return None


OF_RESULT = {0: (0, 1), 1: (2,)}
"""The numbers of each result's documents."""


def sources(audit: Any) -> Iterator[dict[str, Any]]:
    """All sources in an audit."""
    match audit:
        case {"sources": list(found)}:
            yield from found
        case dict():
            for item in audit.values():
                yield from sources(item)
        case _:
            assert isinstance(audit, list)
            for item in audit:
                yield from sources(item)


@pytest.fixture
def session() -> dict[str, Any]:
    """One built-in session."""
    return build_session(session_id(0))


def test_same_every_time() -> None:
    """An id determines its session."""
    assert build_session(session_id(7)) == build_session(session_id(7))


def test_differ() -> None:
    """Two sessions share no document, result or name of a file."""
    first, second = build_session(session_id(1)), build_session(session_id(2))
    for key in ("documents", "results"):
        assert not {item["id"] for item in first[key]} & {item["id"] for item in second[key]}


def test_no_uuid() -> None:
    """An invalid id has no session."""
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


@pytest.mark.parametrize("index", range(4))
def test_sources_stand_in_chunks(index: int) -> None:
    """Each source's text stands in its chunk, on its page, in a document of the result."""
    session = build_session(session_id(index))
    for number, result in enumerate(session["results"]):
        documents = [build_document(UUID(session["id"]), n) for n in OF_RESULT[number]]
        assert [ref["documentId"] for ref in result["document_refs"]] == [
            str(document.id) for document in documents
        ]
        chunks = {
            document.chunk_id(n): chunk
            for document in documents
            for n, chunk in enumerate(document.chunks)
        }
        for source in sources(result["audit_data"]):
            chunk = chunks[source["chunk_id"]]
            assert source["text"] in chunk.text
            assert source["page"] == chunk.page


def test_sources_print_the_value(session: dict[str, Any]) -> None:
    """A source's text has the extracted value in it."""
    result = session["results"][0]
    total, record = result["data"]["invoice"]["total"], result["audit_data"]["invoice"]["total"]
    assert record["sources"][0]["text"] == f"Total: {total}"
    second, record = result["data"]["lines"][1], result["audit_data"]["lines"][1]["amount"]
    assert record["sources"][0]["text"] == f"{second['description']} | {second['amount']}"


def test_files(session: dict[str, Any]) -> None:
    """Size and digest of a document are those of its file."""
    for number, document in enumerate(session["documents"]):
        built = build_document(UUID(session["id"]), number)
        assert (str(built.id), built.filename) == (document["id"], document["filename"])
        assert len(built.file) == document["size"]
        assert hashlib.sha256(built.file).hexdigest() == document["sha256"]


def test_files_hold_the_chunks(session: dict[str, Any]) -> None:
    """Each page of a file shows the texts of the chunks on that page."""
    for number in range(3):
        built = build_document(UUID(session["id"]), number)
        pages = built.file.split(b"BT ")[1:]
        for chunk in built.chunks:
            for block in chunk.blocks:
                shown = block.text.replace("Ō", "\x01").encode("cp1252")
                assert b"(%b)Tj" % shown in pages[chunk.page - 1]


@pytest.mark.parametrize("stage", Stage)
def test_stages(stage: Stage) -> None:
    """A session at a stage has that stage's statuses, and results only when it is finished."""
    session = build_session(session_id(0), stage)
    parsings = [parsing for document in session["documents"] for parsing in document["parsings"]]
    assert session["status"] == stage.session
    assert {each["status"] for each in session["documents"]} == {stage.document}
    assert {each["status"] for each in parsings} == {stage.parsing}
    assert {each["status"] for each in session["results"]} == {stage.result}
    filled = {
        each[key] is not None for each in session["results"] for key in ("data", "audit_data")
    }
    assert filled == {stage is Stage.FINISHED}


def test_stages_change_nothing_else() -> None:
    """A session keeps its ids, files and times through all stages."""
    changing = {"status", "data", "audit_data"}

    def rest(value: Any) -> Any:
        match value:
            case dict():
                return {key: rest(item) for key, item in value.items() if key not in changing}
            case list():
                return [rest(item) for item in value]
        return value

    first, *others = (rest(build_session(session_id(0), stage)) for stage in Stage)
    assert others == [first] * 3


def test_times(session: dict[str, Any]) -> None:
    """Times are in Laravel's form, and in the order in which things happen."""
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000Z"
    assert re.fullmatch(pattern, session["created_at"])
    assert session["created_at"] < session["results"][0]["created_at"] < session["updated_at"]
