"""The readers of single values: each reads its own type, and refuses everything else."""

from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from raydocs_async import _strict
from raydocs_async._strict import Mismatch, Reader, drop_spelling
from tests.strategies import ids, json_values


class Colour(StrEnum):
    """An enumeration to read."""

    RED = "red"


AN_ID = UUID("770e8400-e29b-41d4-a716-446655440000")

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
    """Return whether the reader of that name accepts the value."""
    try:
        READERS[name][0](value, None)
    except Mismatch:
        return False
    return True


@given(json_values)
def test_only_the_kind(value: Any) -> None:
    """A scalar of the kind is read unchanged; any other value is refused, even of a subclass."""
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
    """A mismatch names the type of the value, never the value."""
    assert str(Mismatch("what is wanted", value)) == f"is {words}, not what is wanted"


@pytest.mark.parametrize("name", READERS)
def test_null_is_nothing(name: str) -> None:
    """M6: null is refused, except by the reader of workspace ids, which are optional."""
    assert accepts(name, None) == (name == "workspace id")


@given(json_values)
def test_readers_raise_nothing_else(value: Any) -> None:
    """A reader reads any JSON or raises a `Mismatch`."""
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
    """A UUID in its usual form is read unchanged."""
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
    """Other spellings that `UUID` accepts, and other types, are refused."""
    with pytest.raises(Mismatch, match=r"not a UUID$") as caught:
        _strict.read_uuid(value, UUID)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("", ""), ("12", "12"), (12, "12"), (-1, "-1"), (2**70, str(2**70))],
)
def test_workspace_id(value: object, expected: str | None) -> None:
    """M8: an id is read as a string, from a string or an integer."""
    assert _strict.any_id(drop_spelling)(value, str) == expected


@pytest.mark.parametrize("value", [True, 1.0, [], {}])
def test_no_workspace_id(value: object) -> None:
    """M8: a boolean, or any other type, is refused as an id."""
    with pytest.raises(Mismatch, match=r"not an id$"):
        _strict.any_id(drop_spelling)(value, str)


def test_member() -> None:
    """A known status is read as the enumeration's member."""
    assert _strict.open_status(Colour, nullable=False)("red", str) is Colour.RED


@pytest.mark.parametrize("text", ["Red", "RED", "", "green"])
def test_no_member(text: str) -> None:
    """M3: an unknown status is read as the string that it is."""
    assert _strict.open_status(Colour, nullable=False)(text, str) is text


@pytest.mark.parametrize("value", [None, 1, [], {}])
def test_no_status(value: object) -> None:
    """Any value but a string is refused as a status."""
    with pytest.raises(Mismatch, match=r"not a string$"):
        _strict.open_status(Colour, nullable=False)(value, str)


def test_what_came_in_the_place_of_a_status() -> None:
    """The error names the type of a value in the place of a status."""
    with pytest.raises(Mismatch, match=r"^is an integer, not a string$"):
        _strict.open_status(Colour, nullable=True)(1, str)


@pytest.mark.parametrize(("value", "expected"), [(None, None), ("red", Colour.RED), ("", "")])
def test_status_that_may_be_absent(value: str | None, expected: str | None) -> None:
    """M6: only null is ``None`` in an optional status."""
    assert _strict.open_status(Colour, nullable=True)(value, str) == expected


@pytest.mark.parametrize(("kind", "words"), KINDS)
def test_scalar_or_none(kind: type, words: str) -> None:
    """An optional scalar accepts null, and only values of its kind besides."""
    read = _strict.scalar_or_none(kind)
    assert (read(None, kind), read(kind(), kind)) == (None, kind())
    with pytest.raises(Mismatch, match=f"^is an array, not {words}$"):
        read([], kind)


@pytest.mark.parametrize("value", [1.5, 1, 0, -(2**53), 2**53])
def test_float(value: float) -> None:
    """An integer is read as a float that equals it, because JSON has one kind of number."""
    read = _strict.read_float(value, float)
    assert (read, type(read)) == (value, float)


@pytest.mark.parametrize("value", [True, "1.5", None, 2**53 + 1, -(2**53) - 1, 2**2000])
def test_no_float(value: object) -> None:
    """Any value but a number is refused, and so is an integer that a float may not hold exactly."""
    with pytest.raises(Mismatch, match=r"not a number that a float can hold$"):
        _strict.read_float(value, float)
