"""Small PDFs of text."""

import re

from raydocs_async.sandbox._pdf import build_pdf


def objects_of(file: bytes) -> dict[int, bytes]:
    """The objects of a PDF by their numbers, found by the file's own table of positions."""
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n\Z", file)[0])
    count = int(re.match(rb"xref\n0 (\d+)\n", file[start:])[1])  # type: ignore[index]
    positions = re.findall(rb"(\d{10}) 00000 n \n", file[start:])
    assert len(positions) == count - 1
    found = {}
    for number, position in enumerate(positions, start=1):
        head = b"%d 0 obj\n" % number
        body = file[int(position) :]
        assert body.startswith(head)
        found[number] = body[len(head) : body.index(b"\nendobj\n")]
    return found


def text_of(content: bytes) -> list[bytes]:
    """The lines that a page shows."""
    return [
        re.sub(rb"\\(.)", rb"\1", line)
        for line in re.findall(rb"^\((.*)\)Tj", content, re.MULTILINE)
    ]


def test_pages() -> None:
    """Each page shows its own lines."""
    found = objects_of(build_pdf([["one", "two"], ["three"]]))
    assert found[1] == b"<</Type/Catalog/Pages 2 0 R>>"
    assert b"/Kids[4 0 R 6 0 R]/Count 2/" in found[2]
    assert b"/Contents 5 0 R" in found[4]
    assert text_of(found[5]) == [b"one", b"two"]
    assert text_of(found[7]) == [b"three"]


def test_length() -> None:
    """The length of a page's content is that of the bytes between its marks."""
    content = objects_of(build_pdf([["one"]]))[5]
    head, _, rest = content.partition(b">>stream\n")
    assert int(head.rpartition(b" ")[2]) == len(rest.removesuffix(b"\nendstream"))


def test_special_characters() -> None:
    """The characters that end or change a string of PDF are escaped."""
    content = objects_of(build_pdf([[r"a (b) \c"]]))[5]
    assert rb"(a \(b\) \\c)Tj" in content


def test_other_characters() -> None:
    """Characters outside of the Windows encoding get codes of their own, and are named."""
    found = objects_of(build_pdf([["Dupré"], ["Ōō Ō"]]))
    assert text_of(found[5]) == ["Dupré".encode("cp1252")]
    assert text_of(found[7]) == [b"\x01\x02 \x01"]
    assert b"/Differences[1/uni014C/uni014D]" in found[3]


def test_same_every_time() -> None:
    """The same text gives the same bytes."""
    assert build_pdf([["Ō"]]) == build_pdf([["Ō"]])
