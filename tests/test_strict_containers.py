"""The readers of objects, arrays and free-form values, and the defaults for null and ``[]``."""

from typing import Any

import pytest

from raydocs_async import _strict
from raydocs_async._strict import Mismatch, drop_spelling


def test_map() -> None:
    """An object is read as itself, not as a copy."""
    value = {"a": 1}
    assert _strict.json_map(drop_spelling)(value, dict) is value


def test_empty_map() -> None:
    """M4: an empty array is read as an empty map."""
    assert _strict.json_map(drop_spelling)([], dict) == {}


@pytest.mark.parametrize("value", [[1], [[]], "", 0, None, False])
def test_no_map(value: object) -> None:
    """An array with items, and any other value but an object, is refused as a map."""
    with pytest.raises(Mismatch, match=r"not an object$"):
        _strict.json_map(drop_spelling)(value, dict)


@pytest.mark.parametrize("value", [None, 0, "", {}, [1], [[]], False])
def test_free_form(value: object) -> None:
    """A free-form value is read unchanged."""
    assert _strict.free_form(drop_spelling)(value, Any) is value


def test_empty_free_form() -> None:
    """M4: an empty array is read as an empty map in a free-form field, too."""
    assert _strict.free_form(drop_spelling)([], Any) == {}


def test_items() -> None:
    """Items are read in order, each by the items' own reader and type."""
    read = _strict.items(lambda value, type_: (value, type_), int)
    assert read([2, 1], tuple) == ((2, int), (1, int))


@pytest.mark.parametrize("value", ["abc", {"a": 1}, (1,), None])
def test_no_items(value: object) -> None:
    """An iterable that is not an array is refused."""
    with pytest.raises(Mismatch, match=r"not an array$"):
        _strict.items(_strict.scalar(str), str)(value, tuple)


def test_fixed_items() -> None:
    """Each item of a tuple of one length is read by its own reader and type."""
    both = _strict.fixed_items([(lambda value, type_: (value, type_), kind) for kind in (int, str)])
    assert both([1, "a"], tuple) == ((1, int), ("a", str))


@pytest.mark.parametrize(
    ("value", "problem"),
    [("ab", "is a string, not an array"), ([1], "has 1 items, not 2"), ([], "has 0 items, not 2")],
)
def test_no_fixed_items(value: object, problem: str) -> None:
    """Anything but an array of that length is refused, at the place of the tuple itself."""
    with pytest.raises(Mismatch) as caught:
        _strict.fixed_items([(_strict.scalar(int), int)] * 2)(value, tuple)
    assert (caught.value.place, str(caught.value)) == ("", problem)


def test_wrong_item() -> None:
    """One refused item refuses the array."""
    with pytest.raises(Mismatch, match=r"^is a string, not an integer$"):
        _strict.items(_strict.scalar(int), int)([1, "2"], tuple)


@pytest.mark.parametrize(("value", "expected"), [(None, ()), ([1], (1,)), ([], ())])
def test_default(value: object, expected: object) -> None:
    """Null is read as the default, any other value by the reader."""
    assert _strict.or_default(_strict.items(_strict.scalar(int), int), tuple)(value, None) == (
        expected
    )


def test_default_hands_on_the_type() -> None:
    """Any value but null is read with the given type."""
    assert _strict.or_default(lambda value, type_: (value, type_), tuple)(1, int) == (1, int)


@pytest.mark.parametrize("value", [0, False, ""])
def test_no_default(value: object) -> None:
    """A false value is not taken for null."""
    with pytest.raises(Mismatch):
        _strict.or_default(_strict.items(_strict.scalar(int), int), tuple)(value, None)


@pytest.mark.parametrize(("value", "expected"), [({"a": 1}, {"a": 1}), ({}, {}), ([], {})])
def test_object(value: object, expected: object) -> None:
    """M4: a reader of objects reads PHP's spelling of an empty one, too."""
    assert _strict.an_object(lambda value, type_: (value, type_))(value, int) == (expected, int)


@pytest.mark.parametrize("value", [None, "", 0, False, [1], "abc"])
def test_no_object(value: object) -> None:
    """Any value but an object does not reach the reader of objects."""
    with pytest.raises(Mismatch, match=r"not an object$"):
        _strict.an_object(lambda value, _: value)(value, dict)


def test_items_into_a_collection() -> None:
    """An array is read into the given collection."""
    assert _strict.items(_strict.scalar(int), int, set)([2, 1, 2], None) == {1, 2}


def test_default_hands_on_the_value_to_a_model() -> None:
    """Any value but PHP's empty array is read as the given model."""
    assert _strict.or_empty(lambda value, type_: (value, type_), dict, drop_spelling)(1, int) == (
        1,
        int,
    )
