"""The lines of an earlier run's file that a resumed job can keep; pure.

A file grows by whole lines, so a crash leaves at most a torn line at its end. A power cut can also
leave zeroed blocks: NUL bytes in place of data that never reached the disk. Torn and zeroed lines
are dropped. Any other line that this command could not have written means that the file belongs to
another program, and the file is refused.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec
from attrs import define, field

from raydocs_async.cli._located_id import KEPT
from raydocs_async.cli._shard import Shard, ShardEvidence

MAX_LINE_BYTES: Final = 128 << 20
"""Larger than the record of the largest reply that a client accepts, in any escaping."""
_MAX_DEPTH: Final = 8
"""Levels of nesting that are decoded; the keys that matter are on the first three."""
_MAX_NUL_RUNS: Final = 8
UNKNOWN_STATUS: Final = "unknown"
"""Stands for the status of a session that has none."""
_FINAL_STATUSES: Final = ("completed", "failed")


class ResultRecord(msgspec.Struct):
    """One result in a session's line."""

    status: str


class SessionRecord(msgspec.Struct):
    """A session's line: the keys that show its id and its state."""

    id: str
    documents: msgspec.Raw
    kept: msgspec.Raw = msgspec.field(name=KEPT, default=msgspec.Raw())
    status: str | None = None
    results: list[ResultRecord] | None = None

    @property
    def kind(self) -> str:
        """The status."""
        return self.status or UNKNOWN_STATUS

    @property
    def is_finished(self) -> bool:
        """The same value as the model's `is_finished`, without building the model."""
        if self.status is not None:
            return self.status in _FINAL_STATUSES
        results = self.results or []
        return bool(results) and all(each.status in _FINAL_STATUSES for each in results)


class FailureRecord(msgspec.Struct):
    """A failed id's line in the errors file."""

    id: str
    error: dict[str, Any]
    is_permanent: bool = False
    kept: msgspec.Raw = msgspec.field(name=KEPT, default=msgspec.Raw())

    @property
    def kind(self) -> str:
        """The name of the exception."""
        return str(self.error.get("type"))

    @property
    def is_finished(self) -> bool:
        """True if another run will not help, so that the line is kept."""
        return self.is_permanent


RecordType: TypeAlias = type[SessionRecord] | type[FailureRecord]
Span: TypeAlias = tuple[int, int]
"""The offset of the first byte, and of the one after the last."""


class ForeignLineError(Exception):
    """Raised for a line that this command did not write; its argument is the line's number."""


class Readable(Protocol):
    """A buffered binary file."""

    def readline(self, size: int = ..., /) -> bytes:
        """Read up to the end of the line, and at most `size` bytes."""
        ...


class Line(NamedTuple):
    """One line of a file."""

    content: bytes
    """The whole line, or the beginning of one that is longer than `MAX_LINE_BYTES`."""
    size: int
    has_end: bool
    is_zeroed: bool
    """True for text of this command around a few runs of NUL bytes."""


def read_lines(file: Readable, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Split a file into lines, with at most `max_bytes` of it in memory."""
    while content := file.readline(max_bytes):
        size, piece, is_zeroed = len(content), content, _is_zeroed(content)
        while len(piece) == max_bytes and not piece.endswith(b"\n"):
            piece = file.readline(max_bytes)
            size, is_zeroed = size + len(piece), is_zeroed and (not piece or _is_zeroed(piece))
        yield Line(content, size, piece.endswith(b"\n"), is_zeroed)


def _is_zeroed(piece: bytes) -> bool:
    # Other files have NUL bytes, too. But binary formats have control characters, and UTF-16 has
    # a NUL beside every letter, which makes far more runs than lost blocks do.
    return (
        b"\0" in piece
        and not re.search(rb"[\x01-\x1f]", piece.removesuffix(b"\n"))
        and len(re.findall(rb"\0+", piece)) <= _MAX_NUL_RUNS
    )


def prune(line: bytes) -> bytes:
    """Empty all arrays and objects below `_MAX_DEPTH` levels of JSON.

    Decoders recurse, and a few thousand levels exhaust the stack of some interpreters.
    """
    kept: list[bytes] = []
    level = start = 0
    # Strings first, so that a bracket in one is not counted. The possessive "*+" prevents
    # backtracking, which would take quadratic time for an unterminated string.
    for found in re.finditer(rb'"(?:[^"\\]|\\.)*+"|["\[\]{}]', line, re.DOTALL):
        token = found[0]
        if token in (b"[", b"{"):
            level += 1
            if level == _MAX_DEPTH:
                kept.append(line[start : found.end()])
        elif token in (b"]", b"}"):
            if level == _MAX_DEPTH:
                start = found.start()
            level -= 1
        elif token == b'"':  # an unterminated string, so this is not JSON
            return b""
    return b"".join(kept) + line[start:] if level == 0 else b""


def decode_record(decoder: "msgspec.json.Decoder[Any]", line: bytes) -> Any:
    """Decode JSON of any depth; return ``None`` for anything that the decoder rejects."""
    try:
        try:
            return decoder.decode(line)
        except RecursionError:
            return decoder.decode(prune(line))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_ANY_JSON: Final = msgspec.json.Decoder(msgspec.Raw)
_KEPT_JSON: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Damage(Enum):
    """The state of a line without a record that this command left behind nevertheless."""

    ZEROED = "damaged, as after a power cut"
    TORN = "cut off"


def classify(line: Line, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """Return a line's record, or its damage; ``None`` if another program wrote it."""
    if line.is_zeroed:
        return Damage.ZEROED if line.content.startswith((b'{"', b"\0")) else None
    if line.size > len(line.content):
        return None
    if record := decode_record(decoder, line.content):
        return record
    return Damage.TORN if _is_torn(line) else None


@define
class ResumeState:
    """The state of an earlier run's file: its ids, and the lines to keep."""

    finished: set[str] = field(factory=set)
    """Ids that need not be fetched again, in lower case."""
    unfinished: dict[str, bytes | None] = field(factory=dict)
    """Ids to fetch again, in lower case and in their order, with the JSON of the kept values."""
    spans: list[Span] = field(factory=list)
    """The lines to keep; adjacent lines are one span."""
    kinds: Counter[str] = field(factory=Counter)
    """The lines to keep, by their status or the name of the exception."""
    size: int = 0
    """Bytes that were scanned."""
    lacks_newline: bool = False
    """True if the last line to keep is a complete record without a line's end."""
    torn_bytes: int = 0
    """Bytes of a last line that was cut off."""
    damaged_bytes: int = 0
    """Bytes of damaged lines."""
    is_truncated: bool = False
    """True if the file could not be read to its end."""
    shard: ShardEvidence = field(factory=ShardEvidence)
    columns: Counter[tuple[str, ...]] = field(factory=Counter)
    """Lines by the names of their kept values, which are empty for a line without any."""

    def find_other_shard(self, shard: Shard) -> Shard | None:
        """Return the shard that the file was begun with, if that is not `shard`."""
        return self.shard.find_conflict(shard, len(self.finished) + len(self.unfinished))

    def find_other_columns(self, keep: Sequence[str], bare: float) -> tuple[str, ...] | None:
        """Return the columns that the file was begun with, if those are not the ones in `keep`.

        Args:
            keep: The configured ones, in any order.
            bare: Lines without columns that a job with `keep` can write nevertheless.
        """
        others = {each: lines for each, lines in self.columns.items() if set(each) != set(keep)}
        if len(others) < len(self.columns):  # then the file was begun with `keep`
            others.pop((), None)
        return next((names for names, lines in others.items() if names or lines > bare), None)

    @property
    def is_empty(self) -> bool:
        """True if no line holds a record."""
        return self.shard.is_empty

    @property
    def is_intact(self) -> bool:
        """True if the file can stay as it is."""
        if self.is_truncated or self.lacks_newline:
            return False
        return self.spans == ([(0, self.size)] if self.size else [])

    def add_line(self, line: Line, decoder: "msgspec.json.Decoder[Any]") -> bool:
        """Classify the next line; return False if another program wrote it."""
        match classify(line, decoder):
            case None:
                return False
            case Damage.ZEROED:
                self.damaged_bytes += line.size
            case Damage.TORN:
                self.torn_bytes = line.size
            case record:
                self._add_record(record, line)
        self.size += line.size
        return True

    def _add_record(self, record: SessionRecord | FailureRecord, line: Line) -> None:
        key, kept = record.id.lower(), bytes(record.kept)
        self.shard.add(key)
        self.columns[tuple(decode_record(_KEPT_JSON, kept) or ()) if kept else ()] += 1
        if not record.is_finished:
            self.unfinished[key] = kept or None
            return
        self.finished.add(key)
        self.kinds[record.kind] += 1
        self.lacks_newline = not line.has_end
        end = self.size + line.size
        if self.spans and self.spans[-1][1] == self.size:
            self.spans[-1] = (self.spans[-1][0], end)
        else:
            self.spans.append((self.size, end))

    def describe_drops(self, name: str, again: str) -> Iterator[str]:
        """Describe the lines that are dropped from the file `name`.

        Args:
            name: The file.
            again: Describes the ids that are fetched again because of their state.
        """
        if self.torn_bytes:
            yield f"{name}: dropped the last line, which was cut off ({self.torn_bytes} bytes)"
        if size := self.damaged_bytes:
            yield f"{name}: dropped {size} bytes that are damaged, as after a power cut"
        if count := len(self.unfinished):
            yield f"{name}: {again}: {count}"


def _is_torn(line: Line) -> bool:
    """Return True for the beginning of a record: incomplete JSON without a line's end."""
    begins = line.content.startswith(b'{"') or line.content == b"{"
    return begins and not line.has_end and decode_record(_ANY_JSON, line.content) is None


def scan(
    file: Readable, record_type: RecordType, is_damaged: Callable[[], bool] = lambda: False
) -> ResumeState:
    """Read the output file of an earlier run.

    Args:
        file: Read to its end.
        record_type: The type of every line.
        is_damaged: Called after a line of another program; returns True if the file is known to be
            damaged near that line, so that the rest is dropped.

    Raises:
        ForeignLineError: another program wrote the file, or it holds records of another type.
    """
    state, decoder = ResumeState(), msgspec.json.Decoder(record_type)
    for number, line in enumerate(read_lines(file), 1):
        if not state.add_line(line, decoder):
            if state.is_empty or not is_damaged():
                raise ForeignLineError(number)
            state.damaged_bytes += line.size
            state.size += line.size
            break
    # A session can be in the file twice: unfinished in an early run, finished in a later one.
    for key in state.finished & state.unfinished.keys():
        del state.unfinished[key]
    return state
