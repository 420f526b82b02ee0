"""Places and problems of JSON that does not fit, and the silence about its content."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pydantic
import pytest
from cattrs.errors import StructureHandlerNotFoundError
from pydantic_core import PydanticCustomError

from raydocs_async import APIResponseValidationError, converter
from raydocs_async.models import Document
from raydocs_async.testing import build_session

SECRET = "S3CR3T"


def _lookup(value: str) -> str:
    return {"known": "found"}[value]


class Colour(Enum):
    """An enumeration of a user."""

    RED = "red"


class Dates(TypedDict):
    """A TypedDict with a date."""

    day: date


class Pair(NamedTuple):
    """A named tuple."""

    number: int
    text: str


@dataclass
class Total:
    """A data class whose rule fails in arithmetic."""

    total: str

    def __post_init__(self) -> None:
        Decimal(self.total)


@attrs.frozen
class Price:
    """An attrs class with a converter, which decides what is raised."""

    amount: str = attrs.field(converter=_lookup)


@attrs.frozen
class Asserted:
    """An attrs class that asserts, and quotes the value."""

    text: str

    def __attrs_post_init__(self) -> None:
        assert self.text == "good", self.text


@attrs.frozen
class Typed:
    """An attrs class whose validator fails with an attribute that is not there."""

    text: str = attrs.field(validator=lambda _self, _field, value: value.nothing)


class Words(msgspec.Struct):
    """A Struct whose rule speaks as msgspec does, and knows its form of a place."""

    text: str

    def __post_init__(self) -> None:
        raise ValueError(f"Expected `{self.text}` - at `$.{self.text}`")


class Raised(msgspec.Struct):
    """A Struct whose rule raises msgspec's own error."""

    text: str

    def __post_init__(self) -> None:
        raise msgspec.ValidationError(f"Expected {self.text}")


class Looked(msgspec.Struct):
    """A Struct whose rule fails with a key."""

    text: str

    def __post_init__(self) -> None:
        raise KeyError(self.text)


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    """A Struct that refuses unknown keys."""


class Keys(pydantic.BaseModel):
    """A pydantic model whose keys are data."""

    by_name: dict[str, int]


def _custom(value: str) -> str:
    raise PydanticCustomError(f"bad_{value}", "bad")


class Coded(pydantic.BaseModel):
    """A pydantic model whose validator names its error after the value."""

    text: Annotated[str, pydantic.AfterValidator(_custom)]


class Searched(pydantic.BaseModel):
    """A pydantic model whose validator fails with a key."""

    text: Annotated[str, pydantic.AfterValidator(_lookup)]


@attrs.frozen
class Holder:
    """A class of a user with a model of this library."""

    by_name: dict[str, Document]


@attrs.frozen
class Tree:
    """A recursive class."""

    value: int
    children: "dict[str, Tree]" = attrs.field(factory=dict)


attrs.resolve_types(Tree)


class Folder(TypedDict, total=False):
    """A recursive TypedDict."""

    size: int
    inner: "Folder"


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


REFUSED: list[Any] = [
    (date, SECRET, "$.data is not valid: date refuses it"),
    (list[date], ["2024-01-01", SECRET], "$.data[1] is not valid: date refuses it"),
    (Dates, {"day": SECRET}, "$.data.day is not valid: date refuses it"),
    (Colour, SECRET, "$.data is not valid: Colour refuses it"),
    (Literal["a"], SECRET, "$.data is not valid: typing.Literal['a'] refuses it"),
    (int | str | None, [SECRET], "$.data is not valid: int | str | None refuses it"),
    (bytes, f"{SECRET}é", "$.data is not valid: bytes refuses it"),
    (set[dict[str, str]], [{"a": SECRET}], "$.data is not valid: set[dict[str, str]] refuses it"),
    (Total, {"total": SECRET}, "$.data is not valid: Total refuses it"),
    (Price, {"amount": SECRET}, "$.data is not valid: Price refuses it"),
    (
        list[Price],
        [{"amount": "known"}, {"amount": SECRET}],
        "$.data[1] is not valid: Price refuses it",
    ),
    (Asserted, {"text": SECRET}, "$.data is not valid: Asserted refuses it"),
    (Typed, {"text": SECRET}, "$.data is not valid: Typed refuses it"),
    (Words, {"text": SECRET}, "$.data is not valid: Words refuses it"),
    (Raised, {"text": SECRET}, "$.data is not valid: Raised refuses it"),
    (Looked, {"text": SECRET}, "$.data is not valid: Looked refuses it"),
    (Closed, {SECRET: 1}, "$.data is not valid: Closed refuses it"),
    (Keys, {"by_name": {SECRET: "a"}}, "$.data.by_name[...] is not valid: int_parsing"),
    (Coded, {"text": SECRET}, "$.data.text is not valid: Coded refuses it"),
    (Searched, {"text": SECRET}, "$.data is not valid: Searched refuses it"),
    (dict[str, int], {SECRET: "a"}, "$.data[...] is a string, not an integer"),
    (dict[int, str], {SECRET: "a"}, "$.data is a string, not an integer"),
    (tuple[int, str], [1], "$.data has 1 items, not 2"),
    (tuple[int, str], [1, 2], "$.data[1] is an integer, not a string"),
    (tuple[int, date], [1, SECRET], "$.data[1] is not valid: date refuses it"),
    (Pair, [1, 2], "$.data is an integer, not a string"),
]


@pytest.mark.parametrize(("type_", "data", "problem"), REFUSED)
def test_a_refusal_has_the_place_and_no_value(type_: Any, data: Any, problem: str) -> None:
    """Whatever a class of the user's raises, its place is named, and the value is nowhere."""
    result = build_session(data=[data]).results[0]
    with pytest.raises(APIResponseValidationError) as caught:
        result.data_as(type_)
    assert caught.value.message.partition(": ")[2] == problem
    said = [f"{each!r}{each}{each.args}{vars(each)}" for each in chain(caught.value)]
    assert SECRET not in "".join(said)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("type_", [date, Asserted, Price, Looked, Raised, Searched])
@pytest.mark.parametrize(
    "read",
    [converter.structure, lambda wire, type_: converter.loads(msgspec.json.encode(wire), type_)],
)
def test_every_way_to_read_refuses_alike(read: Callable[[Any, Any], Any], type_: Any) -> None:
    """A validator's own error, even one of the JSON parser's, is not called invalid JSON."""
    field = "amount" if type_ is Price else "text"
    wire = SECRET if type_ is date else {field: SECRET}
    with pytest.raises(APIResponseValidationError, match="the body is not as documented") as caught:
        read(wire, type_)
    assert SECRET not in f"{caught.value!r}{caught.value.__context__!r}"


def test_a_type_without_a_reader() -> None:
    """A class with a type that has no reader is a mistake in the program, which cattrs explains."""
    model = attrs.make_class("Model", {"x": attrs.field(type=Decimal)})
    with pytest.raises(StructureHandlerNotFoundError, match="Decimal"):
        converter.structure({"x": SECRET}, model)


@pytest.mark.parametrize("number", [1, "1"])
def test_a_type_without_a_reader_in_a_user_s_reader(number: object) -> None:
    """It is the program's mistake, too, where it shows late, or beside an invalid field."""
    ours = converter.copy()
    ours.register_structure_hook(Price, lambda value, _: ours.structure(value, Decimal))
    model = attrs.make_class(
        "Model", {"number": attrs.field(type=int), "price": attrs.field(type=Price)}
    )
    with pytest.raises(StructureHandlerNotFoundError, match="Decimal"):
        ours.structure({"number": number, "price": SECRET}, model)


def test_a_model_in_a_map() -> None:
    """A key that a model of this library lacks is named, in a class of the user's, too."""
    with pytest.raises(APIResponseValidationError) as caught:
        converter.structure({"by_name": {SECRET: {}}}, Holder)
    assert "$.by_name[...].id is missing" in caught.value.message
    assert SECRET not in caught.value.message


def test_a_validator_that_changes_its_mind() -> None:
    """A value that is refused only once is refused, in words."""
    refusals = iter([ValueError(SECRET)])

    def check(_self: Any, _field: Any, _value: Any) -> None:
        for each in refusals:
            raise each

    fickle = attrs.make_class("Fickle", {"x": attrs.field(type=int, validator=check)})
    with pytest.raises(APIResponseValidationError, match=r"\$ is not valid: Fickle refuses it"):
        converter.structure({"x": 1}, fickle)


def test_a_deep_tree_takes_no_longer_than_its_size() -> None:
    """The place in a recursive class is found without reading each level twice."""
    wire: dict[str, Any] = {"value": SECRET}
    for _ in range(60):
        wire = {"value": 1, "children": {SECRET: wire}}
    with pytest.raises(APIResponseValidationError) as caught:
        converter.structure(wire, Tree)
    place = f"${60 * '.children[...]'}.value"
    assert caught.value.message.endswith(f": {place} is a string, not an integer")


def test_a_recursive_typeddict() -> None:
    """A TypedDict that holds itself is read at each level, and a place in it is found."""
    wire = {"size": 1, "inner": {"size": 2, "inner": {"size": 3}}}
    assert converter.structure(wire, Folder) == wire
    with pytest.raises(APIResponseValidationError, match=r"\$\.inner\.inner\.size is a string"):
        converter.structure({"inner": {"inner": {"size": SECRET}}}, Folder)


def test_a_user_s_reader_that_tries_two_types() -> None:
    """A reader of the user's can try `structure`, and catches this library's error."""
    ours = converter.copy()
    Either = attrs.make_class("Either", {"value": attrs.field(type=Any)})  # noqa: N806

    def read(value: Any, _: Any) -> Any:
        try:
            return Either(ours.structure(value, date))
        except APIResponseValidationError:
            return Either(ours.structure(value, str))

    ours.register_structure_hook(Either, read)
    assert ours.structure(SECRET, Either) == Either(SECRET)
    assert ours.structure("2024-01-01", Either) == Either(date(2024, 1, 1))


def test_inside_a_reader_only_the_class_is_named() -> None:
    """A reader's own `structure` looks for no places, which the whole value's search finds once."""
    ours, told = converter.copy(), []
    Outer = attrs.make_class("Outer", {"dates": attrs.field(type=Any)})  # noqa: N806

    def read(value: Any, _: Any) -> Any:
        try:
            return Outer(ours.structure(value, Dates))
        except APIResponseValidationError as error:
            told.append(error.message)
            raise

    ours.register_structure_hook(Outer, read)
    with pytest.raises(APIResponseValidationError):
        ours.structure({"day": SECRET}, Outer)
    assert set(told) == {"the body is not as documented: $ is not valid: Dates refuses it"}


def test_a_failure_inside_leaves_the_next_one_its_places() -> None:
    """After a reader has failed, the next failure names its place again."""
    for _ in range(2):
        with pytest.raises(APIResponseValidationError, match=r"\$\.day is not valid"):
            converter.structure({"day": SECRET}, Dates)


def test_named_tuples_are_arrays() -> None:
    """A named tuple is read from an array of its length."""
    assert converter.structure([1, "a"], Pair) == Pair(1, "a")
