"""Classes that validate themselves: read by their own rules, refused in words without values."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from raydocs_async import APIResponseValidationError, converter

T = TypeVar("T")


class Line(msgspec.Struct):
    """A Struct with a rule of its own."""

    text: str
    amount: float

    def __post_init__(self) -> None:
        if self.amount < 0:
            raise ValueError(f"SECRET {self.amount}")


class Empty(msgspec.Struct):
    """A Struct without a required field."""

    note: str = ""


class Pair(msgspec.Struct, array_like=True):
    """A Struct that is an array in JSON."""

    first: int = 0


class Box(msgspec.Struct, Generic[T]):
    """A generic Struct."""

    value: T


class Colour(msgspec.Struct):
    """A Struct whose failure quotes the value in msgspec's own words."""

    code: int | str

    def __post_init__(self) -> None:
        if self.code == "SECRET":
            raise ValueError(f"SECRET is not a colour: {self.code}")


class Sly(msgspec.Struct):
    """A Struct whose rule is worded as if it named a place."""

    text: str

    def __post_init__(self) -> None:
        raise ValueError(f"SECRET - at `$.{self.text}`")


class SlyHolder(msgspec.Struct):
    """A Struct that holds another."""

    sly: Sly


class Bounded(msgspec.Struct, Generic[T]):
    """A generic Struct with a rule of its own."""

    value: T

    def __post_init__(self) -> None:
        raise ValueError(f"SECRET {self.value}")


def _fail() -> str:
    raise ValueError("SECRET")


class Defaulted(pydantic.BaseModel):
    """A model whose default fails, which pydantic passes on as it is."""

    text: str = pydantic.Field(default_factory=_fail)


class Invoice(pydantic.BaseModel):
    """A pydantic model with a validator of its own."""

    total: float
    lines: list[int] = []

    @pydantic.field_validator("total")
    @classmethod
    def check(cls, total: float) -> float:
        """Refuse negative totals, and quote them."""
        if total < 0:
            raise ValueError(f"SECRET {total}")
        return total


class Optional(pydantic.BaseModel):
    """A model without a required field."""

    note: str = ""


class Numbers(pydantic.RootModel[list[int]]):
    """A model that is an array in JSON."""


@pydantic.dataclasses.dataclass
class Rate:
    """A data class of pydantic."""

    percent: int


@pydantic.dataclasses.dataclass
class Note:
    """A data class of pydantic without a required field."""

    text: str = ""


@attrs.frozen
class Share:
    """An attrs class with a validator, which quotes the value."""

    of: int = attrs.field(validator=attrs.validators.lt(100))


@dataclass
class Period:
    """A data class with a rule of its own, which quotes the value."""

    days: int

    def __post_init__(self) -> None:
        if self.days < 0:
            raise TypeError(f"SECRET {self.days}")


@attrs.frozen
class Order:
    """An attrs class that holds both kinds."""

    invoice: Invoice
    lines: tuple[Line, ...] = ()


@pytest.mark.parametrize(
    ("wire", "type_", "expected"),
    [
        ({"text": "a", "amount": 1}, Line, Line("a", 1.0)),
        ([{"text": "a", "amount": 1.5}], list[Line], [Line("a", 1.5)]),
        ([], Empty, Empty()),
        ([], Pair, Pair()),
        ([3], Pair, Pair(3)),
        ({"value": 3}, Box[int], Box(3)),
        ({"total": 3}, Invoice, Invoice(total=3)),
        ({"total": "3.5"}, Invoice, Invoice(total=3.5)),
        ([], Optional, Optional()),
        ([], Numbers, Numbers([])),
        ([1], Numbers, Numbers([1])),
        ({"percent": 3}, Rate, Rate(3)),
        ({"code": "red"}, Colour, Colour("red")),
        ({"days": 3}, Period, Period(3)),
        ([], Note, Note()),
        ({"of": 3}, Share, Share(3)),
        (
            {"invoice": {"total": 1}, "lines": [{"text": "a", "amount": 1}]},
            Order,
            Order(Invoice(total=1), (Line("a", 1.0),)),
        ),
    ],
)
def test_what_is_read(wire: Any, type_: Any, expected: object) -> None:
    """A class takes what its own rules accept, and PHP's ``[]`` for an empty object."""
    assert converter.structure(wire, type_) == expected


@pytest.mark.parametrize(
    ("wire", "type_", "problem"),
    [
        ({"text": 7, "amount": 1}, Line, "$.text is not valid: expected `str`, got `int`"),
        ([{"amount": 1}], list[Line], "$[0] is not valid: object missing required field `text`"),
        ({"text": "a", "amount": -1}, Line, "$ is not valid: Line refuses it"),
        ({"value": "SECRET"}, Box[int], "$.value is not valid: expected `int`, got `str`"),
        ({"code": "SECRET"}, Colour, "$ is not valid: Colour refuses it"),
        ({"sly": {"text": "SECRET"}}, SlyHolder, "$.sly is not valid: SlyHolder refuses it"),
        ({"value": 1}, Bounded[int], "$ is not valid: Bounded refuses it"),
        ({}, Defaulted, "$ is not valid: Defaulted refuses it"),
        ({"total": "SECRET"}, Invoice, "$.total is not valid: float_parsing"),
        ({"total": -1}, Invoice, "$.total is not valid: value_error"),
        ({"total": 1, "lines": [1, "SECRET"]}, Invoice, "$.lines[1] is not valid: int_parsing"),
        ("SECRET", Invoice, "$ is not valid: model_type"),
        ({"percent": "SECRET"}, Rate, "$.percent is not valid: int_parsing"),
        ({"of": 100}, Share, "$ is not valid: Share refuses it"),
        ([{"days": -1}], list[Period], "$[0] is not valid: Period refuses it"),
        ({"invoice": {}}, Order, "$.invoice.total is not valid: missing"),
        (
            {"invoice": {"total": 1}, "lines": [{"text": "a", "amount": "SECRET"}]},
            Order,
            "$.lines[0].amount is not valid: expected `float`, got `str`",
        ),
    ],
)
def test_what_is_refused(wire: Any, type_: Any, problem: str) -> None:
    """The message has the place and the rule, and nothing of the value."""
    with pytest.raises(APIResponseValidationError) as caught:
        converter.structure(wire, type_)
    assert caught.value.message == f"the body is not as documented: {problem}"
