"""Records in the files that `fetch` writes, read one at a time.

A number with a fraction is a `msgspec.Raw` of its digits, because a double would lose the spelling
(``10.0``, ``1e5``) and the digits beyond its precision.
"""

import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from raydocs_async import APIResponseValidationError, Session, converter
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._gzip import GzipReader
from raydocs_async.cli._printable import printable
from raydocs_async.cli._scan import Line, read_lines
from raydocs_async.cli._streams import DASH, InputStream, say

_CHUNK: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (BOM_UTF16_LE, BOM_UTF16_BE)
_decode: Final = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode

Advance = Callable[[int], object]
"""Called with the number of bytes that were read since the last call."""


class Record(NamedTuple):
    """One line of a file."""

    where: str
    """The file and the line, as in ``out.jsonl:17``."""
    value: Any


def count_bytes(paths: Iterable[str]) -> int:
    """Return the total size of some files; a missing one is reported when it is read."""
    return sum(Path(path).stat().st_size for path in paths if Path(path).is_file())


def read_sessions(paths: Iterable[str], advance: Advance) -> Iterator[Session]:
    """Yield the sessions in some files.

    Raises:
        CannotStart: a file cannot be read, or has a line that is not a session.
    """
    for where, value in read_records(paths, advance):
        if _is_failure(value):
            raise CannotStart(
                f"{where} is a failure, as `fetch --errors` writes them, and not a session; "
                "name the file of `fetch -o`, and the failures with `table --rows failures` or "
                "`report --errors`"
            )
        try:
            yield converter.structure(value, Session)
        except APIResponseValidationError as exc:
            reason = exc.message.removeprefix("the body is not as documented: ")
            raise CannotStart(
                f"{where} is not a session: {reason}; name a file that `fetch -o` has written"
            ) from None


def read_failures(paths: Iterable[str], advance: Advance) -> Iterator[dict[str, Any]]:
    """Yield the failures in some files of `fetch --errors`.

    Raises:
        CannotStart: a file cannot be read, or has a line that is not a failure.
    """
    for where, value in read_records(paths, advance):
        if not _is_failure(value):
            raise CannotStart(
                f"{where} is not a failure; name a file that `fetch --errors` has written"
            )
        yield value


def _is_failure(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("error"), dict) and "where" in value


def read_records(paths: Iterable[str], advance: Advance) -> Iterator[Record]:
    """Yield the JSON of each line of some files.

    A last line that was cut off is left out, and so are lines that a power cut has damaged;
    standard error says so.

    Raises:
        CannotStart: a file cannot be read, or is not JSON Lines.
    """
    for path in paths:
        name = "standard input" if path == DASH else printable(path)
        try:
            raw: io.RawIOBase = InputStream(0) if path == DASH else io.FileIO(path)
            with io.BufferedReader(raw, _CHUNK) as file:
                yield from _read_file(file, name, advance)
        except OSError as exc:
            raise CannotStart(f"{name} cannot be read: {exc.strerror}") from None


def _read_file(file: "io.BufferedReader[Any]", name: str, advance: Advance) -> Iterator[Record]:
    gzip_reader = GzipReader(file) if file.peek(2)[:2] == _GZIP else None
    content = file if gzip_reader is None else io.BufferedReader(gzip_reader, _CHUNK)
    position = damaged = 0
    for number, line in enumerate(read_lines(content), 1):
        # Of the file itself, because the content of a compressed one is longer.
        last, position = position, file.raw.tell() if file.seekable() else 0
        advance(position - last)
        if line.is_zeroed and line.content.startswith((b'{"', b"\0")):
            damaged += line.size
        elif line.content.strip():
            yield from _read_line(line, name, number, gzip_reader)
    _refuse_damage(name, gzip_reader)
    if gzip_reader is not None and gzip_reader.is_truncated:
        say(f"{name}: the compressed file ends early; the rest is missing.")
    if damaged:
        say(f"{name}: left out {damaged} bytes that are damaged, as after a power cut.")


def _read_line(
    line: Line, name: str, number: int, gzip_reader: GzipReader | None
) -> Iterator[Record]:
    """Yield the record of a line; a last line that was cut off has none."""
    content = line.content.removeprefix(BOM_UTF8) if number == 1 else line.content
    value, problem = _decode_line(content)
    if line.size > len(line.content):
        problem = "is longer than the longest line that `fetch` writes"
    if not problem:
        yield Record(f"{name}:{number}", value)
        return
    _refuse_damage(name, gzip_reader)
    if number == 1 and content.startswith(_UTF_16):
        raise CannotStart(f"{name} is UTF-16; save it as UTF-8")
    if line.has_end or not content.startswith(b"{"):
        raise CannotStart(f"{name}:{number} {problem}; name a file that `fetch` has written")
    say(f"{name}: left out the last line, which was cut off ({line.size} bytes).")


def _decode_line(content: bytes) -> tuple[Any, str]:
    """Return the JSON value of a line, or ``None`` and the problem."""
    try:
        return _decode(content), ""
    except RecursionError:
        return None, "is nested too deeply"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, "is not JSON"


def _refuse_damage(name: str, gzip_reader: GzipReader | None) -> None:
    """Refuse a compressed file with damage that an interruption cannot explain."""
    if gzip_reader is None:
        return
    # zlib detects damage only at a checksum or an invalid code, maybe far behind wrong bytes.
    while gzip_reader.read(_CHUNK):
        pass
    if gzip_reader.problem is not None and not gzip_reader.is_truncated:
        reason = gzip_reader.problem
        raise CannotStart(f"{name} is damaged ({reason}); its sessions have to be fetched again")
