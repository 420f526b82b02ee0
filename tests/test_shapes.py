"""Objects of JSON to models and back: the parts of reading and writing that the whole relies on."""

from typing import Any
from uuid import UUID

import attrs
import pytest

from raydocs_async import Document, Session, converter
from raydocs_async._converter import decode
from tests.strategies import GUIDE

DEEP: Any = {}
for _ in range(5000):
    DEEP = {"a": [DEEP]}


@pytest.mark.parametrize("field", ["data", "audit_data"])
def test_deep_free_form_is_written_as_it_is(field: str) -> None:
    """Free-form JSON is not walked when it is written, so that it may be of any depth."""
    result = attrs.evolve(decode(GUIDE, Session).results[0], **{field: DEEP})
    assert converter.copy().unstructure(result)[field] is DEEP


def test_a_deep_map_is_written_as_it_is() -> None:
    """A free-form map is not walked when it is written, either."""
    session = attrs.evolve(decode(GUIDE, Session), settings=DEEP)
    assert converter.copy().unstructure(session)["settings"] is DEEP


def test_a_null_collection_is_empty() -> None:
    """A collection that came as `null` is the empty one, and is written as it came."""
    wire = {
        "id": str(UUID(int=1)),
        "filename": "f",
        "status": "ready",
        "parsings": None,
        "meta": None,
    }
    ours = converter.copy()
    document = ours.structure(wire, Document)
    assert (document.parsings, document.meta) == ((), {})
    assert ours.unstructure(document) == wire


def test_a_field_in_both_spellings() -> None:
    """The current spelling of a field wins, the older one is kept, and both are written."""
    wire = {"id": str(UUID(int=1)), "filename": "f", "status": "ready"}
    wire |= {"mime": "a/b", "mime_type": "c/d"}
    ours = converter.copy()
    document = ours.structure(wire, Document)
    assert (document.mime, document.extra) == ("a/b", {"mime_type": "c/d"})
    assert ours.unstructure(document) == wire


def test_a_key_that_was_taken_out_of_extra() -> None:
    """An unknown key that the caller has removed is not written."""
    wire = {"id": str(UUID(int=1)), "filename": "f", "status": "ready"}
    ours = converter.copy()
    document = ours.structure(wire | {"new": 1}, Document)
    assert ours.unstructure(attrs.evolve(document, extra={})) == wire
