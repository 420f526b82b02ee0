"""The content of the models: results as classes of the user's, and chunks with their blocks."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from attrs import frozen

from raydocs_async import APIResponseValidationError, Block, Chunk, Result, ResultStatus, converter
from tests.support.models import AN_ID


@frozen
class Invoice:
    """A user's own class."""

    total: float
    lines: tuple[str, ...] = ()


class Point(msgspec.Struct):
    """A user's own Struct, whose reader needs to know the class."""

    x: int


@frozen
class Nested:
    """A user's own class that contains itself."""

    inner: "Nested | None" = None


def with_data(data: Any) -> Result:
    """Return a result with that data."""
    return Result(id=UUID(int=1), status=ResultStatus.COMPLETED, data=data)


def test_data_as_a_class_of_ones_own() -> None:
    """The data of a result is read as the class of the caller's choice."""
    assert with_data({"total": 12, "lines": ["a"]}).data_as(Invoice) == Invoice(12.0, ("a",))
    assert with_data([{"total": 1.5}]).data_as(list[Invoice]) == [Invoice(1.5)]
    assert with_data({"x": 1}).data_as(Point) == Point(1)


@pytest.mark.parametrize(
    ("data", "type_", "message"),
    [
        ({"total": "x"}, Invoice, "Invoice: $.data.total is a string, not a number that a float"),
        ({}, Invoice, "Invoice: $.data.total is missing"),
        (None, Invoice, "Invoice: $.data is null, not an object"),
        ([{}], list[Invoice], f"list[{__name__}.Invoice]: $.data[0].total is missing"),
        ("x", int | None, "int | None: $.data is a string, not an integer"),
        ({"inner": {"inner": 7}}, Nested, "Nested: $.data.inner.inner is an integer, not"),
    ],
)
def test_data_that_does_not_fit(data: Any, type_: Any, message: str) -> None:
    """The error names the class and the place, but no value."""
    with pytest.raises(APIResponseValidationError) as caught:
        with_data(data).data_as(type_)
    assert caught.value.message.startswith(f"the result's data does not fit {message}")


def test_data_that_is_too_deep() -> None:
    """Data that is nested too deeply for a class is refused as such."""
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"inner": deep}
    with pytest.raises(APIResponseValidationError, match=r"\$\.data is nested too deeply"):
        with_data(deep).data_as(Nested)


NEWEST = {
    "id": str(AN_ID),
    "document_id": str(UUID(int=2)),
    "chunk_index": 4,
    "blocks": [
        {"block_id": "b1", "type": "heading", "content": "Invoice", "page_ref": 2, "meta": []},
        {
            "block_id": 7,
            "type": "table_row",
            "content": "Total 12.50",
            "page_ref": "1",
            "meta": {"table_row": {"cells": ["Total", "12.50"]}},
        },
        {"block_id": None, "type": "figure", "content": None, "page_ref": {"a": 1}, "new": 1},
    ],
}
OLDER = {
    "id": str(AN_ID),
    "document_id": str(UUID(int=2)),
    "chunk_index": 0,
    "content": "Total 12.50",
    "page_numbers": [2, 1],
    "token_count": 120,
}
OLDEST = {
    "id": str(AN_ID),
    "content": "Total 12.50",
    "page_number": 3,
    "chunk_index": 0,
    "metadata": {"lang": "en"},
}


@pytest.mark.parametrize(
    ("wire", "text", "pages"),
    [
        (NEWEST, "Invoice\nTotal 12.50", (1, 2)),
        (OLDER, "Total 12.50", (1, 2)),
        (OLDEST, "Total 12.50", (3,)),
        ({"id": str(AN_ID)}, "", ()),
        ({"id": str(AN_ID), "blocks": None, "page_numbers": None, "metadata": []}, "", ()),
    ],
    ids=["newest", "older", "oldest", "bare", "empty"],
)
def test_every_shape_of_a_chunk(wire: Any, text: str, pages: tuple[int, ...]) -> None:
    """Text and pages are the same for all shapes, and each shape is written as it came."""
    chunk = converter.structure(wire, Chunk)
    assert (chunk.text, chunk.pages) == (text, pages)
    assert converter.unstructure(chunk) == wire


@pytest.mark.parametrize(
    ("page_ref", "page"),
    [
        (3, 3),
        ("3", 3),
        (None, None),
        ("p. 3", None),
        (True, None),
        (-1, None),
        (999_999_999, 999_999_999),
        ("1" + 9 * "0", None),
        ("9" * 5000, None),  # Python refuses to convert it
    ],
)
def test_the_page_of_a_block(page_ref: Any, page: int | None) -> None:
    """The page is a number in any spelling; any other value is kept, but is not a page."""
    assert Block(page_ref=page_ref).page == page


def test_a_chunk_shows_no_text() -> None:
    """S4: the ``repr`` of a chunk shows no text of the document."""
    assert repr(converter.structure(NEWEST, Chunk)) == (
        f"Chunk(id={AN_ID!r}, document_id={UUID(int=2)!r}, index=4, blocks=<3>)"
    )
