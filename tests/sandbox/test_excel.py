"""The Excel export of a result."""

import io
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest

from raydocs_async.sandbox._excel import export_result
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_session

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
RESULT: dict[str, Any] = build_session(session_id(0))["results"][0]


def sheets(file: bytes) -> dict[str, list[list[Any]]]:
    """The values in a workbook by the names of its sheets, found as a spreadsheet program does."""
    with ZipFile(io.BytesIO(file)) as archive:
        parts = {name: ET.fromstring(archive.read(name)) for name in archive.namelist()}
    targets = {each.get("Id"): each.get("Target") for each in parts["xl/_rels/workbook.xml.rels"]}
    return {
        str(sheet.get("name")): rows(parts[f"xl/{targets[sheet.get(f'{RELATIONS}id')]}"])
        for sheet in parts["xl/workbook.xml"].iter(f"{MAIN}sheet")
    }


def rows(sheet: ET.Element) -> list[list[Any]]:
    """The values of a sheet."""
    return [[value(cell) for cell in row] for row in sheet.iter(f"{MAIN}row")]


def value(cell: ET.Element) -> Any:
    """The value of a cell, by its type."""
    text = "".join(cell.itertext())
    match cell.get("t"):
        case "inlineStr":
            return text
        case "b":
            return text == "1"
    return float(text) if text else None


def test_data() -> None:
    """The sheet Data has a row for each field, with its path and its value."""
    data = RESULT["data"]
    assert sheets(export_result(RESULT))["Data"] == [
        ["Field", "Value"],
        ["supplier.name", data["supplier"]["name"]],
        ["supplier.vat_number", data["supplier"]["vat_number"]],
        ["invoice.number", data["invoice"]["number"]],
        ["invoice.currency", data["invoice"]["currency"]],
        ["invoice.total", data["invoice"]["total"]],
        ["invoice.paid", data["invoice"]["paid"]],
        ["lines.0.description", data["lines"][0]["description"]],
        ["lines.0.amount", data["lines"][0]["amount"]],
        ["lines.1.description", data["lines"][1]["description"]],
        ["lines.1.amount", data["lines"][1]["amount"]],
    ]


def test_audit() -> None:
    """The sheet Audit has a row for each source of each field."""
    head, first, second, third, *_ = sheets(export_result(RESULT))["Audit"]
    record = RESULT["audit_data"]["supplier"]["name"]
    assert head == ["Field", "Reasoning", "Text", "Page", "Chunk"]
    assert [first, second] == [
        ["supplier.name", record["reasoning"], each["text"], each["page"], each["chunk_id"]]
        for each in record["sources"]
    ]
    assert third[0] == "supplier.vat_number"


def test_metadata() -> None:
    """The sheet Metadata names the result and its session."""
    metadata = dict(sheets(export_result(RESULT))["Metadata"])
    assert metadata["id"] == RESULT["id"]
    assert metadata["extraction_session_id"] == RESULT["extraction_session_id"]
    assert metadata["status"] == "completed"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("<&>", "<&>"),
        (" two  spaces ", " two  spaces "),
        ("\x00\x0b\ud800", "\ufffd" * 3),
        (None, None),
        (12, 12.0),
        (True, True),
    ],
)
def test_values(data: Any, shown: Any) -> None:
    """Every value of JSON can be exported, also characters that XML does not have."""
    assert sheets(export_result({"data": {"x": data}}))["Data"][1] == ["x", shown]


@pytest.mark.parametrize("audit", [None, [], "text", {"x": {"reasoning": "", "sources": [{}]}}])
def test_odd_audits(audit: Any) -> None:
    """An audit of another shape is exported as far as it goes."""
    assert len(sheets(export_result({"audit_data": audit}))["Audit"]) <= 2


def test_same_every_time() -> None:
    """The same result gives the same bytes."""
    assert export_result(RESULT) == export_result(RESULT)
