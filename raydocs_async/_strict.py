"""Strict readers of single JSON values: they refuse a value of another type, and never coerce it.

cattrs coerces by design, because it calls the type: it reads ``null`` as the string ``"None"``, 3.7
as the integer 3, ``"false"`` as true and ``"abc"`` as a list of three letters. Each reader here
takes a value (and its type, which cattrs passes and which is ignored), and returns the value or
raises `Mismatch`.

JSON can spell one value in several ways: an id as ``12`` or ``"12"``. If the returned value would
be written in another spelling, the reader calls its `KeepSpelling` with the JSON value. So a model
can keep the spelling, while the value itself is of a plain built-in type.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, MutableSequence, MutableSet, Sequence, Set
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType
from typing import Any, Self
from uuid import UUID

from msgspec import ValidationError, convert

Reader = Callable[[Any, Any], Any]
"""Takes a JSON value and the requested type, and returns the value to put into a model."""
KeepSpelling = Callable[[Any], None]
"""Takes a JSON value whose spelling the read value does not show."""

_time_of = datetime.fromisoformat
# MySQL's "no date" is 0000-00-00. Carbon counts its month and day back from zero, and ends a day
# earlier if it also goes from a zone east of Greenwich to UTC.
_no_date = re.compile(r"(0000-00-00|-0001-11-(29|30))([T ].*)?").fullmatch

_JSON_NAMES: Mapping[type, str] = {
    NoneType: "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    str: "a string",
    list: "an array",
    dict: "an object",
}


ARRAYS: Mapping[Any, Callable[[list[Any]], Any]] = {
    tuple: tuple,
    list: list,
    set: set,
    frozenset: frozenset,
    deque: deque,
    Sequence: tuple,
    MutableSequence: list,
    Set: frozenset,
    MutableSet: set,
}
"""The collection that an array becomes, by the requested type or its origin."""


class Mismatch(ValueError):  # noqa: N818  (a value beside a type, not a failure)
    """A value that does not fit its field; the message names its JSON type, never the value."""

    place = ""
    """The place below the value that was read, as in ``.items[0]``."""

    def __init__(self, expected: str, value: object) -> None:
        got = _JSON_NAMES.get(type(value), "something else")
        super().__init__(f"is {got}, not {expected}")

    @classmethod
    def at(cls, place: str, message: str) -> Self:
        """Return a mismatch at a place below the value, in other words."""
        mismatch = cls.__new__(cls, message)
        mismatch.place = place
        return mismatch


def drop_spelling(_: Any) -> None:
    """Do nothing: a `KeepSpelling` for values outside of a model, which cannot keep spellings."""


def scalar(kind: type) -> Reader:
    """Return a reader of exactly `kind`: Python's ``bool`` is an ``int``, JSON's boolean is not."""
    expected = _JSON_NAMES[kind]

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not kind:
            raise Mismatch(expected, value)
        return value

    return read


def scalar_or_none(kind: type) -> Reader:
    """Return a reader like `scalar` that also accepts ``null``."""
    expected = _JSON_NAMES[kind]

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not kind and value is not None:
            raise Mismatch(expected, value)
        return value

    return read


def read_float(value: Any, _: Any) -> float:
    """Read a number with or without a fraction; an integer only if a float holds all its digits."""
    if value.__class__ is float or (value.__class__ is int and abs(value) <= 2**53):
        return float(value)
    raise Mismatch("a number that a float can hold", value)


def read_uuid(value: Any, _: Any) -> UUID:
    """Read a UUID with or without hyphens, in either case, and in no other spelling."""
    try:
        return convert(value, UUID)
    except ValidationError:
        raise Mismatch("a UUID", value) from None


def time(keep: KeepSpelling, *, nullable: bool = False) -> Reader:
    """Return a reader of ISO 8601 times.

    A time without a zone is UTC, and digits after the microsecond are cut. If it is `nullable`,
    ``null`` and the spellings of "no date" of MySQL and Carbon are read as ``None``.
    """

    def read(value: Any, _: Any) -> datetime | None:
        if nullable and value.__class__ is NoneType:
            return None
        try:
            moment = _time_of(value)
        except (TypeError, ValueError):
            if not nullable or value.__class__ is not str or not _no_date(value):
                raise Mismatch("a time", value) from None
            keep(value)
            return None
        if value[19:] == ".000000Z" and value[10] == "T":  # Laravel's usual form
            keep(value)
            return moment
        if value[4::3] == "--T::Z":  # as `write_time` writes it, which would take longer
            return moment
        return _aware_time(moment, value, keep)

    return read


def _aware_time(moment: datetime, text: str, keep: KeepSpelling) -> datetime:
    # `fromisoformat` reads a bare date as midnight, which is not in the reply.
    if text[10:11] not in ("T", " "):
        raise Mismatch("a time", text)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if write_time(aware) != text:
        keep(text)
    return aware


def write_time(moment: datetime) -> str:
    """Return the time in ISO 8601, with UTC as Z."""
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def any_id(keep: KeepSpelling) -> Reader:
    """Return a reader of ids that are a number or a string in JSON; both are read as a string."""

    def read(value: Any, _: Any) -> str | None:
        if value is None or value.__class__ is str:
            return value
        if value.__class__ is not int:
            raise Mismatch("an id", value)
        keep(value)
        return str(value)

    return read


def json_map(keep: KeepSpelling) -> Reader:
    """Return a reader of objects, and of PHP's ``[]`` for an empty one."""

    def read(value: Any, _: Any) -> Mapping[str, Any]:
        if value.__class__ is dict:
            return value
        if value != []:
            raise Mismatch("an object", value)
        keep(())
        return {}

    return read


def free_form(keep: KeepSpelling) -> Reader:
    """Return a reader of any JSON; PHP's ``[]`` at the top is an empty map."""

    def read(value: Any, _: Any) -> Any:
        if value != []:
            return value
        keep(())
        return {}

    return read


def open_status(statuses: type[StrEnum], *, nullable: bool = False) -> Reader:
    """Return a reader of a member of `statuses`, or of a string that is not among them."""
    members: dict[str, str] = {member.value: member for member in statuses}

    def read(value: Any, _: Any) -> str | None:
        if value.__class__ is str:
            text: str = value
            return members.get(text, text)
        if value is None and nullable:
            return None
        raise Mismatch("a string", value)

    return read


def items(read: Reader, item: Any, collect: Callable[[list[Any]], Any] = tuple) -> Reader:
    """Return a reader of an array into a collection, each item by `read`."""

    def read_items(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch("an array", value)
        return collect([read(each, item) for each in value])

    return read_items


def fixed_items(readers: Sequence[tuple[Reader, Any]]) -> Reader:
    """Return a reader of an array into a tuple of one length, each item by its reader and type."""

    def read_items(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch("an array", value)
        if len(value) != len(readers):
            raise Mismatch.at("", f"has {len(value)} items, not {len(readers)}")
        return tuple(read(each, type_) for each, (read, type_) in zip(value, readers, strict=True))

    return read_items


def an_object(read: Reader) -> Reader:
    """Return `read` for objects alone; PHP's ``[]`` is an empty one."""

    def read_object(value: Any, type_: Any) -> Any:
        if value.__class__ is not dict and value != []:
            raise Mismatch("an object", value)
        return read(value or {}, type_)

    return read_object


def or_default(
    read: Reader, default: Callable[[], Any], keep: KeepSpelling = drop_spelling
) -> Reader:
    """Return `read`, but read ``null`` as the default of an optional field."""

    def read_or_default(value: Any, type_: Any) -> Any:
        if value is not None:
            return read(value, type_)
        keep(None)
        return default()

    return read_or_default


def or_empty(read: Reader, model: Callable[[], Any], keep: KeepSpelling) -> Reader:
    """Return `read`, but read PHP's ``[]`` as an empty model."""

    def read_or_empty(value: Any, type_: Any) -> Any:
        if value != []:
            return read(value, type_)
        keep(())
        return model()

    return read_or_empty
