"""The models that somebody would write first: the reference's fields, typed as they look."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Parsing:
    """As in the reference."""

    id: UUID
    config_hash: str
    status: str
    parser_version: str
    updated_at: datetime


@dataclass(frozen=True)
class Document:
    """As in the reference."""

    id: UUID
    workspace_id: int
    filename: str
    mime: str
    size: int
    sha256: str
    status: str
    source_type: str
    source_url: str | None
    parsings: list[Parsing]
    created_at: datetime


@dataclass(frozen=True)
class Result:
    """As in the reference, its document references left as they are."""

    id: UUID
    extraction_session_id: UUID
    status: str
    config_hash: str
    document_refs: list[dict[str, Any]]
    data: dict[str, Any]
    audit_data: dict[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Session:
    """As in the reference."""

    id: UUID
    name: str
    extraction_template_id: UUID
    settings: dict[str, Any]
    status: str
    created_at: datetime
    updated_at: datetime
    documents: list[Document]
    results: list[Result]
