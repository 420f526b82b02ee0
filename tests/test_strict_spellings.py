"""The spellings that a reader keeps of a value, for writing it as it came."""

from collections.abc import Callable
from typing import Any

import pytest

from raydocs_async import _strict
from raydocs_async._strict import KeepSpelling, Reader
from tests.strategies import NO_DATES


def kept_by(make: Callable[[KeepSpelling], Reader], value: object) -> list[Any]:
    """Return the spellings that a reader keeps of a value."""
    kept: list[Any] = []
    make(kept.append)(value, None)
    return kept


def time_or_none(keep: KeepSpelling) -> Reader:
    """Return the reader of optional times."""
    return _strict.time(keep, nullable=True)


def parts_or_none(keep: KeepSpelling) -> Reader:
    """Return the reader of an optional collection."""
    return _strict.or_default(_strict.items(_strict.scalar(int), int), tuple, keep)


def empty_or_map(keep: KeepSpelling) -> Reader:
    """Return the reader of a model that may be empty."""
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
    """A spelling that writing would not reproduce is kept, an empty array as a tuple."""
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
    """A value that is written as it came needs no kept spelling."""
    assert kept_by(make, value) == []
