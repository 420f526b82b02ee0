"""The columns of a table, with a type that holds every value without loss; pure.

A value is kept as it is spelled in JSON until all values are known. A column whose values are of
different types is text, spelled as in the JSON.
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any, Final

import msgspec
from attrs import Factory, define

from raydocs_async.cli._printable import printable

Key = tuple[str, ...]
"""The origin of a value, and the path below it: ``("data", "invoice", "total")``. Two origins can
have values of the same name; they are different columns."""

FIXED: Final = ""
"""The origin of the columns that every table of a kind has."""

MAX_COLUMNS: Final = 2000
"""Columns that SQLite accepts in a table, unless it was built with another limit."""

_MAX_DIGITS: Final = 38
"""Digits of DuckDB's and Parquet's longest decimals."""
_SHORT_DIGITS: Final = 18
"""Digits of a decimal that takes 8 bytes."""
_INT64: Final = range(-(2**63), 2**63)
_MAX_EXACT: Final = 2**53
"""The integers up to this one are doubles."""


class Kind(Enum):
    """The type of a value."""

    TEXT = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    FRACTION = auto()
    """A number that is spelled with a fraction or an exponent."""
    TIME = auto()
    JSON = auto()
    """An array or an object."""


_NUMBERS: Final = {Kind.INTEGER, Kind.FRACTION}
_KINDS: Final = {
    str: Kind.TEXT,
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    msgspec.Raw: Kind.FRACTION,
    datetime: Kind.TIME,
}
_UNMIXED: Final = {Kind.BOOLEAN: "BOOLEAN", Kind.TIME: "TIMESTAMPTZ"}


@define
class Column:
    """One column, and the extent of its values so far."""

    id: str
    """Its name while the table is made."""
    name: str
    """Its name in the table."""
    is_kept: bool = True
    """False if the table is to have other columns only."""
    default: Kind = Kind.TEXT
    """The type of a column without values."""
    kinds: set[Kind] = Factory(set)
    whole_digits: int = 0
    """Digits in front of the point, of the longest number."""
    scale: int = 0
    """Digits behind the point, of the longest fraction."""
    fits_int64: bool = True
    fits_double: bool = True
    """True if each number is the very value of a double."""

    def spell(self, value: Any) -> str | None:
        """Return the text of a JSON value, and take note of its type."""
        if value is None:
            return None
        kind = kind_of(value)
        self.kinds.add(kind)
        text = spell(value)
        if kind in _NUMBERS:
            self._measure(text, is_integer=kind is Kind.INTEGER)
        return text

    def _measure(self, text: str, *, is_integer: bool) -> None:
        """Take note of a number's extent."""
        if is_integer:
            number = int(text)
            whole_digits, scale = len(text.lstrip("-")), 0
            self.fits_int64 = self.fits_int64 and number in _INT64
            self.fits_double = self.fits_double and abs(number) <= _MAX_EXACT
        else:
            whole_digits, scale = _count_digits(text)
            self.fits_double = self.fits_double and _is_double(text)
        self.whole_digits = max(self.whole_digits, whole_digits)
        self.scale = max(self.scale, scale)

    @property
    def is_json(self) -> bool:
        """True if all values are arrays or objects."""
        return self.kinds == {Kind.JSON}

    @property
    def sql_type(self) -> str:
        """The type in DuckDB and Parquet."""
        kinds = self.kinds or {self.default}
        if len(kinds) == 1 and (unmixed := _UNMIXED.get(next(iter(kinds)))):
            return unmixed
        if not kinds <= _NUMBERS:
            return "VARCHAR"
        if kinds == {Kind.INTEGER} and self.fits_int64:
            return "BIGINT"
        digits = self.whole_digits + self.scale
        if digits <= _MAX_DIGITS:
            width = _SHORT_DIGITS if digits <= _SHORT_DIGITS else _MAX_DIGITS
            return f"DECIMAL({width},{self.scale})"
        return "DOUBLE" if self.fits_double else "VARCHAR"

    @property
    def sqlite_type(self) -> str:
        """The type in SQLite, whose longest numbers are a 64-bit integer and a double."""
        match self.sql_type:
            case "BOOLEAN" | "BIGINT":
                return "INTEGER"
            case "VARCHAR" | "TIMESTAMPTZ":
                return "TEXT"
        return "REAL" if self.fits_double else "TEXT"


def path_name(key: Key) -> str:
    """Return a path as a name: ``invoice.total``; that of a whole value is its origin."""
    return ".".join(key[1:]) or key[0]


def kind_of(value: Any) -> Kind:
    """Return the type of a value other than ``None``."""
    return _KINDS.get(type(value), Kind.TEXT if isinstance(value, str) else Kind.JSON)


def spell(value: Any) -> str:
    """Return the text of a value other than ``None``."""
    match value:
        case str():
            return str(value)  # of a status, which is a `StrEnum`, the plain string
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case msgspec.Raw():
            return bytes(value).decode()
        case datetime():
            return value.isoformat()
    return msgspec.json.encode(value).decode()


def _count_digits(text: str) -> tuple[int, int]:
    """Return the digits in front of the point and behind it, of a fraction."""
    whole, _, fraction = text.lstrip("-").partition(".")
    if fraction.isdecimal():
        return len(whole), len(fraction)
    try:
        _, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # an exponent of 20 digits
        return _MAX_DIGITS + 1, 0
    assert isinstance(exponent, int)
    return max(len(digits) + exponent, 1), max(-exponent, 0)


def _is_double(text: str) -> bool:
    shortest = repr(float(text))
    if shortest == text:
        return True
    try:
        return Decimal(shortest) == Decimal(text)
    except InvalidOperation:
        return False


class ColumnNames:
    """Gives each column a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add(self, key: Key) -> str:
        """Return the name of a new column: its path, and a number if that name is taken.

        Databases ignore the case of names, so ``Total`` and ``total`` need different ones.
        """
        base = name = printable(path_name(key))
        number = 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name.casefold())
        return name
