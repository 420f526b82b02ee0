"""Text that the report's page shows."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._report._text import embed, escape, shown, time
from tests.support.markup import ATTACKS

HARMLESS = "naïve \u05d0\u200f \U0001f468\u200d\U0001f469"
"""Text with a mark of its direction, and a joiner in an emoji."""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("two\r\nlines\tand\na tab", "two\nlines\tand\na tab"),
        ("a\0b\x1bc\x7fd\x9be", "a\ufffdb\ufffdc\ufffdd\ufffde"),
        ("a\u202eb\u2069c", "a\ufffdb\ufffdc"),
        ("a\udcffb\ud800", "a\ufffdb\ufffd"),
        (HARMLESS, HARMLESS),
    ],
)  # fmt: skip
def test_characters(text: str, wanted: str) -> None:
    """Controls, overrides and broken characters are replaced; text of every language stays."""
    assert shown(text) == wanted


def test_long_text() -> None:
    """A long text is cut, and says how long it was."""
    assert shown("x" * 10_000) == "x" * 10_000
    assert shown("x" * 10_000_000) == "x" * 10_000 + "… (cut; 10000000 characters)"


@pytest.mark.parametrize("attack", ATTACKS)
def test_escaped(attack: str) -> None:
    """Text in an element or attribute neither begins markup nor ends a quote."""
    assert not set("<>\"'") & set(escape(attack))


@given(st.text(st.characters()) | st.sampled_from(ATTACKS))
def test_embedded(text: str) -> None:
    """JSON in a script element has nothing that HTML knows, and is the same JSON."""
    embedded = embed([shown(text)])
    assert not set("<>&\u2028\u2029") & set(embedded)
    assert json.loads(embedded) == [shown(text)]


def test_times() -> None:
    """A time is shown to the minute with its zone, also at the end of the calendar."""
    assert time(datetime(2026, 7, 3, 8, 59, 31, tzinfo=UTC)) == "2026-07-03 08:59 UTC"
    last = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-2)))
    assert time(last) == "9999-12-31 23:59-02:00"
