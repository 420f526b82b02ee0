"""A user's own classes: read as strictly as the models, and written back."""

import json
from collections import deque
from collections.abc import Mapping, MutableSequence, MutableSet, Set
from dataclasses import dataclass
from datetime import datetime
from typing import (  # noqa: UP035
    Annotated,
    Any,
    Generic,
    List,
    NotRequired,
    Optional,
    Required,
    TypeAlias,
    TypedDict,
    TypeVar,
)

import attrs
import msgspec
import pydantic
import pytest
from cattrs.gen import make_dict_structure_fn, override

from raydocs_async import APIResponseValidationError, Source, converter
from raydocs_async._converter import ModelConverter
from raydocs_async._strict import Mismatch
from tests.strategies import Json, encoded
from tests.support.sessions import CONVERTERS


@attrs.frozen
class Address:
    """A user's own class, frozen and with slots."""

    city: str
    tags: list[str] = attrs.field(factory=list)


@attrs.define
class Supplier:
    """A user's own class that contains a model."""

    name: str
    vat_rate: float
    address: Address | None = None
    found_at: datetime | None = None
    source: Source | None = None
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    notes: Any = None


@dataclass
class Line:
    """A user's own data class."""

    text: str
    amounts: tuple[float, float]
    parts: Optional[dict[str, Address]] = None  # noqa: UP045  (as many still write it)


SUPPLIER = {
    "name": "ACME",
    "vat_rate": 0.19,
    "address": {"city": "Graz", "tags": ["a"]},
    "found_at": "2024-01-15T10:30:00Z",
    "source": {"url": "x", "new": 1},
    "settings": {"a": []},
    "notes": [],
}
LINE = {"text": "x", "amounts": [1.5, 2.0], "parts": {"a": {"city": "Graz", "tags": []}}}


@CONVERTERS
@pytest.mark.parametrize(("kind", "wire"), [(Supplier, SUPPLIER), (Line, LINE)])
def test_users_own_classes(ours: ModelConverter, kind: Any, wire: Json) -> None:
    """The converter and its copies read and write a user's attrs classes and data classes."""
    read = ours.structure(wire, kind)
    assert (type(read), json.loads(ours.dumps(read))) == (kind, wire)
    assert ours.loads(ours.dumps(read), kind) == read


def test_php_spellings_for_users_own_classes() -> None:
    """M4: PHP's ``[]`` is an empty mapping for a mapping field, and stays ``[]`` elsewhere."""
    read = converter.structure({**SUPPLIER, "settings": [], "notes": []}, Supplier)
    assert (read.settings, read.notes) == ({}, [])


def test_integral_numbers_for_floats() -> None:
    """An integer is read into a float field, because JSON does not distinguish the two."""
    assert repr(converter.structure({"name": "x", "vat_rate": 20}, Supplier).vat_rate) == "20.0"


@CONVERTERS
@pytest.mark.parametrize(
    ("kind", "wire", "words"),
    [
        (Supplier, {**SUPPLIER, "name": None}, "$.name is null, not a string"),
        (Supplier, {"name": "x"}, "$.vat_rate is missing"),
        (
            Supplier,
            {**SUPPLIER, "address": {"city": 1}},
            "$.address.city is an integer, not a string",
        ),
        (Supplier, {**SUPPLIER, "address": "x"}, "$.address is a string, not an object"),
        (Supplier, {**SUPPLIER, "address": []}, "$.address.city is missing"),
        (
            Supplier,
            {**SUPPLIER, "address": {"city": "x", "tags": "abc"}},
            "$.address.tags is a string, not an array",
        ),
        (
            Supplier,
            {**SUPPLIER, "source": {"url": 1}},
            "$.source.url is an integer, not a string",
        ),
        (Supplier, "x", "$ is a string, not an object"),
        (Line, {"text": 1, "amounts": [1, 2]}, "$.text is an integer, not a string"),
        (Line, {"amounts": [1, 2]}, "$.text is missing"),
        (Line, {**LINE, "parts": "x"}, "$.parts is a string, not an object"),
        (list[Line], [LINE, {**LINE, "text": 1}], "$[1].text is an integer, not a string"),
        (list[str], "abc", "$ is a string, not an array"),
        (set[str], "abc", "$ is a string, not an array"),
        (dict[str, int], [1], "$ is an array, not an object"),
    ],
)
def test_users_own_classes_are_read_strictly(
    ours: ModelConverter, kind: Any, wire: Json, words: str
) -> None:
    """A value that does not fit a user's own class is refused by its path, as for the models."""
    with pytest.raises(APIResponseValidationError) as caught:
        ours.structure(wire, kind)
    assert caught.value.message == f"the body is not as documented: {words}"


def test_keys_that_a_user_renames() -> None:
    """The error names a key that a user's hook renames as JSON spells it."""
    ours = converter.copy()
    hook = make_dict_structure_fn(Address, ours, city=override(rename="cityName"))
    ours.register_structure_hook(Address, hook)
    assert ours.structure({"cityName": "Graz"}, Address) == Address("Graz")
    for wire, words in [({}, r"\$\.cityName is missing"), ({"cityName": 1}, r"\$ is an integer")]:
        with pytest.raises(APIResponseValidationError, match=words):
            ours.loads(encoded(wire), Address)


Code: TypeAlias = Annotated[str, "in capitals"]


@attrs.frozen
class Coded:
    """A user's class with a type that has its own reader."""

    code: Code


def test_an_annotated_type_has_its_own_reader() -> None:
    """A value of an annotated type is read, and named in errors, by that type's reader."""
    ours = converter.copy()

    def read(value: Any, _: Any) -> str:
        if value != value.upper():
            raise Mismatch("in capitals", value)
        return str(value)

    ours.register_structure_hook_func(lambda type_: type_ == Code, read)
    assert ours.structure({"code": "A"}, Coded) == Coded("A")
    with pytest.raises(APIResponseValidationError, match=r"\$\.code is a string, not in capitals"):
        ours.structure({"code": "a"}, Coded)


T = TypeVar("T")


@attrs.frozen
class Box(Generic[T]):
    """A user's generic class."""

    value: T


def test_a_generic_class() -> None:
    """A generic class is read strictly, and refused as a whole."""
    ours = converter.copy()
    assert ours.structure({"value": 1}, Box[int]) == Box(1)
    with pytest.raises(APIResponseValidationError, match=r"\$ is a string, not an integer"):
        ours.structure({"value": "1"}, Box[int])


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ([{"city": "Graz"}], (Address("Graz"),)),
        ([], ()),
        ({"city": "Graz"}, Address("Graz")),
    ],
)
def test_an_array_or_an_object(wire: Any, expected: object) -> None:
    """The JSON decides between the array and the object of a union."""
    either: Any = tuple[Address, ...] | Address
    assert converter.copy().structure(wire, either) == expected


@pytest.mark.parametrize(
    ("wire", "problem"),
    [
        ([{}], "$[0].city is missing"),
        ({}, "$.city is missing"),
        ("SECRET", "$ is a string, not an object"),
        (None, "$ is null, not an object"),
    ],
)
def test_neither_an_array_nor_an_object(wire: Any, problem: str) -> None:
    """The error names the place in the array or in the object, whichever came."""
    either: Any = tuple[Address, ...] | Address
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, either)
    assert caught.value.message == f"the body is not as documented: {problem}"


class Extras(TypedDict):
    """A user's own TypedDict."""

    count: int
    tags: NotRequired[list[str]]
    note: Required[str | None]


class Held(TypedDict, Generic[T]):
    """A generic TypedDict."""

    value: T


class Point(msgspec.Struct):
    """A user's own Struct."""

    x: int


class Pair(msgspec.Struct, Generic[T]):
    """A generic Struct."""

    first: T


class Model3(pydantic.BaseModel):
    """A user's own pydantic model."""

    x: int


@pytest.mark.parametrize(
    ("wire", "type_", "expected"),
    [
        ({"count": 1, "note": None}, Extras, {"count": 1, "note": None}),
        ({"value": 3}, Held[int], {"value": 3}),
        ({"x": 3}, Point, Point(3)),
        ({"first": 3}, Pair[int], Pair(3)),
        ({"x": 3}, Model3, Model3(x=3)),
    ],
)
def test_classes_of_other_kinds(wire: Any, type_: Any, expected: object) -> None:
    """TypedDicts, Structs and pydantic models are read as attrs classes are."""
    assert converter.copy().structure(wire, type_) == expected


@pytest.mark.parametrize(
    ("wire", "type_", "problem"),
    [
        ({"count": "SECRET", "note": None}, Extras, "$.count is a string, not an integer"),
        ({"count": 1, "tags": [7], "note": "x"}, Extras, "$.tags[0] is an integer, not a string"),
        ({"count": 1, "note": [7]}, Extras, "$.note is an array, not a string"),
        ({"count": 1}, Extras, "$.note is missing"),
        ({"value": "SECRET"}, Held[int], "$ is a string, not an integer"),
        ({"x": "SECRET"}, Point, "$.x is not valid: expected `int`, got `str`"),
        ({"first": "SECRET"}, Pair[int], "$.first is not valid: expected `int`, got `str`"),
        ({"x": "SECRET"}, Model3, "$.x is not valid: int_parsing"),
    ],
)
def test_classes_of_other_kinds_are_strict(wire: Any, type_: Any, problem: str) -> None:
    """A value that does not fit such a class is named by its place, if the class names it."""
    with pytest.raises(APIResponseValidationError) as caught:
        converter.copy().structure(wire, type_)
    assert caught.value.message == f"the body is not as documented: {problem}"


def test_an_empty_optional_field_is_no_problem() -> None:
    """The error does not name ``null`` in an optional field beside a field that does not fit."""
    wire = SUPPLIER | {"address": None, "found_at": None, "name": 7}
    with pytest.raises(APIResponseValidationError) as caught:
        converter.structure(wire, Supplier)
    assert (
        caught.value.message == "the body is not as documented: $.name is an integer, not a string"
    )


@pytest.mark.parametrize(
    ("type_", "array"),
    [
        (list, ["a"]),
        (List, ["a"]),  # noqa: UP006
        (tuple, ("a",)),
        (set, {"a"}),
        (frozenset, frozenset("a")),
        (deque, deque("a")),
        (Set[str], frozenset("a")),
        (MutableSet[str], {"a"}),
        (MutableSequence[str], ["a"]),
        (tuple[str], ("a",)),
    ],
)
def test_a_collection_is_an_array(type_: Any, array: object) -> None:
    """Collections of any kind are read from an array, and never from a string or an object."""
    assert converter.structure(["a"], type_) == array
    for wire in ("a", {"a": 1}):
        with pytest.raises(APIResponseValidationError, match="not an array"):
            converter.structure(wire, type_)


def test_a_bare_dict_is_an_object() -> None:
    """A ``dict`` without types is read from an object, and never from an array of pairs."""
    assert converter.structure({"a": [1]}, dict) == {"a": [1]}
    with pytest.raises(APIResponseValidationError, match="is an array, not an object"):
        converter.structure([["a", 1]], dict)
