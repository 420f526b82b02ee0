"""The readers of single values: what each takes, and that it refuses everything else."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from raydocs_async import _strict
from raydocs_async._strict import KeepSpelling, Mismatch, Reader, drop_spelling
from tests.strategies import ids, json_values


class Colour(StrEnum):
    """An enumeration to read."""

    RED = "red"


AN_ID = UUID("770e8400-e29b-41d4-a716-446655440000")
A_TIME = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)

KINDS = [
    pytest.param(bool, "a boolean", id="bool"),
    pytest.param(int, "an integer", id="int"),
    pytest.param(str, "a string", id="str"),
]
READERS: dict[str, tuple[Reader, str]] = {
    "uuid": (_strict.read_uuid, "a UUID"),
    "time": (_strict.time(drop_spelling), "a time"),
    "map": (_strict.json_map(drop_spelling), "an object"),
    "status": (_strict.open_status(Colour, nullable=False), "a string"),
    "items": (_strict.items(_strict.scalar(int), int), "an array"),
    "workspace id": (_strict.any_id(drop_spelling), "an id"),
}


def accepts(name: str, value: Any) -> bool:
    """Whether the reader of that name takes the value."""
    try:
        READERS[name][0](value, None)
    except Mismatch:
        return False
    return True


@given(json_values)
def test_only_the_kind(value: Any) -> None:
    """A scalar of the kind is itself; everything else is refused, a subclass included."""
    for kind in (bool, int, str):
        read = _strict.scalar(kind)
        if type(value) is kind:
            assert read(value, kind) is value
        else:
            with pytest.raises(Mismatch):
                read(value, kind)


@pytest.mark.parametrize(("kind", "words"), KINDS)
def test_message(kind: type, words: str) -> None:
    """The message has the types of the value and of the field, in JSON's words."""
    with pytest.raises(Mismatch, match=f"^is null, not {words}$"):
        _strict.scalar(kind)(None, kind)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a number with a fraction"),
        ("secret", "a string"),
        (["secret"], "an array"),
        ({"secret": 1}, "an object"),
        (b"secret", "something else"),
    ],
)
def test_mismatch(value: object, words: str) -> None:
    """A mismatch tells the type of the value, never the value."""
    assert str(Mismatch("what is wanted", value)) == f"is {words}, not what is wanted"


@pytest.mark.parametrize("name", READERS)
def test_null_is_nothing(name: str) -> None:
    """M6: no reader but that of workspace ids, which may be absent, takes null."""
    assert accepts(name, None) == (name == "workspace id")


@given(json_values)
def test_readers_raise_nothing_else(value: Any) -> None:
    """Whatever JSON there is, a reader takes it or raises a `Mismatch`."""
    assert {name: accepts(name, value) in (True, False) for name in READERS} == dict.fromkeys(
        READERS, True
    )


@pytest.mark.parametrize(
    "text",
    [str(AN_ID), str(AN_ID).upper(), AN_ID.hex],
    ids=["usual", "upper case", "without hyphens"],
)
def test_uuid(text: str) -> None:
    """A UUID is read in either case, with or without its hyphens."""
    assert _strict.read_uuid(text, UUID) == AN_ID


@given(ids)
def test_any_uuid(text: str) -> None:
    """A UUID in its usual form is read as that one."""
    assert str(_strict.read_uuid(text, UUID)) == text


@pytest.mark.parametrize(
    "value",
    [
        f"{{{AN_ID}}}",
        f"urn:uuid:{AN_ID}",
        f" {AN_ID}",
        str(AN_ID)[:-1],
        str(AN_ID).replace("7", "\N{ARABIC-INDIC DIGIT SEVEN}", 1),
        "",
        AN_ID.int,
        [str(AN_ID)],
    ],
)
def test_no_uuid(value: object) -> None:
    """Other spellings that `UUID` takes, and other types, are refused as no UUID."""
    with pytest.raises(Mismatch, match=r"not a UUID$") as caught:
        _strict.read_uuid(value, UUID)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "value", ["2024-01-15", "20240115T103000Z", "2024-01-15T99:00:00Z", 1705314600, None]
)
def test_no_time(value: object) -> None:
    """A date alone, a number and what `fromisoformat` refuses are no times."""
    with pytest.raises(Mismatch, match=r"not a time$"):
        _strict.time(drop_spelling)(value, datetime)


@pytest.mark.parametrize("separator", ["T", " "])
def test_time(separator: str) -> None:
    """Date and time are parted by a T or a space, and without a zone it is UTC."""
    read = _strict.time(drop_spelling)(f"2024-01-15{separator}10:30:00", datetime)
    assert (read, read.tzinfo) == (A_TIME, UTC)


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own zone is five hours behind."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the machine's zone is fixed")
@pytest.mark.usefixtures("_far_from_utc")
def test_time_without_zone_is_not_local() -> None:
    """M9: the zone of the machine does not matter to a time without one."""
    assert _strict.time(drop_spelling)("2024-01-15T10:30:00", datetime) == A_TIME


NO_DATES = [
    "0000-00-00",
    "0000-00-00 00:00:00",
    "0000-00-00T00:00Z",
    "0000-00-00T00:00:00.000000Z",
    "-0001-11-30 00:00:00",
    "-0001-11-30T00:00:00.000000Z",
    "-0001-11-30T00:00:00+00:00",
    "-0001-11-29T23:50:39.000000Z",
]
"""How MySQL, and Carbon after it, spell that there is no date."""


@pytest.mark.parametrize("value", [None, *NO_DATES])
def test_no_time_at_all(value: object) -> None:
    """Null, MySQL's zero date and Carbon's form of it are ``None`` where a time may be absent."""
    assert _strict.time(drop_spelling, nullable=True)(value, datetime) is None


def test_a_time_that_may_be_absent() -> None:
    """A time that is there is read where it may be absent."""
    assert _strict.time(drop_spelling, nullable=True)("2024-01-15T10:30:00Z", datetime) == A_TIME


@pytest.mark.parametrize(
    "value", ["0000-00-01", "x0000-00-00", "0000-00-000", "-0001-11-28", "-0001-12-30", 0, False]
)
def test_no_zero_date(value: object) -> None:
    """What only resembles a zero date is refused where a time may be absent, too."""
    with pytest.raises(Mismatch, match=r"not a time$"):
        _strict.time(drop_spelling, nullable=True)(value, datetime)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("", ""), ("12", "12"), (12, "12"), (-1, "-1"), (2**70, str(2**70))],
)
def test_workspace_id(value: object, expected: str | None) -> None:
    """M8: an id is a string, whether it came as one or as an integer."""
    assert _strict.any_id(drop_spelling)(value, str) == expected


@pytest.mark.parametrize("value", [True, 1.0, [], {}])
def test_no_workspace_id(value: object) -> None:
    """M8: neither a boolean nor any other type is an id."""
    with pytest.raises(Mismatch, match=r"not an id$"):
        _strict.any_id(drop_spelling)(value, str)


def test_map() -> None:
    """An object is itself, not a copy."""
    value = {"a": 1}
    assert _strict.json_map(drop_spelling)(value, dict) is value


def test_empty_map() -> None:
    """M4: an empty array is an empty map."""
    assert _strict.json_map(drop_spelling)([], dict) == {}


@pytest.mark.parametrize("value", [[1], [[]], "", 0, None, False])
def test_no_map(value: object) -> None:
    """An array with something in it, and everything else that is no object, is no map."""
    with pytest.raises(Mismatch, match=r"not an object$"):
        _strict.json_map(drop_spelling)(value, dict)


@pytest.mark.parametrize("value", [None, 0, "", {}, [1], [[]], False])
def test_free_form(value: object) -> None:
    """Anything is itself where the form is free."""
    assert _strict.free_form(drop_spelling)(value, Any) is value


def test_empty_free_form() -> None:
    """M4: where the form is free, too, an empty array is an empty map."""
    assert _strict.free_form(drop_spelling)([], Any) == {}


def test_member() -> None:
    """A status that is known is the enumeration's member."""
    assert _strict.open_status(Colour, nullable=False)("red", str) is Colour.RED


@pytest.mark.parametrize("text", ["Red", "RED", "", "green"])
def test_no_member(text: str) -> None:
    """M3: a status that is not known stays the string it is."""
    assert _strict.open_status(Colour, nullable=False)(text, str) is text


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_no_status(value: object) -> None:
    """What is no string is no status, and not looked up as one."""
    with pytest.raises(Mismatch, match=r"not a string$"):
        _strict.open_status(Colour, nullable=False)(value, str)


def test_what_came_in_the_place_of_a_status() -> None:
    """The refusal of a status tells what is there."""
    with pytest.raises(Mismatch, match=r"^is an integer, not a string$"):
        _strict.open_status(Colour, nullable=True)(1, str)


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("red", Colour.RED), ("", "")])
def test_status_that_may_be_absent(value: str | None, expected: str | None) -> None:
    """M6: null is ``None`` where a status may be absent, and nothing else is."""
    assert _strict.open_status(Colour, nullable=True)(value, str) == expected


def test_items() -> None:
    """Items come in order, each read by the items' own reader and type."""
    read = _strict.items(lambda value, type_: (value, type_), int)
    assert read([2, 1], tuple) == ((2, int), (1, int))


@pytest.mark.parametrize("value", ["abc", {"a": 1}, (1,), None])
def test_no_items(value: object) -> None:
    """What is iterable but no array is refused."""
    with pytest.raises(Mismatch, match=r"not an array$"):
        _strict.items(_strict.scalar(str), str)(value, tuple)


def test_wrong_item() -> None:
    """One item that is refused refuses them all."""
    with pytest.raises(Mismatch, match=r"^is a string, not an integer$"):
        _strict.items(_strict.scalar(int), int)([1, "2"], tuple)


@pytest.mark.parametrize(("value", "expected"), [(None, ()), ([1], (1,)), ([], ())])
def test_default(value: object, expected: object) -> None:
    """Null is the default, everything else is read."""
    assert _strict.or_default(_strict.items(_strict.scalar(int), int), tuple)(value, None) == (
        expected
    )


def test_default_hands_on_the_type() -> None:
    """What is not null is read as the type that was asked for."""
    assert _strict.or_default(lambda value, type_: (value, type_), tuple)(1, int) == (1, int)


@pytest.mark.parametrize("value", [0, False, ""])
def test_no_default(value: object) -> None:
    """What is merely false is not taken for null."""
    with pytest.raises(Mismatch):
        _strict.or_default(_strict.items(_strict.scalar(int), int), tuple)(value, None)


@pytest.mark.parametrize(("kind", "words"), KINDS)
def test_scalar_or_none(kind: type, words: str) -> None:
    """Where null is allowed, nothing else is that is not of the kind."""
    read = _strict.scalar_or_none(kind)
    assert (read(None, kind), read(kind(), kind)) == (None, kind())
    with pytest.raises(Mismatch, match=f"^is an array, not {words}$"):
        read([], kind)


def kept_by(make: Callable[[KeepSpelling], Reader], value: object) -> list[Any]:
    """Return the spellings that a reader keeps of a value."""
    kept: list[Any] = []
    make(kept.append)(value, None)
    return kept


def time_or_none(keep: KeepSpelling) -> Reader:
    """The reader of times that may be absent."""
    return _strict.time(keep, nullable=True)


def parts_or_none(keep: KeepSpelling) -> Reader:
    """The reader of a collection that may be absent."""
    return _strict.or_default(_strict.items(_strict.scalar(int), int), tuple, keep)


def empty_or_map(keep: KeepSpelling) -> Reader:
    """The reader of a model that may be empty."""
    return _strict.or_empty(_strict.json_map(keep), dict, keep)


@pytest.mark.parametrize(
    ("make", "value", "wire"),
    [
        (_strict.any_id, 12, 12),
        (_strict.json_map, [], ()),
        (_strict.free_form, [], ()),
        (parts_or_none, None, None),
        (empty_or_map, [], ()),
        *((time_or_none, text, text) for text in NO_DATES),
        (_strict.time, "2024-01-15T10:30:00.000000Z", "2024-01-15T10:30:00.000000Z"),
        (_strict.time, "2024-01-15 10:30:00Z", "2024-01-15 10:30:00Z"),
        (_strict.time, "2024-01-15T10:30:00.1Z", "2024-01-15T10:30:00.1Z"),
        (_strict.time, "2024-01-15T10:30:00.1234567Z", "2024-01-15T10:30:00.1234567Z"),
        (_strict.time, "2024-01-15T10:30:00+00:00", "2024-01-15T10:30:00+00:00"),
        (_strict.time, "2024-01-15T10:30:00", "2024-01-15T10:30:00"),
        (_strict.time, "2024-W03-1T10:30:00Z", "2024-W03-1T10:30:00Z"),
    ],
)
def test_the_spellings_that_are_kept(
    make: Callable[[KeepSpelling], Reader], value: object, wire: object
) -> None:
    """A spelling that writing would not give again is kept, an empty array as a tuple."""
    assert kept_by(make, value) == [wire]


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (_strict.any_id, "12"),
        (_strict.any_id, None),
        (_strict.json_map, {}),
        (_strict.free_form, {}),
        (_strict.free_form, None),
        (parts_or_none, []),
        (empty_or_map, {}),
        (time_or_none, None),
        (_strict.time, "2024-01-15T10:30:00Z"),
        (_strict.time, "2024-01-15T10:30:00.123456Z"),
        (_strict.time, "2024-01-15T10:30:00+02:00"),
    ],
)
def test_the_spellings_that_are_not_kept(
    make: Callable[[KeepSpelling], Reader], value: object
) -> None:
    """A value that would be written as it came needs no kept spelling."""
    assert kept_by(make, value) == []


@pytest.mark.parametrize("value", [1.5, 1, 0, -(2**53), 2**53])
def test_float(value: float) -> None:
    """JSON has one kind of number, so an integer does for a float that equals it."""
    read = _strict.read_float(value, float)
    assert (read, type(read)) == (value, float)


@pytest.mark.parametrize("value", [True, "1.5", None, 2**53 + 1, -(2**53) - 1, 2**2000])
def test_no_float(value: object) -> None:
    """What is no number is refused, and so is an integer that a float may not hold exactly."""
    with pytest.raises(Mismatch, match=r"not a number that a float can hold$"):
        _strict.read_float(value, float)


@pytest.mark.parametrize(("value", "expected"), [({"a": 1}, {"a": 1}), ({}, {}), ([], {})])
def test_object(value: object, expected: object) -> None:
    """M4: what reads an object also reads PHP's spelling of an empty one."""
    assert _strict.an_object(lambda value, type_: (value, type_))(value, int) == (expected, int)


@pytest.mark.parametrize("value", [None, "", 0, False, [1], "abc"])
def test_no_object(value: object) -> None:
    """What is no object does not reach the reader of objects."""
    with pytest.raises(Mismatch, match=r"not an object$"):
        _strict.an_object(lambda value, _: value)(value, dict)


def test_items_into_a_collection() -> None:
    """An array is read into the collection that was asked for."""
    assert _strict.items(_strict.scalar(int), int, set)([2, 1, 2], None) == {1, 2}


def test_default_hands_on_the_value_to_a_model() -> None:
    """What is not PHP's empty array is read as the model that was asked for."""
    assert _strict.or_empty(lambda value, type_: (value, type_), dict, drop_spelling)(1, int) == (
        1,
        int,
    )
