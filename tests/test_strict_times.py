"""The reader of times: its forms, the zone, and the spellings of no date."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from raydocs_async import _strict
from raydocs_async._strict import Mismatch, drop_spelling
from tests.strategies import NO_DATES

A_TIME = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["2024-01-15", "20240115T103000Z", "2024-01-15T99:00:00Z", 1705314600, None]
)
def test_no_time(value: object) -> None:
    """A date alone, a number, and a text that `fromisoformat` refuses are not times."""
    with pytest.raises(Mismatch, match=r"not a time$"):
        _strict.time(drop_spelling)(value, datetime)


@pytest.mark.parametrize("separator", ["T", " "])
def test_time(separator: str) -> None:
    """A T or a space separates date and time, and a time without a zone is UTC."""
    read = _strict.time(drop_spelling)(f"2024-01-15{separator}10:30:00", datetime)
    assert (read, read.tzinfo) == (A_TIME, UTC)


@pytest.fixture
def _far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the machine's own zone five hours behind UTC."""
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the machine's zone is fixed")
@pytest.mark.usefixtures("_far_from_utc")
def test_time_without_zone_is_not_local() -> None:
    """M9: a time without a zone does not depend on the machine's zone."""
    assert _strict.time(drop_spelling)("2024-01-15T10:30:00", datetime) == A_TIME


@pytest.mark.parametrize("value", [None, *NO_DATES])
def test_no_time_at_all(value: object) -> None:
    """Null, MySQL's zero date and Carbon's form of it are ``None`` in an optional field."""
    assert _strict.time(drop_spelling, nullable=True)(value, datetime) is None


def test_a_time_that_may_be_absent() -> None:
    """A time in an optional field is read as in a required one."""
    assert _strict.time(drop_spelling, nullable=True)("2024-01-15T10:30:00Z", datetime) == A_TIME


@pytest.mark.parametrize(
    "value", ["0000-00-01", "x0000-00-00", "0000-00-000", "-0001-11-28", "-0001-12-30", 0, False]
)
def test_no_zero_date(value: object) -> None:
    """A text that only resembles a zero date is refused in an optional field, too."""
    with pytest.raises(Mismatch, match=r"not a time$"):
        _strict.time(drop_spelling, nullable=True)(value, datetime)
