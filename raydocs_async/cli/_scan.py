"""Which lines of an interrupted job's file can be kept; pure.

A file grows by whole lines, so a crash leaves at most the beginning of one more. A power cut can
also leave holes: blocks of NUL bytes in place of data that never reached the disk. Torn and holed
lines are dropped. Any other line that this command could not have written means that the file
belongs to something else, and is refused.
"""

import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec
from attrs import define, field

LONGEST_LINE: Final = 128 << 20
"""Bytes; a record of the largest reply that a client accepts is shorter, in any escaping."""
_DEEPEST = 8
"""Levels of nesting that are looked at; what tells a line is on the first three."""
_OVER = ("completed", "failed")


class ResultLine(msgspec.Struct):
    """One result, in a session's line."""

    status: str


class SessionLine(msgspec.Struct):
    """A line that holds a session, as far as it is looked at."""

    id: str
    documents: msgspec.Raw
    status: str | None = None
    results: list[ResultLine] | None = None

    @property
    def is_finished(self) -> bool:
        """The same answer as the model's `is_finished`, without reading the model."""
        if self.status is not None:
            return self.status in _OVER
        return bool(self.results) and all(each.status in _OVER for each in self.results or ())


class FailureLine(msgspec.Struct):
    """A line that says why an id has no session."""

    id: str
    error: dict[str, Any]
    is_finished = True


Kind: TypeAlias = type[SessionLine] | type[FailureLine]
Shard: TypeAlias = tuple[int, int]
"""Which part, counted from 1, and of how many."""
Span: TypeAlias = tuple[int, int]
"""From the first byte to the one after the last."""


class ForeignLine(Exception):  # noqa: N818  (the line is what it is about)
    """A line that this command did not write; its argument is the line's number."""


class Readable(Protocol):
    """A buffered binary file."""

    def readline(self, size: int = ..., /) -> bytes:
        """Read up to the end of the line, and at most `size` bytes."""
        ...


class Line(NamedTuple):
    """One line of a file."""

    content: bytes
    """Its beginning, if it is longer than `LONGEST_LINE`."""
    size: int
    has_end: bool
    may_be_holed: bool
    """True if it has NUL bytes, and otherwise only bytes that our lines have."""


def read_lines(file: Readable, longest: int = LONGEST_LINE) -> Iterator[Line]:
    """Split a file into lines, with at most `longest` bytes of it in memory."""
    while content := file.readline(longest):
        size, piece, holed = len(content), content, _may_be_holed(content)
        while len(piece) == longest and not piece.endswith(b"\n"):
            piece = file.readline(longest)
            size, holed = size + len(piece), holed and (not piece or _may_be_holed(piece))
        yield Line(content, size, piece.endswith(b"\n"), holed)


def _may_be_holed(piece: bytes) -> bool:
    """True for a torn piece of our text around a few runs of NUL bytes, however long these are.

    Binary files have control characters, and UTF-16 has a NUL beside every letter.
    """
    return (
        b"\0" in piece
        and not re.search(rb"[\x01-\x1f]", piece.removesuffix(b"\n"))
        and len(re.findall(rb"\0+", piece)) <= 8
    )


def prune(line: bytes) -> bytes:
    """Empty all arrays and objects below a few levels of JSON.

    Decoders recurse, so that a few thousand levels are too many for them on some interpreters.
    """
    kept: list[bytes] = []
    level = start = 0
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*+"|["\[\]{}]', line, re.DOTALL):
        token = found[0]
        if token in (b"[", b"{"):
            level += 1
            if level == _DEEPEST:
                kept.append(line[start : found.end()])
        elif token in (b"]", b"}"):
            if level == _DEEPEST:
                start = found.start()
            level -= 1
        elif token == b'"':  # a string without an end: no JSON, whatever follows
            return b""
    return b"".join(kept) + line[start:] if level == 0 else b""


def decode(decoder: "msgspec.json.Decoder[Any]", line: bytes) -> Any:
    """Decode JSON of any depth; ``None`` if it is not what the decoder takes."""
    try:
        try:
            return decoder.decode(line)
        except RecursionError:
            return decoder.decode(prune(line))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)


@define
class Split:
    """Which `--shard` the ids of a file were selected with, as far as the ids show it.

    An id belongs to a part by its hash modulo the number of parts. So all differences of the
    hashes are multiples of that number, and with a dozen ids their greatest common divisor is
    that number itself. Of two ids it is just their difference, and says nothing.
    """

    first: int | None = None
    """The first id's hash."""
    step: int = 0
    """The greatest common divisor; 0 until two different ids are known."""

    def add(self, key: str) -> None:
        """Take an id, in lower case, into account."""
        found = zlib.crc32(key.encode("utf-8", "backslashreplace"))
        if self.first is None:
            self.first = found
        self.step = math.gcd(self.step, found - self.first)

    def differs(self, shard: Shard, ids: int) -> Shard | None:
        """The part that a file with so many `ids` was begun with, if it is not `shard`.

        A number of parts of 0 means that it cannot be said. Without an id of another part, the
        file is refused only if there is less than one chance in 10 000 that `shard` is right.
        """
        index, count = shard
        if self.first is None:
            return None
        if self.step % count == 0 and self.first % count == index - 1:
            # k random multiples of `count` have a divisor of r * count or more with a chance of
            # about r ** (1 - k); k is one less than the ids.
            if not self.step or (count / self.step) ** (ids - 2) > 1e-4:
                return None
            return self._part(self.step)
        return self._part(self.step if ids >= 16 or self.step % count else count)

    def _part(self, count: int) -> Shard:
        assert self.first is not None
        return (self.first % count + 1, count) if count <= 1000 else (0, 0)


@define
class Scan:
    """What is in a file of an earlier run."""

    ids: set[str] = field(factory=set)
    """The ids that need not be fetched again, in lower case."""
    unfinished: dict[str, None] = field(factory=dict)
    """The ids of sessions that were not finished, in lower case and in order."""
    kept: list[Span] = field(factory=list)
    """The lines to keep; adjacent ones are one span."""
    size: int = 0
    """Bytes that were looked at."""
    lacks_end: bool = False
    """True if the last line to keep is a whole record without a line's end."""
    torn: int = 0
    """Bytes of a last line that was cut off."""
    holed: int = 0
    """Bytes of lines that are damaged."""
    is_cut: bool = False
    """True if the file could not be read to its end."""
    split: Split = field(factory=Split)

    @property
    def has_none(self) -> bool:
        """True if there was not one whole line."""
        return self.split.first is None

    @property
    def is_whole(self) -> bool:
        """True if everything is kept, as it is."""
        if self.is_cut or self.lacks_end:
            return False
        return self.kept == ([(0, self.size)] if self.size else [])

    def keep(self, line: Line) -> None:
        """Keep the next line."""
        end = self.size + line.size
        if self.kept and self.kept[-1][1] == self.size:
            self.kept[-1] = (self.kept[-1][0], end)
        else:
            self.kept.append((self.size, end))
        self.lacks_end = not line.has_end

    def take(self, line: Line, decoder: "msgspec.json.Decoder[Any]") -> bool:
        """Sort the next line; false if it is another program's."""
        if line.may_be_holed:
            if not line.content.startswith((b'{"', b"\0")):
                return False
            self.holed += line.size
        elif line.size > len(line.content):
            return False
        elif found := decode(decoder, line.content):
            key = found.id.lower()
            self.split.add(key)
            if found.is_finished:
                self.ids.add(key)
                self.keep(line)
            else:
                self.unfinished[key] = None
        elif _is_torn(line):
            self.torn = line.size
        else:
            return False
        self.size += line.size
        return True

    def notes(self, name: str) -> Iterator[str]:
        """Describe, for people, what is dropped from the file."""
        if self.torn:
            yield f"{name}: dropped the last line, which was cut off ({self.torn} bytes)"
        if self.holed:
            yield f"{name}: dropped {self.holed} bytes that are damaged, as after a power cut"
        if count := len(self.unfinished):
            yield f"{name}: sessions to fetch again, because they were not finished: {count}"


def _is_torn(line: Line) -> bool:
    """True for the beginning of a record: no complete JSON, and without a line's end."""
    begins = line.content.startswith(b'{"') or line.content == b"{"
    return begins and not line.has_end and decode(_ANY_JSON, line.content) is None


def scan(file: Readable, kind: Kind, is_damaged: Callable[[], bool] = lambda: False) -> Scan:
    """Read what an earlier run has written.

    Args:
        file: Is read to its end.
        kind: What every line must be.
        is_damaged: Called after a line that cannot be ours; true if the file is known to be
            damaged from about there on, so that the rest is to be dropped.

    Raises:
        ForeignLine: it is not a file of this kind.
    """
    found, decoder = Scan(), msgspec.json.Decoder(kind)
    for number, line in enumerate(read_lines(file), 1):
        if not found.take(line, decoder):
            if found.has_none or not is_damaged():
                raise ForeignLine(number)
            found.holed += line.size
            found.size += line.size
            break
    for key in found.ids & found.unfinished.keys():
        del found.unfinished[key]
    return found
