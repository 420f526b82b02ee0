"""Objects of JSON to models and back: the parts of reading and writing that the whole relies on."""

from typing import Any, Generic, TypedDict, TypeVar, Union
from uuid import UUID

import attrs
import pydantic
import pytest

from raydocs_async import Document, Session, converter
from raydocs_async._converter import decode
from raydocs_async._shapes import array_or_object, is_record
from tests.strategies import GUIDE, ODD_SESSION, REFERENCE, encoded

T = TypeVar("T")

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


@pytest.mark.parametrize("body", [REFERENCE, GUIDE, encoded(ODD_SESSION)])
def test_objects_that_are_read_are_as_built_by_hand(body: bytes) -> None:
    """An object that is read has all fields, is of the model itself, and is frozen."""
    session = decode(body, Session)
    for read in (session, *session.documents, *session.results):
        built = attrs.evolve(read)
        assert (type(read), repr(read), read) == (type(built), repr(built), built)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            read.extra = {}  # type: ignore[misc]


@attrs.frozen
class Record:
    """A user's own class."""


class Keys(TypedDict):
    """A user's own TypedDict."""


class Held(TypedDict, Generic[T]):
    """A generic TypedDict."""

    value: T


@pydantic.dataclasses.dataclass
class Validated:
    """A data class of pydantic, which reads itself."""


@pytest.mark.parametrize(
    ("type_", "expected"),
    [(Record, True), (Keys, True), (Held[int], True), (Validated, False), (int, False)],
)
def test_records(type_: Any, expected: bool) -> None:
    """Records are the classes whose fields are read one by one."""
    assert is_record(type_) is expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (tuple[Record, ...] | Record, (tuple[Record, ...], Record)),
        (Union[Record, list[int]], (list[int], Record)),  # noqa: UP007  (as many still write it)
        (Record | int, None),
        (list[int] | int, None),
        (tuple[Record, ...] | Record | None, None),
        (dict[tuple[int, ...], Record], None),
        (Record, None),
    ],
)
def test_unions_of_an_array_and_an_object(type_: Any, expected: object) -> None:
    """JSON tells the two apart, and no other union."""
    assert array_or_object(type_) == expected
