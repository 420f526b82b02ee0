"""The Excel export of a result: a workbook of three sheets, written with the standard library.

Source: ECMA-376, "Office Open XML file formats", part 1, chapter 18.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Rows = Iterable[Iterable[object]]

_METADATA = ("id", "extraction_session_id", "status", "created_at", "updated_at")

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"

# JSON can hold characters that XML 1.0 cannot, and one of them makes Excel refuse the whole file.
_replace_invalid = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").sub


def export_result(result: Mapping[str, Any]) -> bytes:
    """Return the workbook of a result, with the sheets Data, Audit and Metadata."""
    sheets: dict[str, Rows] = {
        "Data": [("Field", "Value"), *_leaves(result.get("data"))],
        "Audit": [
            ("Field", "Reasoning", "Text", "Page", "Chunk"),
            *_sources(result.get("audit_data")),
        ],
        "Metadata": [("Key", "Value"), *((key, result.get(key)) for key in _METADATA)],
    }
    return _write_workbook(sheets)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each field's path, such as ``lines.0.amount``, and its value or audit record."""
    children = _children(value)
    if children is None:
        yield path, value
        return
    for key, item in children:
        yield from _leaves(item, f"{path}.{key}" if path else str(key))


def _children(value: Any) -> Iterable[tuple[Any, Any]] | None:
    match value:
        case {"reasoning": _, "sources": list()}:  # an audit record is a leaf, too
            return None
        case dict():
            return value.items()
        case list():
            return enumerate(value)
    return None


def _sources(audit: Any) -> Iterator[Iterable[object]]:
    """Yield a row for each source of each field."""
    for path, record in _leaves(audit):
        for source in record["sources"] if isinstance(record, dict) else ():
            keys = ("text", "page", "chunk_id")
            yield path, record["reasoning"], *(source.get(key) for key in keys)


def _write_workbook(sheets: Mapping[str, Rows]) -> bytes:
    numbered = list(enumerate(sheets, start=1))
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
            f'ContentType="{_TYPE}.worksheet+xml"/>'
            for n, _ in numbered
        )
        + "</Types>",
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in numbered)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            ("worksheet", f"worksheets/sheet{n}.xml") for n, _ in numbered
        ),
    }
    for number, rows in enumerate(sheets.values(), start=1):
        parts[f"xl/worksheets/sheet{number}.xml"] = _sheet(rows)
    return _zip(parts)


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _sheet(rows: Rows) -> str:
    inner = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{inner}</sheetData></worksheet>'


def _cell(value: object) -> str:
    match value:
        case None:
            return "<c/>"
        case bool():
            return f'<c t="b"><v>{value:d}</v></c>'
        case int() | float():
            return f"<c><v>{value}</v></c>"
    text = escape(_replace_invalid("\ufffd", str(value)))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _zip(parts: Mapping[str, str]) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            # `ZipInfo` has a fixed date, so the same result is exported as the same bytes.
            archive.writestr(ZipInfo(name), _HEAD + content, ZIP_DEFLATED)
    return file.getvalue()
