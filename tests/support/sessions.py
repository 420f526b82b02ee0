"""The documented bodies as sessions, the places in them, and helpers that read or refuse a body."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

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
from raydocs_async._converter import decode
from tests.strategies import Json, Place

SESSION: Place = ()
DOCUMENT: Place = ("documents", 0)
PARSING: Place = ("documents", 0, "parsings", 0)
RESULT: Place = ("results", 0)
REF: Place = ("results", 0, "document_refs", 0)
SOURCE: Place = ("results", 0, "document_refs", 0, "source")

AN_ID = UUID("3c90c3cc-0d44-4b50-8888-8dd25736052a")
A_TIME = datetime(2023, 11, 7, 5, 31, 56, tzinfo=UTC)

AUDIT = {
    "total": {
        "reasoning": "the sum line",
        "sources": [{"chunk_id": str(AN_ID), "text": "Total 12.50", "page": 1}],
    }
}


def rewritten(body: bytes) -> Json:
    """Read a body as a session, and return the JSON that is written of it."""
    return json.loads(converter.dumps(decode(body, Session)))


def same(left: Json, right: Json) -> bool:
    """Return whether two JSON values are the same: keys, their order, types."""
    return json.dumps(left) == json.dumps(right)


def path(place: Place) -> str:
    """Return the place as errors spell it."""
    return "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in place)


def refusal(body: bytes) -> APIResponseValidationError:
    """Return the error with which the body is refused as a session."""
    with pytest.raises(APIResponseValidationError) as caught:
        decode(body, Session)
    return caught.value


def problem(body: bytes) -> str:
    """Return the refusal's words about the shape of the body."""
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

SPELLINGS = [
    pytest.param(DOCUMENT, "mime", "mime_type", id="mime"),
    pytest.param(REF, "kind", "type", id="kind"),
    pytest.param(RESULT, "audit_data", "reasoning", id="audit_data"),
]


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

CONVERTERS = pytest.mark.parametrize("ours", [converter, converter.copy()], ids=["ours", "a copy"])
