"""Times in bodies: every form in which they come, and the zero dates."""

from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest

from raydocs_async import Session, converter
from raydocs_async._converter import decode
from tests.strategies import Place, varied
from tests.support.sessions import DOCUMENT, GUIDE_SESSION, SESSION, path, problem, rewritten

HALF_PAST = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
GOOD_TIMES = [
    ("2024-01-15T10:30:00Z", HALF_PAST),
    ("2024-01-15T10:30:00.1Z", HALF_PAST.replace(microsecond=100000)),
    ("2024-01-15T10:30:00.123Z", HALF_PAST.replace(microsecond=123000)),
    ("2024-01-15T10:30:00.123456Z", HALF_PAST.replace(microsecond=123456)),
    ("2024-01-15T10:30:00.000000Z", HALF_PAST),
    ("2024-01-15T10:30:00.123456789Z", HALF_PAST.replace(microsecond=123456)),
    ("2024-01-15T10:30:00+00:00", HALF_PAST),
    ("2024-01-15T12:30:00+0200", HALF_PAST),
    ("2024-01-15T12:30:00+02:00", HALF_PAST),
    ("2024-01-15T10:30:00", HALF_PAST),
    ("2024-01-15 10:30:00", HALF_PAST),
]
BAD_TIMES = [
    "",
    "now",
    "2024-01-15",
    "2024-02-30T00:00:00Z",
    "2024-01-15T25:00:00Z",
    "-001-11-30T00:00:00.000000Z",
    "1705314600",
    "10:30:00",
]
ZERO_DATES = [
    "0000-00-00 00:00:00",
    "0000-00-00",
    "0000-00-00T00:00:00.000000Z",
    "-0001-11-30 00:00:00",
    "-0001-11-30T00:00:00.000000Z",
]


@pytest.mark.parametrize(
    ("text", "moment"), [pytest.param(*case, id=f"M9 {case[0]}") for case in GOOD_TIMES]
)
def test_times(text: str, moment: datetime) -> None:
    """Every form of a time is read as the same instant, with a time zone."""
    read = decode(varied(SESSION, {"created_at": text}), Session).created_at
    assert (read, read.tzinfo is not None) == (moment, True)


@pytest.mark.parametrize("text", [pytest.param(case[0], id=f"M9 {case[0]}") for case in GOOD_TIMES])
def test_times_are_written_as_they_came(text: str) -> None:
    """A time is written as the text that it was read from."""
    assert rewritten(varied(SESSION, {"updated_at": text}))["updated_at"] == text


def test_a_time_built_by_hand() -> None:
    """A time that was not read from a reply is written as ISO 8601, with Z for UTC."""
    moment = datetime(2024, 1, 15, 10, 30, 0, 120000, tzinfo=UTC)
    written = [converter.unstructure(each) for each in (moment, moment.replace(microsecond=0))]
    assert written == ["2024-01-15T10:30:00.120000Z", "2024-01-15T10:30:00Z"]


@pytest.mark.parametrize(
    ("place", "key"), [(SESSION, "created_at"), (DOCUMENT, "created_at")], ids=["always", "maybe"]
)
@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in BAD_TIMES])
def test_no_times(text: str, place: Place, key: str) -> None:
    """A string that is not a time is refused, in required and in optional fields."""
    expected = f"{path((*place, key))} is a string, not a time"
    assert problem(varied(place, {key: text})) == expected


@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in ZERO_DATES])
def test_zero_dates_are_no_time(text: str) -> None:
    """The zero date of MySQL and Carbon is refused in a required field."""
    assert problem(varied(SESSION, {"created_at": text})) == "$.created_at is a string, not a time"


@pytest.mark.parametrize("text", [pytest.param(case, id=f"M9 {case!r}") for case in ZERO_DATES])
def test_zero_dates_are_none(text: str) -> None:
    """The zero date of MySQL and Carbon is read as ``None`` in an optional field."""
    assert decode(varied(DOCUMENT, {"created_at": text}), Session).documents[0].created_at is None


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(UTC, id="UTC"),
        pytest.param(timezone(timedelta(hours=5, minutes=30)), id="+05:30"),
        pytest.param(timezone(-timedelta(minutes=30)), id="-00:30"),
        pytest.param(timezone(timedelta(seconds=30)), id="+00:00:30"),
    ],
)
def test_zones_of_times_built_by_hand(zone: timezone) -> None:
    """A time in any zone is read back as the same instant."""
    moment = datetime(2024, 1, 15, 10, 30, tzinfo=zone)
    session = attrs.evolve(GUIDE_SESSION, created_at=moment)
    assert decode(converter.dumps(session), Session).created_at == moment
