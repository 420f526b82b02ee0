"""The gate for text from elsewhere: every path, id and name that is shown goes through it; pure."""

import json
from typing import Final

LONGEST: Final = 10_000
"""Characters of a message; enough for the longest path twice."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""Return `text` with nothing in it that steers a terminal or cannot be encoded.

    Bytes of a file name or an argument that are not UTF-8 become ``\xff``. Control characters,
    line ends, marks of direction and characters without width become U+FFFD.

    Args:
        text: Any string, with surrogates or without.
        longest: Characters to show; the rest is replaced by ``…``.
    """
    shown = "".join(map(_shown, text[:longest]))
    return shown if len(text) <= longest else f"{shown}…"


def _shown(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":  # PEP 383's spelling of one byte that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    # `isprintable` denies it to all spaces but one: the no-break space of French, the wide one of
    # Japanese. The separators of lines and paragraphs are no spaces.
    return " " if char.isspace() and char > "\x85" and char not in "\u2028\u2029" else "\ufffd"


def escape(record: bytes) -> bytes:
    """Return the same JSON for a terminal, with escapes for what would steer it."""
    shown = (c if c.isprintable() or c in " \n" else json.dumps(c)[1:-1] for c in record.decode())
    return "".join(shown).encode()
