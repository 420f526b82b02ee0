r"""Text from outside, with the token hidden, as one printable line; pure.

Servers, proxies and gateways quote requests in their errors, so any text of a reply can hold the
token, often in another spelling than was sent: PHP writes ``/`` as ``\/`` in JSON, a log service
percent-encodes, an HTML page has entities, and one can be inside another. A `Redactor` finds the
token in all these spellings, mixed and nested up to `_NESTED` deep:

- JSON and JavaScript: ``\u007c``, ``\x7c``, a backslash before any character;
- headers: a quoted pair, which is a backslash before any character, too;
- percent: ``%7C``, also ``%257C`` and ``%u007c``;
- HTML: ``&#124;``, ``&#x7c;``, ``&vert;``;
- UTF-16: NULs between the characters;
- upper and lower case, of escapes and of the token.

A token that was cut, hashed, encrypted or encoded in base64 is not found.
"""

import re
from array import array
from collections.abc import Iterator, Sequence
from html import unescape

from raydocs_async._secret import REDACTED, Secret

_NESTED = 8
"""Encodings inside of each other that are decoded."""
_SHORT = 8
"""Characters; a shorter token is hidden only as a whole word, because it is part of many words."""
_LONG_ENOUGH = 16
"""Characters of ``secret`` in a token ``id|secret`` from which on it is hidden alone, too."""

# A run of backslashes or NULs is matched as a whole (`++`), and only from its beginning. Otherwise
# the search takes quadratic time, and a server could stop the client by a long run.
_escape = re.compile(
    r"(?:(?<!\\)\\++(?:u00|x)|%(?:u00)?)(?P<hex>[2-7][0-9a-f])"
    r"|(?<!\\)\\++(?P<quoted>[^\\\0])"
    r"|(?<!\0)\0++(?P<wide>.)"
    r"|&(?:\#[0-9]{2,9};?|\#x[0-9a-f]{2,9};?|[a-z]{2,12};)",
    re.IGNORECASE | re.DOTALL,
)


class Redactor:
    """Hides one token in texts, and makes lines of them.

    Args:
        token: The token to hide. Of ``id|secret``, ``secret`` alone is hidden, too. If it is empty,
            nothing is hidden.
    """

    __slots__ = ("_pattern", "_token")

    def __init__(self, token: Secret) -> None:
        self._token = token
        self._pattern = re.compile("|".join(_patterns(token)) or "(?!)", re.IGNORECASE | re.ASCII)

    def __repr__(self) -> str:
        return f"Redactor({self._token!r})"

    def line(self, text: str, length: int) -> str:
        """Return `text` as one printable line of at most `length` characters, without the token."""
        # Hide before the cut: the half of a token that a cut leaves would not be found.
        text = self._hidden(text)
        line = " ".join("".join(map(_printable, text[:length])).split())
        return line if len(text) <= length else line[: length - 1] + "…"

    def body(self, body: bytes) -> bytes:
        """Return the body without the token, and otherwise unchanged."""
        # Latin-1 has a character for every byte, so bytes that are not text come out unchanged.
        return self._hidden(body.decode("latin-1")).encode("latin-1")

    def _hidden(self, text: str) -> str:
        parts: list[str] = []
        end = 0
        # Places overlap: a token is found in several layers, and its secret is found alone as well.
        # Without both bounds, one would be hidden twice, and the end of a longer one shown again.
        for start, stop in sorted(self._quotations(text)):
            if start >= end:
                parts += text[end:start], REDACTED
            end = max(end, stop)
        return "".join((*parts, text[end:]))

    def _quotations(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the places of the token, in any spelling; a place may come more than once."""
        decoded = text
        origins: Sequence[int] = range(len(text) + 1)
        for _ in range(1 + _NESTED):
            for found in self._pattern.finditer(decoded):
                yield origins[found.start()], origins[found.end()]
            before = decoded
            decoded, origins = _decode(before, origins)
            if decoded == before:
                return


def _patterns(token: str) -> Iterator[str]:
    """Yield expressions for the token, and for the token with its own escapes decoded."""
    for _ in range(_NESTED):
        if token:
            yield _pattern(token)
        _, bar, secret = token.rpartition("|")
        if bar and len(secret) >= _LONG_ENOUGH:
            yield _pattern(secret)
        before = token
        token, _ = _decode(before, range(len(before) + 1))
        if token == before:
            return


def _pattern(text: str) -> str:
    quoted = re.escape(text)
    return quoted if len(text) >= _SHORT else f"(?<![0-9a-z]){quoted}(?![0-9a-z])"


def _decode(text: str, origins: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Decode one layer of escapes.

    Args:
        text: The text to decode.
        origins: The place of each of its characters, and of its end, in the original text.

    Returns:
        The decoded text, and its origins.
    """
    parts: list[str] = []
    places = array("L")
    end = 0
    for found in _escape.finditer(text):
        char = _character(found)
        if len(char) == 1:  # else an entity that HTML does not know
            parts += text[end : found.start()], char
            places.extend(origins[end : found.start() + 1])
            end = found.end()
    if not parts:
        return text, origins
    places.extend(origins[end:])
    return "".join((*parts, text[end:])), places


def _character(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "hex":
            return chr(int(found["hex"], 16))
        case "quoted" | "wide":
            return found[found.lastgroup]
        case _:
            return unescape(found[0])


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    return "\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else " "
