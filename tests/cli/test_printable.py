"""Text from outside, made safe to show."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._printable import escape_json, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller № 1 日本 🎉", "Müller № 1 日本 🎉"),
        ("a\x1b[2J\r\n\x07", "a�[2J���"),
        ("C1 \x9b2J \x85", "C1 �2J �"),
        ("\u202etxt.exe\u2066\u2069", "�txt.exe��"),
        ("\u200b\ufeff\u2028\u2029", "����"),
        ("1\u00a0000\u3000円", "1 000 円"),
        ("\udcff\udc80.txt", r"\xff\x80.txt"),
        ("\ud800", "�"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Characters that control a terminal or cannot be encoded are replaced; words stay."""
    assert printable(text) == shown


@given(st.text(st.characters(codec=None)))
def test_printable_always(text: str) -> None:
    """Any text becomes one that can be printed and encoded."""
    shown = printable(text)
    assert shown.isprintable()
    shown.encode()


def test_printable_is_bounded() -> None:
    """A long text is cut."""
    assert printable("x" * 1_000_000, 5) == "xxxxx…"


@given(st.dictionaries(st.text(), st.text()))
def test_escape(value: dict[str, str]) -> None:
    """JSON for a terminal is the same JSON, with escapes for control characters."""
    escaped = escape_json(json.dumps(value, ensure_ascii=False, indent=1).encode())
    assert json.loads(escaped) == value
    assert escaped.decode().replace("\n", "").isprintable()
