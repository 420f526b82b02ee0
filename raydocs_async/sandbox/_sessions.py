"""The built-in sessions: finished ones, each computed from its id alone.

The same id gives the same session in every process and on every machine, so a test can compare a
reply with `build_session`. Names and order of the fields are those of the API's reference; times
have Laravel's form.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

_NAMESPACE = UUID("6f1d7f0e-52d5-5b0c-9a53-4d3f0c1a7b2e")
_EPOCH = datetime(2026, 1, 1, 8, tzinfo=UTC)
_WORKSPACE = 123
_SUPPLIERS = ("Acme Tools Ltd", "Boulangerie Dupré", "Müller & Söhne GmbH", "Studio Ōkami")
_ITEMS = ("Consulting, senior", "Hosting, yearly", "Paper, A4", "Travel", "Licence, 10 seats")
_CURRENCIES = ("EUR", "GBP", "USD")
_EXCERPT = "as printed below the heading"


def session_id(index: int) -> str:
    """Return the id of the built-in session number `index`, counted from 0."""
    return str(uuid5(_NAMESPACE, f"session-{index}"))


def build_session(session_id: str) -> dict[str, Any]:
    """Return a finished session of about 8 kB of JSON, with 3 documents and 2 results.

    Args:
        session_id: A UUID in its usual form; it determines everything else.

    Raises:
        ValueError: `session_id` is not a UUID.
    """
    root = UUID(session_id)
    documents = [_document(root, number) for number in range(3)]
    return {
        "id": session_id,
        "name": f"Invoices {root.int % 1000:03d}",
        "extraction_template_id": str(uuid5(_NAMESPACE, f"template-{root.int % 7}")),
        "settings": {"language": "en", "page_range": None, "reasoning": True},
        "status": "completed",
        "created_at": _time(root, 0),
        "updated_at": _time(root, 95),
        "documents": documents,
        "results": [_result(root, 0, documents[:2]), _result(root, 1, documents[2:])],
    }


def _document(root: UUID, number: int) -> dict[str, Any]:
    document_id = uuid5(root, f"document-{number}")
    return {
        "id": str(document_id),
        "workspace_id": _WORKSPACE,
        "filename": f"invoice-{root.int % 9973:04d}-{number + 1}.pdf",
        "mime": "application/pdf",
        "size": 40_000 + document_id.int % 900_000,
        "sha256": hashlib.sha256(document_id.bytes).hexdigest(),
        "status": "ready",
        "source_type": "upload",
        "source_url": f"https://files.example.com/uploads/{document_id}",
        "parsings": [_parsing(root, number, attempt) for attempt in range(1 + number % 2)],
        "created_at": _time(root, 1 + number),
    }


def _parsing(root: UUID, number: int, attempt: int) -> dict[str, Any]:
    parsing_id = uuid5(root, f"parsing-{number}-{attempt}")
    return {
        "id": str(parsing_id),
        "config_hash": parsing_id.hex,
        "status": "ready",
        "parser_version": f"2.{attempt}.0",
        "updated_at": _time(root, 30 + 5 * number + attempt),
    }


def _result(root: UUID, number: int, documents: list[dict[str, Any]]) -> dict[str, Any]:
    result_id = uuid5(root, f"result-{number}")
    data = _invoice(result_id)
    return {
        "id": str(result_id),
        "extraction_session_id": str(root),
        "status": "completed",
        "config_hash": uuid5(root, "config").hex,
        "document_refs": [_reference(document) for document in documents],
        "data": data,
        "audit_data": _audit(data, str(uuid5(result_id, "chunk"))),
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


def _invoice(seed: UUID) -> dict[str, Any]:
    lines = [_line(seed.int >> shift) for shift in (8, 16)]
    return {
        "supplier": {
            "name": _pick(_SUPPLIERS, seed.int),
            "vat_number": f"FR{seed.int % 10**11:011d}",
        },
        "invoice": {
            "number": f"{seed.int % 10**6:06d}",
            "currency": _pick(_CURRENCIES, seed.int),
            "total": round(sum(line["amount"] for line in lines), 2),
            "paid": seed.int % 2 == 0,
        },
        "lines": lines,
    }


def _line(seed: int) -> dict[str, Any]:
    return {"description": _pick(_ITEMS, seed), "amount": seed % 1_000_000 / 100}


def _audit(value: Any, chunk_id: str) -> Any:
    """Return the audit of `value`: the same shape, with reasoning and sources at each leaf."""
    match value:
        case dict():
            return {key: _audit(item, chunk_id) for key, item in value.items()}
        case list():
            return [_audit(item, chunk_id) for item in value]
    source = {"chunk_id": chunk_id, "text": f"{value} {_EXCERPT}", "page": 1}
    return {"reasoning": "Read directly from the document.", "sources": [source]}


def _pick(choices: tuple[str, ...], seed: int) -> str:
    return choices[seed % len(choices)]


def _time(root: UUID, seconds: int) -> str:
    moment = _EPOCH + timedelta(seconds=root.int % (200 * 86_400) + seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000000Z"
