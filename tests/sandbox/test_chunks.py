"""Chunks in each shape that the API's documentation shows."""

from typing import Any
from uuid import UUID

import pytest

from raydocs_async.sandbox._chunks import Shapes, build_chunks
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_document

DOCUMENT = build_document(UUID(session_id(0)), 2)

KEYS = {
    "newest": "id document_id chunk_index blocks",
    "older": "id document_id chunk_index content page_numbers token_count",
    "oldest": "id content page_number chunk_index metadata",
}


@pytest.mark.parametrize("shapes", KEYS)
def test_fields(shapes: Shapes) -> None:
    """Each shape has its own fields, and the chunks are numbered."""
    chunks = build_chunks(DOCUMENT, shapes)
    assert {" ".join(chunk) for chunk in chunks} == {KEYS[shapes]}
    assert [chunk["chunk_index"] for chunk in chunks] == [0, 1, 2]


@pytest.mark.parametrize("shapes", KEYS)
def test_ids(shapes: Shapes) -> None:
    """The chunks have the same ids in each shape."""
    ids = [chunk["id"] for chunk in build_chunks(DOCUMENT, shapes)]
    assert ids == [DOCUMENT.chunk_id(index) for index in range(3)]


def test_blocks() -> None:
    """The newest shape has blocks, with the page that each stands on."""
    lines = build_chunks(DOCUMENT, "newest")[2]["blocks"]
    assert [block["type"] for block in lines] == ["heading", "table", "table_row", "table_row"]
    assert {block["page_ref"] for block in lines} == {2}
    assert len({block["block_id"] for block in lines}) == 4


def test_cells() -> None:
    """Tables and their rows have their cells in `meta`; an empty `meta` is a list, as PHP's."""
    heading, table, row, _ = build_chunks(DOCUMENT, "newest")[2]["blocks"]
    assert heading["meta"] == []
    assert table["meta"] == {"table": {"rows": 2, "columns": ["description", "amount"]}}
    assert " | ".join(row["meta"]["table_row"]["cells"]) == row["content"]


@pytest.mark.parametrize(("shapes", "page"), [("older", [2]), ("oldest", 2)])
def test_content(shapes: Shapes, page: Any) -> None:
    """The other shapes have the text of all blocks, and its page."""
    chunk = build_chunks(DOCUMENT, shapes)[2]
    blocks = build_chunks(DOCUMENT, "newest")[2]["blocks"]
    assert chunk["content"].splitlines() == [block["content"] for block in blocks]
    assert page in chunk.values()
