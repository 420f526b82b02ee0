"""Ids in a column of a table: CSV and its relatives, JSON Lines, Parquet.

The content decides on the format, because many names promise another one. Each problem is an
`OSError` whose message names the file and says what to do.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from raydocs_async.cli import _lazy
from raydocs_async.cli._located_id import LocatedId
from raydocs_async.cli._options import Columns
from raydocs_async.cli._scan import Readable, read_lines
from raydocs_async.cli._text import name_choices, name_some

_DELIMITERS: Final = ",;\t|"
_MAX_CELL: Final = 16 << 20
"""Characters of a cell; more are a quote that is not closed."""
_MAX_ID: Final = 1024
"""Characters of an id that is not one; the rest is cut off."""
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PARQUET: Final = b"PAR1"
_ID: Final = re.compile(r"[\dA-Fa-f-]{32,}")
_UNUSABLE: Final = {
    b"\x1f\x8b": "is compressed; unpack it first, as by gunzip",
    b"PK\x03\x04": "is a spreadsheet or another zip file; save it as CSV",
    b"[": "is a JSON array; write an object a line, as by jq -c '.[]'",
}
"""Beginnings of files that hold no lines, and what to do about each."""

_decode: Final = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode

NumberedLine: TypeAlias = tuple[int, bytes]


def read_table(path: Path, name: str, columns: Columns) -> Iterator[LocatedId]:
    """Yield the ids in a column of a file.

    Raises:
        OSError: the file cannot be read, has no such column, or is malformed.
    """
    with _open(path, name) as file:
        if file.peek(4).startswith(_PARQUET):
            _check_duckdb(name)
            yield from _lazy.parquet.read(path, name, columns)
        elif path.suffix.lower() in (".parquet", ".pq"):
            raise OSError(f"{name} is not a Parquet file, although its name says so")
        else:
            yield from read_text_table(file, name, columns)


def _open(path: Path, name: str) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as exc:
        raise OSError(f"{name} cannot be read: {exc.strerror}") from None


def _check_duckdb(name: str) -> None:
    if find_spec("duckdb") is None:
        raise OSError(f"{name} is Parquet, which needs duckdb: pip install 'raydocs-async[table]'")


def read_text_table(file: Readable, name: str, columns: Columns) -> Iterator[LocatedId]:
    """Yield the ids in a column of CSV or JSON Lines.

    Raises:
        OSError: as `read_table`.
    """
    lines = _number_lines(file, name)
    first = next(lines, None)
    if first is None:
        return
    refuse_other_content(first[1], name)
    if first[1].startswith(_PARQUET):
        raise OSError(f"{name} is Parquet, which is read from a file alone: give it with -i")
    read = _read_json if first[1].lstrip().startswith(b"{") else _read_csv
    yield from read(first, lines, name, columns)


def _number_lines(file: Readable, name: str) -> Iterator[NumberedLine]:
    """Yield all lines from the first one on that is not blank."""
    has_begun = False
    for number, line in enumerate(read_lines(file), 1):
        if line.size > len(line.content):
            raise OSError(f"{name}:{number} is too long to be a line of a table")
        content = line.content if has_begun else line.content.removeprefix(codecs.BOM_UTF8)
        has_begun = has_begun or bool(content.strip())
        if has_begun:
            yield number, content


def refuse_other_content(line: bytes, name: str) -> None:
    """Refuse a file by its first line if it holds neither ids nor a table.

    Raises:
        OSError: the file is compressed, a spreadsheet, a JSON array or UTF-16.
    """
    if line.startswith(_UTF_16):
        raise OSError(f"{name} is UTF-16; save it as UTF-8")
    for beginning, remedy in _UNUSABLE.items():
        if line.startswith(beginning):
            raise OSError(f"{name} {remedy}")


def refuse_table(line: bytes, name: str) -> None:
    """Refuse a file of ids by its first line if that is the one of a table.

    Raises:
        OSError: it is; the message names the columns.
    """
    refuse_other_content(line, name)
    if line.startswith(_PARQUET):
        raise OSError(f"{name} is a table (Parquet): name the column of the ids with --column")
    if names := _find_names(line.decode("utf-8", "replace"), name):
        raise OSError(
            f"{name} is a table: name the column of the ids with --column; "
            f"there are {name_some(names)}"
        )


def _find_names(line: str, name: str) -> list[str]:
    """Return the columns that the first line of a file names; empty for one of ids."""
    if line.startswith("{"):
        # Not decoded, because a long line is cut off.
        return re.findall(r'"(\w+)"\s*:', line)
    names = [each.strip() for each in _split(line, _choose_delimiter(line))]
    if len(names) == 1 and (_ID.fullmatch(line) or not name.lower().endswith((".csv", ".tsv"))):
        return []
    return names


def _choose_delimiter(header: str, column: str | None = None) -> str:
    """Return the delimiter that makes a cell of the column's name, or the most cells."""

    def rank(delimiter: str) -> tuple[bool, int]:
        """Return what makes a delimiter likely."""
        cells = [each.strip() for each in _split(header, delimiter)]
        return column in cells, len(cells)

    return max(_DELIMITERS, key=rank)


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def find_columns(header: Sequence[str], name: str, columns: Columns) -> dict[str, int]:
    """Return the places of the wanted columns, that of the ids first.

    Raises:
        OSError: a column does not exist, or more than once.
    """
    wanted = dict.fromkeys((columns.column, *columns.keep))
    for each in wanted:
        if each not in header:
            raise OSError(f"{name} has no column {each!r}; there are {name_choices(header, each)}")
        if header.count(each) > 1:
            raise OSError(f"{name} has several columns {each!r}; give each a name of its own")
    return {each: header.index(each) for each in wanted}


def _read_csv(
    first: NumberedLine, lines: Iterator[NumberedLine], name: str, columns: Columns
) -> Iterator[LocatedId]:
    csv.field_size_limit(_MAX_CELL)
    text = _decode_line(first[1])
    delimiter = _choose_delimiter(text, columns.column)
    header = [each.strip() for each in _split(text, delimiter)]
    places = find_columns(header, name, columns)
    number = first[0]
    # Strict, because a quote that is not closed would otherwise hide all rows behind it.
    rows = csv.reader(
        (_decode_line(line) for _, line in lines),
        delimiter=delimiter,
        skipinitialspace=f"{delimiter} " in text,
        strict=True,
    )
    while True:
        where = f"{name}:{number + rows.line_num + 1}"
        try:
            row = next(rows, None)
        except csv.Error as exc:
            raise OSError(f"{where} is not CSV: {exc}") from None
        if row is None:
            return
        if (found := _read_row(row, len(header), places, columns, where)) is not None:
            yield found


def _read_row(
    row: list[str], width: int, places: dict[str, int], columns: Columns, where: str
) -> LocatedId | None:
    if not any(row):
        return None
    if any(row[width:]) or len(row) <= places[columns.column]:
        problem = f"a row of {len(row)} cells below {width} names"
        return LocatedId(f"{_shorten(' '.join(row))} ({problem})", where)
    if not (text := row[places[columns.column]].strip()):
        return None
    values = {each: row[places[each]] if places[each] < len(row) else None for each in columns.keep}
    return locate(text, values, where)


def _decode_line(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _shorten(text: str) -> str:
    """Return text that can be encoded again, and is not longer than an id should be."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return shown if len(shown) <= _MAX_ID else f"{shown[:_MAX_ID]}…"


def locate(text: str, values: dict[str, Any], where: str) -> LocatedId:
    """Return an id with the values beside it.

    Raises:
        OSError: a value is not UTF-8.
    """
    try:
        kept = msgspec.json.encode(values) if values else None
    except UnicodeEncodeError:
        raise OSError(f"{where} is not UTF-8; save the file as UTF-8") from None
    return LocatedId(_shorten(text), where, kept)


def _read_json(
    first: NumberedLine, lines: Iterator[NumberedLine], name: str, columns: Columns
) -> Iterator[LocatedId]:
    keys = list(_decode_object(first[1], f"{name}:{first[0]}"))
    find_columns(keys, f"{name}:{first[0]}", columns)
    yield from _read_object(first, name, columns)
    for line in lines:
        if line[1].strip():
            yield from _read_object(line, name, columns)


def _read_object(line: NumberedLine, name: str, columns: Columns) -> Iterator[LocatedId]:
    where = f"{name}:{line[0]}"
    found = _decode_object(line[1], where)
    value = found.get(columns.column)
    if value is None or value == "":
        return
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    yield locate(text.strip(), {each: found.get(each) for each in columns.keep}, where)


def _decode_object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _refuse_line(where)
    return value if isinstance(value, dict) else _refuse_line(where)


def _refuse_line(where: str) -> NoReturn:
    raise OSError(f"{where} is not a JSON object; JSON Lines have one in each line")
