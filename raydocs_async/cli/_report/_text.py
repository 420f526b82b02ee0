"""Text from outside, made fit for the page; pure.

Every string that the service, a file or a command line can choose passes through `shown`.
"""

import html
import re
from datetime import datetime
from typing import Any, Final

import msgspec

from raydocs_async.cli._text import plural

MOST_CHARS: Final = 10_000
"""Characters of one text in the page."""
NAME_CHARS: Final = 300
"""Characters of a name, a status or an id."""

_HIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, direction overrides, and halves of surrogate pairs, which UTF-8 cannot spell."""
_IN_SCRIPT: Final = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def shown(text: str, most: int = MOST_CHARS) -> str:
    """Return a text without characters that mislead a reader, and not longer than `most`.

    Lines and tabs stay. A text that is cut says how long it is.
    """
    kept = _HIDDEN.sub("\ufffd", text[:most].replace("\r\n", "\n"))
    return kept if len(text) <= most else f"{kept}… (cut; {len(text)} characters)"


def escape(text: str, most: int = NAME_CHARS) -> str:
    """Return a text for an element or an attribute of the page."""
    return html.escape(shown(text, most))


def embed(value: Any) -> str:
    """Return some JSON for a script element, which nothing in it can end."""
    return msgspec.json.encode(value).decode().translate(_IN_SCRIPT)


def time(value: datetime) -> str:
    """Return a time to the minute, in its own zone."""
    return value.isoformat(" ", "minutes").replace("+00:00", " UTC")


def size_name(size: int) -> str:
    """Return a number of bytes in the unit that fits."""
    for unit, digits in (("MB", 6), ("kB", 3)):
        if 10**digits <= size < 10 ** (digits + 9):
            return f"{size / 10**digits:.1f} {unit}"
    return plural(size, "byte")
