"""Chunks of a document, in each shape that the API's documentation shows."""

from typing import Any, Literal, TypeAlias

from raydocs_async.sandbox._invoices import Chunk
from raydocs_async.sandbox._sessions import BuiltDocument

Shapes: TypeAlias = Literal["newest", "older", "oldest"]
"""The shapes in which different pages of the API's documentation show the same objects."""


def build_chunks(document: BuiltDocument, shapes: Shapes) -> list[dict[str, Any]]:
    """Return the chunks of a document as the API sends them.

    Args:
        document: The document.
        shapes: ``newest`` has blocks; ``older`` has content and page numbers; ``oldest`` has
            content and one page number.
    """
    shape = {"newest": _chunk_of_blocks, "older": _chunk_of_pages, "oldest": _chunk_of_page}[shapes]
    return [shape(document, index, chunk) for index, chunk in enumerate(document.chunks)]


def _chunk_of_blocks(document: BuiltDocument, index: int, chunk: Chunk) -> dict[str, Any]:
    chunk_id = document.chunk_id(index)
    blocks: list[dict[str, Any]] = [
        {
            "block_id": f"{chunk_id}-{number}",
            "type": block.type,
            "content": block.text,
            "page_ref": chunk.page,
            "meta": block.meta or [],  # PHP writes an empty map so
        }
        for number, block in enumerate(chunk.blocks)
    ]
    head = {"id": chunk_id, "document_id": str(document.id), "chunk_index": index}
    return {**head, "blocks": blocks}


def _chunk_of_pages(document: BuiltDocument, index: int, chunk: Chunk) -> dict[str, Any]:
    return {
        "id": document.chunk_id(index),
        "document_id": str(document.id),
        "chunk_index": index,
        "content": chunk.text,
        "page_numbers": [chunk.page],
        "token_count": len(chunk.text.split()),
    }


def _chunk_of_page(document: BuiltDocument, index: int, chunk: Chunk) -> dict[str, Any]:
    return {
        "id": document.chunk_id(index),
        "content": chunk.text,
        "page_number": chunk.page,
        "chunk_index": index,
        "metadata": [],
    }
