"""The built-in sessions, each computed from its id alone.

The same id gives the same session in every process and on every machine, so a test can compare a
reply with `build_session`. Names and order of the fields are those of the API's reference; times
have Laravel's form. What the audit quotes stands in the chunks, and in the files, of the documents.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from attrs import Factory, field, frozen

from raydocs_async.sandbox._ids import NAMESPACE, part_ids
from raydocs_async.sandbox._invoices import Chunk, Field, build_invoice, print_invoice
from raydocs_async.sandbox._pdf import build_pdf
from raydocs_async.sandbox._schedule import Stage

_EPOCH = datetime(2026, 1, 1, 8, tzinfo=UTC)
_WORKSPACE = 123

_PARTS = ((0, 0, 2), (0, 1, 2), (1, 0, 1))
"""For each document: the number of its result, its place among the result's documents, and their
number."""


@frozen
class BuiltDocument:
    """A document of a built-in session, with its content."""

    id: UUID
    filename: str
    chunks: Sequence[Chunk]
    file: bytes = field(init=False, default=Factory(lambda self: _print(self.chunks), True))
    """The document as a PDF."""

    def chunk_id(self, index: int) -> str:
        """Return the id of the chunk number `index`, counted from 0."""
        return str(uuid5(self.id, f"chunk-{index}"))


def build_session(session_id: str, stage: Stage = Stage.FINISHED) -> dict[str, Any]:
    """Return a session of about 8 kB of JSON, with 3 documents and 2 results.

    Args:
        session_id: A UUID in its usual form; it determines everything but the progress.
        stage: The progress of its documents and results.

    Raises:
        ValueError: `session_id` is not a UUID.
    """
    root = UUID(session_id)
    invoices = _build_invoices(root)
    built = [_build_document(root, number, invoices) for number in range(len(_PARTS))]
    documents = [_document(root, number, each, stage) for number, each in enumerate(built)]
    results = []
    for number, data in enumerate(invoices):
        own = [index for index, (result, *_) in enumerate(_PARTS) if result == number]
        # A document's chunks lead to the audit, so the documents are built before the results.
        result = _result(root, number, stage)
        result["document_refs"] = [_reference(documents[index]) for index in own]
        if stage is Stage.FINISHED:
            result["data"] = data
            result["audit_data"] = _audit(data, _sources(built[index] for index in own))
        results.append(result)
    return {
        "id": session_id,
        "name": f"Invoices {root.int % 1000:03d}",
        "extraction_template_id": str(uuid5(NAMESPACE, f"template-{root.int % 7}")),
        "settings": {"language": "en", "page_range": None, "reasoning": True},
        "status": stage.session,
        "created_at": _time(root, 0),
        "updated_at": _time(root, 95),
        "documents": documents,
        "results": results,
    }


def build_document(session: UUID, number: int) -> BuiltDocument:
    """Return a document of the built-in session with id `session`, counted from 0."""
    return _build_document(session, number, _build_invoices(session))


def _build_invoices(root: UUID) -> list[dict[str, Any]]:
    return [build_invoice(uuid5(root, f"result-{number}")) for number in range(2)]


def _build_document(
    root: UUID, number: int, invoices: Sequence[Mapping[str, Any]]
) -> BuiltDocument:
    result, part, parts = _PARTS[number]
    filename = f"invoice-{root.int % 9973:04d}-{number + 1}.pdf"
    chunks = print_invoice(invoices[result], filename, part, parts)
    return BuiltDocument(part_ids(root, "documents")[number], filename, chunks)


def _print(chunks: Iterable[Chunk]) -> bytes:
    pages: dict[int, list[str]] = {}
    for chunk in chunks:
        pages.setdefault(chunk.page, []).extend(block.text for block in chunk.blocks)
    return build_pdf([pages.get(number, []) for number in range(1, max(pages) + 1)])


def _document(root: UUID, number: int, built: BuiltDocument, stage: Stage) -> dict[str, Any]:
    return {
        "id": str(built.id),
        "workspace_id": _WORKSPACE,
        "filename": built.filename,
        "mime": "application/pdf",
        "size": len(built.file),
        "sha256": hashlib.sha256(built.file).hexdigest(),
        "status": stage.document,
        "source_type": "upload",
        "source_url": f"https://files.example.com/uploads/{built.id}",
        "parsings": [_parsing(root, number, attempt, stage) for attempt in range(1 + number % 2)],
        "created_at": _time(root, 1 + number),
    }


def _parsing(root: UUID, number: int, attempt: int, stage: Stage) -> dict[str, Any]:
    parsing_id = uuid5(root, f"parsing-{number}-{attempt}")
    return {
        "id": str(parsing_id),
        "config_hash": parsing_id.hex,
        "status": stage.parsing,
        "parser_version": f"2.{attempt}.0",
        "updated_at": _time(root, 30 + 5 * number + attempt),
    }


def _result(root: UUID, number: int, stage: Stage) -> dict[str, Any]:
    """Return a result, as yet without documents and data, but with its fields in their order."""
    return {
        "id": str(part_ids(root, "results")[number]),
        "extraction_session_id": str(root),
        "status": stage.result,
        "config_hash": uuid5(root, "config").hex,
        "document_refs": [],
        "data": None,
        "audit_data": None,
        "created_at": _time(root, 60 + number),
        "updated_at": _time(root, 90 + number),
    }


def _reference(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "documentRef",
        "documentId": document["id"],
        "workspaceId": document["workspace_id"],
        "filename": document["filename"],
        "mime": document["mime"],
        "size": document["size"],
        "sha256": document["sha256"],
        "source": {"type": document["source_type"], "url": document["source_url"]},
        "createdAt": document["created_at"],
    }


def _sources(documents: Iterable[BuiltDocument]) -> dict[Field, list[dict[str, Any]]]:
    """Return the places in `documents` where each field is printed."""
    found: dict[Field, list[dict[str, Any]]] = {}
    for document in documents:
        for index, chunk in enumerate(document.chunks):
            chunk_id = document.chunk_id(index)
            for block in chunk.blocks:
                # One object for all fields of the block: it is only ever encoded.
                source = {"chunk_id": chunk_id, "text": block.text, "page": chunk.page}
                for each in block.fields:
                    found.setdefault(each, []).append(source)
    return found


def _audit(value: Any, sources: Mapping[Field, Any], path: Field = ()) -> Any:
    """Return the audit of `value`: the same shape, with reasoning and sources at each field."""
    match value:
        case dict():
            return {key: _audit(item, sources, (*path, key)) for key, item in value.items()}
        case list():
            return [_audit(item, sources, (*path, index)) for index, item in enumerate(value)]
    return {"reasoning": "Read directly from the document.", "sources": sources[path]}


def _time(root: UUID, seconds: int) -> str:
    moment = _EPOCH + timedelta(seconds=root.int % (200 * 86_400) + seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000000Z"
