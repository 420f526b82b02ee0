"""Compressed files that are whole after every line."""

import gzip
import io
import zlib

import pytest

from raydocs_async.cli._gzip import GzipReader, GzipWriter, _salvage, pack

LINES = [b'{"id":"%d"}\n' % number for number in range(50)]


def written(lines: list[bytes]) -> tuple[bytes, bytes]:
    """What is in a file after these lines: the part that stays, and the end."""
    writer, body, end = GzipWriter(), b"", b""
    for each in lines:
        more, end, writer = writer.add(each)
        body += more
    return body, end


def read(content: bytes) -> tuple[bytes, GzipReader]:
    """All that can be read, and the reader at the end."""
    reader = GzipReader(io.BytesIO(content))
    return io.BufferedReader(reader, 100).read(), reader


def test_it_is_whole_after_every_line() -> None:
    """With the end behind it, the file is whole; the next line takes the end's place."""
    for count in range(1, len(LINES)):
        assert gzip.decompress(b"".join(written(LINES[:count]))) == b"".join(LINES[:count])


def test_a_line_can_be_taken_back() -> None:
    """A line that could not be written leaves no trace in what follows."""
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


def test_packing() -> None:
    """Content can be packed at once."""
    assert gzip.decompress(b"".join(pack(LINES))) == b"".join(LINES)


@pytest.mark.parametrize("missing", [1, 8, 9, 20])
def test_a_torn_stream(missing: int) -> None:
    """What was written before a cut can be read."""
    found, reader = read(b"".join(written(LINES))[:-missing])
    assert found.startswith(b"".join(LINES[:-3]))
    assert reader.is_torn
    assert not reader.is_altered


def test_a_hole() -> None:
    """What was written before a hole can be read."""
    body, _ = written(LINES)
    begin, _ = written(LINES[:40])
    found, reader = read(begin + b"\0" * 4096 + body[len(begin) :])
    assert found.startswith(b"".join(LINES[:40]))
    assert reader.problem
    assert not reader.is_torn


def test_an_altered_stream() -> None:
    """Content that does not match the checksum is told apart."""
    body, end = written(LINES)
    _, reader = read(body + end[:2] + b"\1" + end[3:])
    assert reader.is_altered


def test_no_gzip() -> None:
    """A file of anything else has no content."""
    found, reader = read(b"notes, and more of them")
    assert found == b""
    assert reader.problem
    assert not reader.is_altered


def test_salvaging_what_is_whole() -> None:
    """Data without a mistake is decompressed to its end."""
    assert _salvage(zlib.decompressobj(31), b"".join(written(LINES))) == b"".join(LINES)
