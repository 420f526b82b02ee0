"""Each value of the data with its trail, whatever shape either has."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import Evidence, ExtractedField, Result
from raydocs_async.audit import Path, extracted_fields
from tests.strategies import json_values

CHUNK = UUID("0191c0de-0000-7000-8000-000000000001")
SOURCE = {"chunk_id": str(CHUNK), "text": "Total: 12.50", "page": 2}
EVIDENCE = Evidence("Total: 12.50", 2, CHUNK)
ENTRY = {"reasoning": "It is printed there.", "sources": [SOURCE]}


def fields(data: Any, audit: Any = None) -> dict[str, ExtractedField]:
    """The fields by their names."""
    return {each.name: each for each in extracted_fields(data, audit)}


def reasons(data: Any, audit: Any) -> dict[str, str | None]:
    """The reasoning of each field, by name."""
    return {name: each.reasoning for name, each in fields(data, audit).items()}


def entry(reasoning: str) -> dict[str, Any]:
    """An entry of the trail without sources."""
    return {"reasoning": reasoning, "sources": []}


def test_a_value_and_its_place_in_the_document() -> None:
    """The documented shape: a field in a group, with its reasoning and its source."""
    (field,) = extracted_fields({"invoice": {"total": 12.5}}, {"invoice": {"total": ENTRY}})
    assert field == ExtractedField(("invoice", "total"), 12.5, "It is printed there.", (EVIDENCE,))
    assert field.name == "invoice.total"


def test_the_fields_of_a_result() -> None:
    """A result yields its own fields."""
    result = Result(id=CHUNK, status="completed", data={"total": 1}, audit_data={"total": ENTRY})
    assert [(each.name, each.value, each.sources) for each in result.fields()] == [
        ("total", 1, (EVIDENCE,))
    ]


def test_lists_are_joined_by_index() -> None:
    """The items of a list have the trail of the same index."""
    data = {"lines": [{"price": 1}, {"price": 2}]}
    audit = {"lines": [{"price": entry("first")}, {"price": entry("second")}]}
    assert reasons(data, audit) == {"lines[0].price": "first", "lines[1].price": "second"}


def test_a_trail_with_gaps() -> None:
    """PHP writes the trail of a list, some of whose items have none, as an object by index."""
    found = extracted_fields(["a", "b"], {"1": {"reasoning": "read"}})
    assert [(each.value, each.reasoning) for each in found] == [("a", None), ("b", "read")]


def test_order() -> None:
    """Fields come in the order of the data."""
    data = {"b": 1, "a": [2, {"z": 3, "y": 4}], "c": 5}
    assert [each.value for each in extracted_fields(data, None)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", ["x", 0, 1.5, True, False, None, [], {}])
def test_every_leaf_is_a_field(value: Any) -> None:
    """A value without content is a value that was extracted, too."""
    assert fields({"a": value}, {"a": ENTRY})["a"] == ExtractedField(
        ("a",), value, "It is printed there.", (EVIDENCE,)
    )


@pytest.mark.parametrize("data", [None, {}, []])
def test_no_data(data: Any) -> None:
    """A result without data has no fields."""
    assert fields(data, ENTRY) == {}


def test_bare_data() -> None:
    """Data that is one value is one field, whose path is empty."""
    assert fields(0, ENTRY) == {"": ExtractedField((), 0, "It is printed there.", (EVIDENCE,))}


def test_a_trail_of_a_whole_list() -> None:
    """A trail at a list or a group holds for all below that have none of their own."""
    data = {"tags": ["a", "b"], "group": {"x": 1, "y": 2}}
    audit = {"tags": entry("tags"), "group": {**entry("group"), "y": entry("y")}}
    assert reasons(data, audit) == {
        "tags[0]": "tags",
        "tags[1]": "tags",
        "group.x": "group",
        "group.y": "y",
    }


@pytest.mark.parametrize("name", ["reasoning", "sources"])
def test_data_that_is_named_as_the_trail(name: str) -> None:
    """A field named as one of the trail's keys is a field, with a trail of its own."""
    data = {name: {"x": 1}, "other": 2}
    audit = {name: {"x": entry("x")}, "other": entry("other")}
    assert reasons(data, audit) == {f"{name}.x": "x", "other": "other"}


def test_data_named_reasoning_whose_trail_is_something_else() -> None:
    """A text that mirrors the field "reasoning" is no reasoning for the fields beside it."""
    data = {"reasoning": "because", "total": 1}
    assert reasons(data, {"reasoning": "text"}) == {"reasoning": None, "total": None}


def test_a_list_that_is_named_sources() -> None:
    """The trail of a list in the data named "sources" is no list of sources."""
    found = fields({"sources": ["a"]}, {"sources": [ENTRY]})
    assert found["sources[0]"].sources == (EVIDENCE,)


@pytest.mark.parametrize(
    "audit",
    [
        None,
        [],
        "text",
        7,
        {"b": ENTRY},
        {"a": None},
        {"a": "text"},
        {"a": []},
        {"a": {"reasoning": 7, "sources": "text"}},
        {"a": {"reasoning": None, "sources": None}},
        {"a": {"reasoning": 7, "sources": []}},
    ],
)
def test_a_trail_of_another_shape(audit: Any) -> None:
    """A field whose trail is missing, or is something else, is there without evidence."""
    assert fields({"a": 1}, audit) == {"a": ExtractedField(("a",), 1)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (SOURCE, (EVIDENCE,)),
        ({"text": "x"}, (Evidence("x"),)),
        ({"page": 3}, (Evidence(page=3),)),
        ({"page": True, "text": "x"}, (Evidence("x"),)),
        ({"page": "3", "text": 7, "chunk_id": "no UUID"}, ()),
        ({"chunk_id": CHUNK.int, "text": "x"}, (Evidence("x"),)),
        ({"chunk_id": CHUNK.hex}, (Evidence(chunk_id=CHUNK),)),
        ({}, ()),
        ("text", ()),
        (None, ()),
    ],
)
def test_a_source_of_another_shape(source: Any, found: tuple[Evidence, ...]) -> None:
    """Of a source, the parts that have the documented type are kept."""
    audit = {"a": {"reasoning": "r", "sources": [source]}}
    assert fields({"a": 1}, audit) == {"a": ExtractedField(("a",), 1, "r", found)}


@pytest.mark.parametrize("entry", [{"reasoning": "r"}, {"reasoning": "r", "sources": 7}])
def test_reasoning_alone(entry: Any) -> None:
    """An entry may lack the sources."""
    assert fields({"a": 1}, {"a": entry}) == {"a": ExtractedField(("a",), 1, "r")}


def test_sources_alone() -> None:
    """An entry may lack the reasoning."""
    audit = {"a": {"sources": [SOURCE]}}
    assert fields({"a": 1}, audit) == {"a": ExtractedField(("a",), 1, None, (EVIDENCE,))}


def test_a_list_of_another_length() -> None:
    """Items past the end of the trail's list have no evidence."""
    assert reasons({"a": [1, 2]}, {"a": [entry("first")]}) == {"a[0]": "first", "a[1]": None}


@frozen
class Part:
    """Anything with an id."""

    id: UUID


def test_from_a_source_to_its_chunk() -> None:
    """The evidence finds its chunk among those of the document."""
    parts = [Part(UUID(int=1)), Part(CHUNK), Part(CHUNK)]
    assert EVIDENCE.find_chunk(parts) is parts[1]
    assert EVIDENCE.find_chunk(parts[:1]) is None


def test_a_field_shows_no_content() -> None:
    """S4: neither value, reasoning nor text is in the ``repr``."""
    field = ExtractedField(("a",), "MARKER", "MARKER", (Evidence("MARKER", 1),))
    assert repr(field) == (
        "ExtractedField(path=('a',), sources=(Evidence(page=1, chunk_id=None),))"
    )


def test_any_depth() -> None:
    """Free-form data is deeper than Python's stack, and is walked all the same."""
    data: Any = 1
    for _ in range(5000):
        data = [data]
    (field,) = extracted_fields(data, data)
    assert (len(field.path), field.value) == (5000, 1)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The values in JSON, by a simpler way that recurses."""
    if value and isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, (*path, key))
    elif value and isinstance(value, list):
        for index, child in enumerate(value):
            yield from leaves(child, (*path, index))
    else:
        yield path, value


@given(st.dictionaries(st.text(), json_values, min_size=1), json_values)
def test_any_data_and_any_trail(data: dict[str, Any], audit: Any) -> None:
    """With any trail, each value of the data is one field, in order, and none is lost."""
    assert [(each.path, each.value) for each in extracted_fields(data, audit)] == list(leaves(data))
