"""gzip, so that a file is whole after every line, and can be read however it was damaged; pure.

The end of the stream is written after every line and overwritten by the next one. Whatever stops
the writer between two writes, the file is a complete gzip file of whole lines.
"""

import contextlib
import io
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol, Self

_GZIP = 31
"""The window's bits, and 16 for gzip's own header."""
_CHUNK = 1 << 16
_TORN = "it has no end"


class Readable(Protocol):
    """A binary file."""

    def read(self, size: int, /) -> bytes | None:
        """Read at most `size` bytes."""


class GzipWriter:
    """The state of one gzip stream, which does not change: each line gives another state."""

    def __init__(self, stream: "zlib._Compress | None" = None) -> None:
        self._stream = stream or zlib.compressobj(wbits=_GZIP)

    def add(self, content: bytes) -> tuple[bytes, bytes, Self]:
        """Compress more content.

        Returns:
            What to write in place of the last end, the stream's end after it, the next state.
        """
        stream = self._stream.copy()
        body = stream.compress(content) + stream.flush(zlib.Z_SYNC_FLUSH)
        return body, stream.copy().flush(), type(self)(stream)


def pack(content: Iterable[bytes]) -> Iterator[bytes]:
    """Compress content into one stream."""
    stream = zlib.compressobj(wbits=_GZIP)
    for piece in content:
        yield stream.compress(piece)
    yield stream.flush()


class GzipReader(io.RawIOBase):
    """The content of a gzip file, as far as it can be read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._member: zlib._Decompress | None = None
        self._waiting = self._saved = b""
        self.problem: str | None = None
        """Known at the end: why there was no more to read, if that was not the file's end."""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        """Decompress into a buffer."""
        size = len(buffer)
        found = self._saved or (self._read(size) if self.problem is None else b"")
        found, self._saved = found[:size], found[size:]
        buffer[: len(found)] = found
        return len(found)

    def _read(self, size: int) -> bytes:
        while data := self._waiting or self._file.read(_CHUNK) or b"":
            member = self._member or zlib.decompressobj(_GZIP)
            before = member.copy()
            try:
                found = member.decompress(data, size)
            except zlib.error as exc:
                self.problem = str(exc)
                return _salvage(before, data)
            self._waiting, self._member = member.unconsumed_tail, member
            if member.eof:
                self._waiting, self._member = member.unused_data, None
            if found:
                return found
        if self._member is not None:
            self.problem = _TORN
        return b""

    @property
    def is_torn(self) -> bool:
        """True if the file ends within a stream."""
        return self.problem == _TORN

    @property
    def is_altered(self) -> bool:
        """True if all of it could be read, but its checksum does not match."""
        return "incorrect data check" in (self.problem or "")


def _salvage(member: "zlib._Decompress", data: bytes) -> bytes:
    """Decompress up to a mistake, which would otherwise take what is before it with it."""
    found: list[bytes] = []
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            found.append(member.decompress(data[at : at + 1]))  # noqa: PERF401
    return b"".join(found)
