"""Compressed files that are complete after every line."""

import gzip
import io
import zlib

import pytest

from raydocs_async.cli._gzip import GzipReader, GzipWriter, _salvage, compress

LINES = [b'{"id":"%d"}\n' % number for number in range(50)]


def written(lines: list[bytes]) -> tuple[bytes, bytes]:
    """Return the content of a file after these lines: the part that stays, and the trailer."""
    writer, body, end = GzipWriter(), b"", b""
    for each in lines:
        more, end, writer = writer.add(each)
        body += more
    return body, end


def read(content: bytes) -> tuple[bytes, GzipReader]:
    """Return the readable content, and the reader at its end."""
    reader = GzipReader(io.BytesIO(content))
    return io.BufferedReader(reader, 100).read(), reader


def test_complete_after_every_line() -> None:
    """The body with the trailer is a complete file; the next line replaces the trailer."""
    for count in range(1, len(LINES)):
        assert gzip.decompress(b"".join(written(LINES[:count]))) == b"".join(LINES[:count])


def test_a_line_can_be_taken_back() -> None:
    """A line whose write failed leaves no trace in the next ones."""
    body, _, writer = GzipWriter().add(LINES[0])
    writer.add(b"lost\n")
    more, end, _ = writer.add(LINES[1])
    assert gzip.decompress(body + more + end) == LINES[0] + LINES[1]


@pytest.mark.parametrize("members", [0, 1, 3])
def test_streams_one_after_the_other(members: int) -> None:
    """Every run adds a stream of its own."""
    content = b"".join(written(LINES)) * members
    found, reader = read(content)
    assert (found, reader.problem) == (b"".join(LINES) * members, None)


def test_compressing() -> None:
    """Content can be compressed at once."""
    assert gzip.decompress(b"".join(compress(LINES))) == b"".join(LINES)


@pytest.mark.parametrize("missing", [1, 8, 9, 20])
def test_a_truncated_stream(missing: int) -> None:
    """The content in front of a cut can be read."""
    found, reader = read(b"".join(written(LINES))[:-missing])
    assert found.startswith(b"".join(LINES[:-3]))
    assert reader.is_truncated
    assert not reader.is_altered


def test_zeroed_blocks() -> None:
    """The content in front of zeroed blocks can be read."""
    body, _ = written(LINES)
    begin, _ = written(LINES[:40])
    found, reader = read(begin + b"\0" * 4096 + body[len(begin) :])
    assert found.startswith(b"".join(LINES[:40]))
    assert reader.problem
    assert not reader.is_truncated


def test_an_altered_stream() -> None:
    """Content that does not match its checksum is recognized."""
    body, end = written(LINES)
    _, reader = read(body + end[:2] + b"\1" + end[3:])
    assert reader.is_altered


def test_no_gzip() -> None:
    """A file of another format has no content, and a problem."""
    found, reader = read(b"notes, and more of them")
    assert found == b""
    assert reader.problem
    assert not reader.is_altered


def test_salvaging_what_is_whole() -> None:
    """Undamaged data is decompressed to its end."""
    assert _salvage(zlib.decompressobj(31), b"".join(written(LINES))) == b"".join(LINES)
