"""The models, and one object of each."""

from typing import Any
from uuid import UUID

import pytest

from raydocs_async import Document, DocumentRef, Parsing, Result, Session, Source
from raydocs_async._converter import decode
from tests.strategies import REFERENCE

MODELS = [Session, Document, Parsing, Result, DocumentRef, Source]
AN_ID = UUID("770e8400-e29b-41d4-a716-446655440000")


def parts(session: Session) -> list[Any]:
    """Return the session, and one of everything in it."""
    document, result = session.documents[0], session.results[0]
    ref = result.document_refs[0]
    return [session, document, document.parsings[0], result, ref, ref.source]


PARTS = [pytest.param(part, id=type(part).__name__) for part in parts(decode(REFERENCE, Session))]
