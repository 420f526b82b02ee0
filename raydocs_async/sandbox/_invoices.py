"""Invoices: extracted data, and the pages of the documents that the data stands in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

_SUPPLIERS = ("Acme Tools Ltd", "Boulangerie Dupré", "Müller & Söhne GmbH", "Studio Ōkami")
_ITEMS = ("Consulting, senior", "Hosting, yearly", "Paper, A4", "Travel", "Licence, 10 seats")
_CURRENCIES = ("EUR", "GBP", "USD")

Field = tuple[str | int, ...]
"""The keys and positions that lead to a field of the data, such as ``("lines", 0, "amount")``."""


class Block(NamedTuple):
    """One paragraph, heading, table or row of a table."""

    type: str
    text: str
    fields: tuple[Field, ...] = ()
    """The fields of the data that the block prints."""
    meta: Mapping[str, Any] = {}


class Chunk(NamedTuple):
    """A group of blocks on one page."""

    page: int
    blocks: Sequence[Block]

    @property
    def text(self) -> str:
        """All of its blocks, a line each."""
        return "\n".join(block.text for block in self.blocks)


def build_invoice(seed: UUID) -> dict[str, Any]:
    """Return the data of an invoice."""
    lines = [_line(seed.int >> shift) for shift in (8, 16)]
    return {
        "supplier": {
            "name": _pick(_SUPPLIERS, seed.int),
            "vat_number": f"FR{seed.int % 10**11:011d}",
        },
        "invoice": {
            "number": f"{seed.int % 10**6:06d}",
            "currency": _pick(_CURRENCIES, seed.int),
            "total": round(sum(line["amount"] for line in lines), 2),
            "paid": seed.int % 2 == 0,
        },
        "lines": lines,
    }


def _line(seed: int) -> dict[str, Any]:
    return {"description": _pick(_ITEMS, seed), "amount": seed % 1_000_000 / 100}


def _pick(choices: tuple[str, ...], seed: int) -> str:
    return choices[seed % len(choices)]


def print_invoice(data: Mapping[str, Any], title: str, part: int, parts: int) -> list[Chunk]:
    """Return the content of one of the documents that an invoice is printed on.

    The supplier stands in each of them, the invoice's head in the first, its lines in the last.

    Args:
        data: The invoice, from `build_invoice`.
        title: The document's heading.
        part: The document's number among those of the invoice, counted from 0.
        parts: The number of the invoice's documents.
    """
    chunks = [Chunk(1, [Block("heading", title), *_group(data, "supplier")])]
    if part == 0:
        chunks.append(Chunk(1, [Block("heading", "Invoice"), *_group(data, "invoice")]))
    if part == parts - 1:
        chunks.append(Chunk(2, [Block("heading", "Lines"), *_table(data["lines"])]))
    return chunks


def _group(data: Mapping[str, Any], group: str) -> Iterator[Block]:
    for key, value in data[group].items():
        label = key.replace("_", " ").capitalize()
        yield Block("paragraph", f"{label}: {value}", ((group, key),))


def _table(lines: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    columns = list(lines[0])
    meta = {"table": {"rows": len(lines), "columns": columns}}
    yield Block("table", " | ".join(columns), (), meta)
    for number, line in enumerate(lines):
        cells = [str(value) for value in line.values()]
        fields = tuple(("lines", number, column) for column in columns)
        yield Block("table_row", " | ".join(cells), fields, {"table_row": {"cells": cells}})
