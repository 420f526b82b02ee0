"""A small PDF of text: one font, one line of text below another.

Source: ISO 32000-1, "Document management — Portable document format", chapters 7.5 and 9.
"""

from collections.abc import Iterable, Sequence

_ENCODING = "cp1252"
"""Python's name of a PDF's WinAnsiEncoding."""

_FONT_SIZE = 11
_LEADING = 16
"""Points from one line to the next."""
_TOP = "56 780"
"""The position of a page's first line, in points from the lower left corner."""


def build_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """Return a PDF with these lines on these pages, the same bytes for the same text."""
    font = _Font()
    contents = [_content(lines, font) for lines in pages]
    # The numbers of objects: catalog 1, page tree 2, font 3, then two for each page.
    numbers = range(4, 4 + 2 * len(pages), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}/MediaBox[0 0 595 842]"
        f"/Resources<</Font<</F 3 0 R>>>>>>".encode(),
        font.definition(),
    ]
    for number, content in zip(numbers, contents, strict=True):
        objects.append(f"<</Type/Page/Parent 2 0 R/Contents {number + 1} 0 R>>".encode())
        objects.append(b"<</Length %d>>stream\n%b\nendstream" % (len(content), content))
    return _assemble(objects)


class _Font:
    """Helvetica in the Windows encoding, extended by the characters that it lacks."""

    def __init__(self) -> None:
        self._added: dict[str, int] = {}

    def encode(self, text: str) -> bytes:
        """Return `text` in the font's encoding, as a PDF string without its parentheses."""
        try:
            codes = text.encode(_ENCODING)
        except UnicodeEncodeError:
            codes = b"".join(map(self._code, text))
        return codes.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")

    def _code(self, character: str) -> bytes:
        try:
            return character.encode(_ENCODING)
        except UnicodeEncodeError:
            # Text has no control characters, so their codes are free.
            return bytes([self._added.setdefault(character, 1 + len(self._added))])

    def definition(self) -> bytes:
        """Return the font object, with the names of the characters encoded so far."""
        glyphs = "".join(f"/uni{ord(character):04X}" for character in self._added)
        return (
            "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding"
            f"<</BaseEncoding/WinAnsiEncoding/Differences[1{glyphs}]>>>>"
        ).encode()


def _content(lines: Iterable[str], font: _Font) -> bytes:
    shown = b"".join(b"(%b)Tj T*\n" % font.encode(line) for line in lines)
    return f"BT /F {_FONT_SIZE} Tf {_LEADING} TL {_TOP} Td\n".encode() + shown + b"ET"


def _assemble(objects: Iterable[bytes]) -> bytes:
    """Return the file: header, objects, table of their positions, and trailer."""
    # The comment of four bytes above 127 marks the file as binary for programs that transfer it.
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    table = bytearray(b"0000000000 65535 f \n")
    count = 1
    for body in objects:
        table += b"%010d 00000 n \n" % len(file)
        file += b"%d 0 obj\n%b\nendobj\n" % (count, body)
        count += 1
    start = len(file)
    file += b"xref\n0 %d\n%btrailer<</Size %d/Root 1 0 R>>\n" % (count, bytes(table), count)
    file += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(file)
