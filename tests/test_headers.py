"""Headers: they are read, whatever they say."""

import time
from collections.abc import Iterator
from email.utils import formatdate

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._headers import LONGEST_RETRY_AFTER, RateLimitHeaders, parse_retry_after
from tests.strategies import http_dates, seconds

SERVED = "Wed, 21 Oct 2026 07:28:00 GMT"


def test_frozen() -> None:
    """What headers say cannot be changed."""
    with pytest.raises(FrozenInstanceError):
        setattr(RateLimitHeaders(), attrs.fields(RateLimitHeaders)[0].name, None)


RETRY_AFTER = [
    pytest.param("0", 0.0, id="R1 zero"),
    pytest.param("5", 5.0, id="seconds"),
    pytest.param("1.5", 1.5, id="R3 a fraction"),
    pytest.param("86400", 86400.0, id="R4 a day"),
    pytest.param("1000000000", LONGEST_RETRY_AFTER, id="R3 thirty years"),
    pytest.param("9" * 400, LONGEST_RETRY_AFTER, id="R3 400 digits"),
    pytest.param("1." + "3" * 400, 4 / 3, id="R3 400 digits of a fraction"),
    pytest.param(None, None, id="R2 none"),
    pytest.param("", None, id="R3 empty"),
    pytest.param(" ", None, id="R3 blank"),
    pytest.param("-1", None, id="R3 negative"),
    pytest.param("nan", None, id="R3 nan"),
    pytest.param("inf", None, id="R3 inf"),
    pytest.param("1e9", None, id="R3 an exponent"),
    pytest.param("+5", None, id="R3 a sign"),
    pytest.param("5.", None, id="R3 half a fraction"),
    pytest.param(".5", None, id="R3 the other half"),
    pytest.param("1_0", None, id="R3 an underscore"),
    pytest.param("0x10", None, id="R3 hexadecimal"),
    pytest.param("5, 6", None, id="R3 two"),
    pytest.param("\N{ARABIC-INDIC DIGIT FIVE}", None, id="R3 other digits"),
    pytest.param("soon", None, id="R3 a word"),
    pytest.param("Wed, 21 Oct 2026 07:28:30 GMT", 30.0, id="H15 a date"),
    pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 0.0, id="H15 now"),
    pytest.param("Wed, 21 Oct 2026 09:28:30 +0200", 30.0, id="H15 another zone"),
    pytest.param("Wed, 21 Oct 2026 07:28:30", 30.0, id="R5 without zone"),
    pytest.param("Wed, 21 Oct 2026 07:28:30 -0000", 30.0, id="R5 zone unknown"),
    pytest.param("Wed, 21 Oct 2026 07:27:59 GMT", None, id="R5 in the past"),
    pytest.param("Thu, 22 Oct 2026 07:28:00 GMT", 86400.0, id="R5 a day ahead"),
    pytest.param("Thu, 22 Oct 2026 07:28:01 GMT", None, id="R5 more than a day ahead"),
    pytest.param("Wed, 99 Oct 2026 07:28:00 GMT", None, id="R5 no such day"),
    pytest.param("Wed, 21 Oct 99999 07:28:00 GMT", None, id="R5 no such year"),
    pytest.param("Wed, 21 Oct 2026 07:28:00 +99999999999", None, id="R5 no such zone"),
    pytest.param("Mon, 01 Jan 0001 00:00:00 +2359", None, id="R5 before all time"),
]


@pytest.mark.parametrize(("value", "expected"), RETRY_AFTER)
def test_retry_after(value: str | None, expected: float | None) -> None:
    """Every form of Retry-After is seconds to wait, or says nothing."""
    assert parse_retry_after(value, SERVED) == expected


@pytest.mark.parametrize(
    "date",
    [
        pytest.param(None, id="R6 missing"),
        pytest.param("", id="R6 empty"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", id="R6 in 1970"),
        pytest.param("yesterday", id="R6 no date"),
        pytest.param("Wed, 21 Oct 2026 08:28:00 GMT", id="R5 an hour later"),
    ],
)
def test_date_without_a_date_to_compare(date: str | None) -> None:
    """A date says nothing where the reply's own `Date` is missing or makes no sense of it."""
    assert parse_retry_after("Wed, 21 Oct 2026 07:28:30 GMT", date) is None


@pytest.mark.parametrize("date", [None, "", "Thu, 01 Jan 1970 00:00:00 GMT", "yesterday"])
def test_seconds_need_no_date(date: str | None) -> None:
    """R6: seconds are seconds, whatever the reply's `Date`."""
    assert parse_retry_after("7", date) == 7.0


@given(st.integers(0, 86400), seconds)
def test_dates_are_compared(wait: int, now: int) -> None:
    """A date's wait is the difference to the reply's `Date`, whenever that is."""
    until, served = (formatdate(moment, usegmt=True) for moment in (now + wait, now))
    assert parse_retry_after(until, served) == wait


DATE_WORDS = ["Wed,", "21", "Oct", "2026", "07:28:00", "GMT", "+0000", "-9999"]
ODD_WORDS = ["99999", "7:8", "1:2:3:4", "24:00:00", "+99999999999", "0", "-1", "nan", "\x00", "("]
header_values = (
    st.text()
    | http_dates
    | st.integers().map(str)
    | st.floats().map(str)
    | st.lists(st.sampled_from(DATE_WORDS + ODD_WORDS)).map(" ".join)
)


@given(header_values, st.none() | header_values)
def test_any_retry_after(value: str, date: str | None) -> None:
    """R3: any two strings give a finite wait that is not negative, or nothing."""
    wait = parse_retry_after(value, date)
    assert wait is None or 0 <= wait <= LONGEST_RETRY_AFTER


@given(
    st.dictionaries(
        st.sampled_from(["X-RateLimit-Limit", "X-RateLimit-Remaining", "Retry-After", "Date"]),
        header_values,
    )
)
def test_any_headers(headers: dict[str, str]) -> None:
    """R11: any headers are read; a limit is positive and no count negative, where there are any."""
    read = RateLimitHeaders.parse(headers)
    assert read.limit is None or read.limit > 0
    assert read.remaining is None or read.remaining >= 0
    assert read.retry_after is None or 0 <= read.retry_after <= LONGEST_RETRY_AFTER


LIMIT, REMAINING = "X-RateLimit-Limit", "X-RateLimit-Remaining"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({}, RateLimitHeaders(), id="R11 none"),
        pytest.param(
            {LIMIT: "100", REMAINING: "99", "Date": SERVED},
            RateLimitHeaders(limit=100, remaining=99, date=SERVED),
            id="a passed request",
        ),
        pytest.param(
            {LIMIT: "100", REMAINING: "0", "Retry-After": "17", "X-RateLimit-Reset": "1"},
            RateLimitHeaders(limit=100, remaining=0, retry_after=17.0),
            id="a 429",
        ),
        pytest.param(
            {"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": SERVED},
            RateLimitHeaders(retry_after=30.0, date=SERVED),
            id="H15 maintenance",
        ),
        pytest.param({LIMIT: "1"}, RateLimitHeaders(limit=1), id="the smallest limit"),
        pytest.param({LIMIT: "0"}, RateLimitHeaders(), id="R11 no limit to speak of"),
        pytest.param({LIMIT: "-1"}, RateLimitHeaders(), id="R11 negative limit"),
        pytest.param({REMAINING: "-5"}, RateLimitHeaders(remaining=0), id="R11 negative rest"),
        pytest.param(
            {LIMIT: "10", REMAINING: "99"},
            RateLimitHeaders(limit=10, remaining=99),
            id="R11 more left than the limit",
        ),
        pytest.param({LIMIT: "1.5", REMAINING: "1.5"}, RateLimitHeaders(), id="R11 fractions"),
        pytest.param({LIMIT: "", REMAINING: ""}, RateLimitHeaders(), id="R11 empty"),
        pytest.param({LIMIT: "1_0", REMAINING: "+1"}, RateLimitHeaders(), id="R11 odd integers"),
        pytest.param(
            {LIMIT: "9" * 9, REMAINING: "9" * 10},
            RateLimitHeaders(limit=999_999_999),
            id="R11 ten digits",
        ),
        pytest.param({LIMIT: "9" * 5000}, RateLimitHeaders(), id="R11 5000 digits"),
        pytest.param({LIMIT: "100, 100"}, RateLimitHeaders(), id="R11 twice"),
    ],
)
def test_rate_limit_headers(headers: dict[str, str], expected: RateLimitHeaders) -> None:
    """Numbers that cannot be meant are absent; all others are what they are."""
    assert RateLimitHeaders.parse(headers) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (None, None),
        ("", None),
        ("never", None),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:10", 10.0),
        (SERVED, 1_792_567_680.0),
    ],
)
def test_served_at(date: str | None, expected: float | None) -> None:
    """The server's clock is its `Date` in epoch seconds, where there is one."""
    assert RateLimitHeaders(date=date).served_at == expected


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local time is five hours behind."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ+5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_dates_are_not_of_the_local_zone(zone: str) -> None:
    """R5: a date that does not say where is taken for GMT, wherever this machine is."""
    date = f"Thu, 01 Jan 1970 00:00:10 {zone}".rstrip()
    assert RateLimitHeaders(date=date).served_at == 10.0
