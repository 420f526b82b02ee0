"""Readers of single JSON values that refuse what they do not mean, where cattrs would coerce.

cattrs reads ``null`` as the string ``"None"``, 3.7 as the integer 3, ``"false"`` as true and
``"abc"`` as a list of three letters, by design: it calls the type. Each reader here takes a value
(and the type, which cattrs passes and which is not looked at) and returns it, or raises `Mismatch`.

Where two spellings in JSON are one value, a reader takes a `Note`, and calls it with the JSON value
if writing what it returns would not give that again: 12 is read as ``"12"``, and noted. So a model
can keep the spelling, while the value itself is of a plain built-in type.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType
from typing import Any, Self
from uuid import UUID

from msgspec import ValidationError, convert

Reader = Callable[[Any, Any], Any]
Note = Callable[[Any], None]

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
}
"""The collection that an array becomes, by the origin of the requested type."""


class Mismatch(ValueError):  # noqa: N818  (what it is, not what went wrong)
    """A value that its field does not take; the message tells its JSON type, not the value."""

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


def forget(_: Any) -> None:
    """A `Note` for readers of values that have no model to keep their spelling."""


def scalar(kind: type) -> Reader:
    """A reader of JSON's own `kind`, subclasses excluded: a boolean is no integer."""
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
    """A number, since JSON has one kind of them; an integer only if no digit of it is lost."""
    if value.__class__ is float or (value.__class__ is int and abs(value) <= 2**53):
        return float(value)
    raise Mismatch("a number that a float can hold", value)


def read_uuid(value: Any, _: Any) -> UUID:
    """A UUID with or without hyphens, in either case; not the other spellings `UUID` takes."""
    try:
        return convert(value, UUID)
    except ValidationError:
        raise Mismatch("a UUID", value) from None


def time(note: Note, *, nullable: bool = False) -> Reader:
    """A reader of ISO 8601 times; without a zone it is UTC, digits past the microsecond are cut.

    If it is `nullable`, ``null`` and the spellings of "no date" of MySQL and Carbon are ``None``.
    """

    def read(value: Any, _: Any) -> datetime | None:
        if nullable and value.__class__ is NoneType:
            return None
        try:
            moment = _time_of(value)
        except (TypeError, ValueError):
            if not nullable or value.__class__ is not str or not _no_date(value):
                raise Mismatch("a time", value) from None
            note(value)
            return None
        if value[4::3] == "--T::Z":  # as it will be written; to write it would take much longer
            return moment
        if value[19:] == ".000000Z" and value[10] == "T":  # Laravel's usual form
            note(value)
            return moment
        return _noted(moment, value, note)

    return read


def _noted(moment: datetime, text: str, note: Note) -> datetime:
    # `fromisoformat` takes a bare date as midnight: a time that nobody wrote.
    if text[10:11] not in ("T", " "):
        raise Mismatch("a time", text)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if write_time(aware) != text:
        note(text)
    return aware


def write_time(moment: datetime) -> str:
    """The time as ISO 8601, UTC as Z."""
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def any_id(note: Note) -> Reader:
    """A reader of ids that some replies send as a number and some as a string: always a string."""

    def read(value: Any, _: Any) -> str | None:
        if value is None or value.__class__ is str:
            return value
        if value.__class__ is not int:
            raise Mismatch("an id", value)
        note(value)
        return str(value)

    return read


def json_map(note: Note) -> Reader:
    """A reader of objects, and of PHP's ``[]`` for an empty one."""

    def read(value: Any, _: Any) -> Mapping[str, Any]:
        if value.__class__ is dict:
            return value
        if value != []:
            raise Mismatch("an object", value)
        note(())
        return {}

    return read


def free_form(note: Note) -> Reader:
    """A reader of anything; PHP's ``[]`` on top is an empty map."""

    def read(value: Any, _: Any) -> Any:
        if value != []:
            return value
        note(())
        return {}

    return read


def open_status(statuses: type[StrEnum], *, nullable: bool = False) -> Reader:
    """A member of `statuses`, or the string itself where none has that value."""
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
    """A reader of an array into a collection, each item by `read`."""

    def read_items(value: Any, _: Any) -> Any:
        if value.__class__ is not list:
            raise Mismatch("an array", value)
        return collect([read(each, item) for each in value])

    return read_items


def an_object(read: Reader) -> Reader:
    """Return `read` for objects alone, and PHP's ``[]`` for an empty one."""

    def read_object(value: Any, type_: Any) -> Any:
        if value.__class__ is not dict and value != []:
            raise Mismatch("an object", value)
        return read(value or {}, type_)

    return read_object


def or_default(read: Reader, default: Callable[[], Any], note: Note = forget) -> Reader:
    """Return `read`, with the default of an optional field in the place of ``null``."""

    def read_or_default(value: Any, type_: Any) -> Any:
        if value is not None:
            return read(value, type_)
        note(None)
        return default()

    return read_or_default


def or_empty(read: Reader, model: Callable[[], Any], note: Note) -> Reader:
    """Return `read`, with an empty model in the place of PHP's ``[]``."""

    def read_or_empty(value: Any, type_: Any) -> Any:
        if value != []:
            return read(value, type_)
        note(())
        return model()

    return read_or_empty
