"""Readers of single JSON values that refuse what they do not mean, where cattrs would coerce.

cattrs reads ``null`` as the string ``"None"``, 3.7 as the integer 3, ``"false"`` as true and
``"abc"`` as a list of three letters, by design: it calls the type. Each reader here takes a value
(and the type, which cattrs passes and which is not looked at) and returns it, or raises `Mismatch`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

Reader = Callable[[Any, Any], Any]

# MySQL's "no date", which PHP passes on when nobody told it otherwise.
_zero_date = re.compile(r"0000-00-00([T ].*)?").fullmatch

_JSON_NAMES: Mapping[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class Mismatch(ValueError):  # noqa: N818  (what it is, not what went wrong)
    """A value that is not what its field takes; the message tells its JSON type, not the value."""

    def __init__(self, expected: str, value: object) -> None:
        got = _JSON_NAMES.get(type(value), "something else")
        super().__init__(f"is {got}, not {expected}")


class EmptyMap(dict[str, Any]):
    """An empty map that came as ``[]`` or ``null``; equal to ``{}``, and written as it came."""

    __slots__ = ("wire",)

    def __init__(self, wire: list[Any] | None = None) -> None:
        self.wire = wire


class NullItems(tuple[Any, ...]):
    """No items, which came as ``null``; equal to ``()``, and written as they came."""

    __slots__ = ()


class IntegerId(str):
    """An id that came as an integer; equal to its decimal string, and written as it came."""

    __slots__ = ()


def scalar(kind: type) -> Reader:
    """A reader of JSON's own `kind`, subclasses excluded: a boolean is no integer."""
    expected = _JSON_NAMES[kind]

    def read(value: Any, _: Any) -> Any:
        if value.__class__ is not kind:
            raise Mismatch(expected, value)
        return value

    return read


def scalar_or_none(kind: type) -> Reader:
    """As `scalar`, ``null`` allowed."""
    expected = _JSON_NAMES[kind]

    def read(value: Any, _: Any) -> Any:
        if value is not None and value.__class__ is not kind:
            raise Mismatch(expected, value)
        return value

    return read


def read_uuid(value: Any, _: Any) -> UUID:
    """A UUID with or without hyphens, in either case; not the other spellings `UUID` takes."""
    try:
        return msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        raise Mismatch("a UUID", value) from None


def read_time(value: Any, _: Any) -> datetime:
    """An ISO 8601 time; without a zone it is UTC, digits past the microsecond are cut off."""
    # `fromisoformat` takes a bare date as midnight: a time that nobody wrote.
    if value.__class__ is str and value[10:11] in ("T", " "):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    raise Mismatch("a time", value)


def read_time_or_none(value: Any, type_: Any) -> datetime | None:
    """As `read_time`; ``null`` and MySQL's zero date are ``None``."""
    if value is None:
        return None
    try:
        return read_time(value, type_)
    except Mismatch:
        if value.__class__ is str and _zero_date(value):
            return None
        raise


def read_workspace_id(value: Any, _: Any) -> str | None:
    """An id that some replies send as a number and some as a string: always a string."""
    if value.__class__ is int:
        return IntegerId(value)
    if value is None or value.__class__ is str:
        return value
    raise Mismatch("an id", value)


def read_map(value: Any, _: Any) -> Mapping[str, Any]:
    """An object, or PHP's ``[]`` for an empty one."""
    if value.__class__ is dict:
        return value
    if value == []:
        return EmptyMap([])
    raise Mismatch("an object", value)


def read_free_form(value: Any, _: Any) -> Any:
    """Anything; PHP's ``[]`` on top is an empty map."""
    return EmptyMap([]) if value == [] else value


def open_status(statuses: type[StrEnum], *, nullable: bool) -> Reader:
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


def items(read: Reader, item: Any) -> Reader:
    """A reader of an array into a tuple, each item by `read`."""

    def read_items(value: Any, _: Any) -> tuple[Any, ...]:
        if value.__class__ is not list:
            raise Mismatch("an array", value)
        return tuple([read(each, item) for each in value])

    return read_items


def or_default(read: Reader, default: Callable[[], Any]) -> Reader:
    """As `read`, with the default of a field that may be absent in the place of ``null``."""

    def read_or_default(value: Any, type_: Any) -> Any:
        return default() if value is None else read(value, type_)

    return read_or_default
