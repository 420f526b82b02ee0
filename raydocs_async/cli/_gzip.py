"""gzip files that are complete after every line, and readable up to any damage; pure.

The end of the stream is written after every line, and overwritten by the next one. So the file is
a complete gzip file of whole lines whenever the writer is stopped between two writes.
"""

import contextlib
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol, Self

_GZIP: Final = 31
"""The window's bits, plus 16, which makes zlib read and write gzip's header and trailer."""
_CHUNK: Final = 1 << 16
_TRUNCATED: Final = "it has no end"


class Readable(Protocol):
    """A binary file."""

    def read(self, size: int, /) -> bytes | None:
        """Read at most `size` bytes."""


class GzipWriter:
    """The immutable state of a gzip stream: each addition returns another state.

    So a line whose write fails is undone by keeping the state from before it.
    """

    def __init__(self, stream: "zlib._Compress | None" = None) -> None:
        self._stream = stream or zlib.compressobj(wbits=_GZIP)

    def add(self, content: bytes) -> tuple[bytes, bytes, Self]:
        """Compress more content.

        Returns:
            The bytes to write over the last trailer, the new trailer, and the next state.
        """
        stream = self._stream.copy()
        # Without the flush, the line would be in the trailer, which the next write replaces: a
        # crash in that write would lose both lines.
        body = stream.compress(content) + stream.flush(zlib.Z_SYNC_FLUSH)
        return body, stream.copy().flush(), type(self)(stream)


def compress(content: Iterable[bytes]) -> Iterator[bytes]:
    """Compress content into one stream."""
    stream = zlib.compressobj(wbits=_GZIP)
    for piece in content:
        yield stream.compress(piece)
    yield stream.flush()


class GzipReader(io.RawIOBase):
    """The content of a gzip file up to its end, or up to the first damage.

    `gzip.GzipFile` raises at damage, and discards content in front of it.
    """

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._member: zlib._Decompress | None = None
        self._input = b""
        """Compressed bytes that are not decompressed yet."""
        self._output = b""
        """Decompressed bytes that did not fit into the caller's buffer."""
        self.problem: str | None = None
        """The damage that ended reading; ``None`` before it, and at the file's proper end."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Decompress into a buffer."""
        size = len(buffer)
        content = self._output or (self._read(size) if self.problem is None else b"")
        content, self._output = content[:size], content[size:]
        buffer[: len(content)] = content
        return len(content)

    def _read(self, size: int) -> bytes:
        while data := self._input or self._file.read(_CHUNK) or b"":
            member = self._member or zlib.decompressobj(_GZIP)
            before = member.copy()
            try:
                content = member.decompress(data, size)
            except zlib.error as exc:
                self.problem = str(exc)
                return _salvage(before, data)
            self._input, self._member = member.unconsumed_tail, member
            if member.eof:
                self._input, self._member = member.unused_data, None
            if content:
                return content
        if self._member is not None:
            self.problem = _TRUNCATED
        return b""

    @property
    def is_truncated(self) -> bool:
        """True if the file ends within a stream."""
        return self.problem == _TRUNCATED

    @property
    def is_altered(self) -> bool:
        """True if all content was read, but does not match its checksum."""
        return "incorrect data check" in (self.problem or "")


def _salvage(member: "zlib._Decompress", data: bytes) -> bytes:
    """Decompress up to the damage in `data`.

    One call for all of `data` raises, and loses the content in front of the damage.
    """
    content: list[bytes] = []
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            content.append(member.decompress(data[at : at + 1]))  # noqa: PERF401
    return b"".join(content)
