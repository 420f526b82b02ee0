"""Text that is safe to show: every path, id and name from outside passes through here; pure."""

import json
from typing import Final

MAX_MESSAGE: Final = 10_000
"""Characters of a message; enough for the longest path twice."""


def printable(text: str, max_length: int = MAX_MESSAGE) -> str:
    r"""Return `text` without characters that control a terminal or cannot be encoded.

    Bytes of a file name or an argument that are not UTF-8 become ``\xff``. Control characters,
    line ends, direction marks and zero-width characters become U+FFFD.

    Args:
        text: Any string, with surrogates or without.
        max_length: Characters to show; ``…`` replaces the rest.
    """
    shown = "".join(map(_show, text[:max_length]))
    return shown if len(text) <= max_length else f"{shown}…"


def _show(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":  # PEP 383: one byte that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    # `isprintable` is false for every space but U+0020, so French no-break spaces and Japanese
    # wide ones would be lost. `isspace` is true for the line and paragraph separators, which
    # would break the line.
    return " " if char.isspace() and char > "\x85" and char not in "\u2028\u2029" else "\ufffd"


def escape_json(record: bytes) -> bytes:
    """Return the same JSON with escapes for the characters that control a terminal."""
    shown = (c if c.isprintable() or c in " \n" else json.dumps(c)[1:-1] for c in record.decode())
    return "".join(shown).encode()
