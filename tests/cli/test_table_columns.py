"""The columns of a table: their names and types."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._table_columns import FIXED, Column, ColumnNames, Kind, kind_of, spell

decode = msgspec.json.Decoder(float_hook=lambda digits: msgspec.Raw(digits.encode())).decode


def column(*values: str) -> Column:
    """Return a column with some values, as they are spelled in JSON."""
    built = Column("c0", "c")
    for value in values:
        built.spell(decode(value.encode()))
    return built


@pytest.mark.parametrize(
    ("values", "sql", "sqlite"),
    [
        ((), "VARCHAR", "TEXT"),
        (("null",), "VARCHAR", "TEXT"),
        (('"7"',), "VARCHAR", "TEXT"),
        (('"7"', "7"), "VARCHAR", "TEXT"),
        (("true", "null"), "BOOLEAN", "INTEGER"),
        (("true", "1"), "VARCHAR", "TEXT"),
        (("[]",), "VARCHAR", "TEXT"),
        (("1", "-9223372036854775808"), "BIGINT", "INTEGER"),
        (("9223372036854775808",), "DECIMAL(38,0)", "TEXT"),
        (("1" * 39,), "VARCHAR", "TEXT"),
        (("1", "10.25"), "DECIMAL(18,2)", "REAL"),
        (("-0.5",), "DECIMAL(18,1)", "REAL"),
        (("1e2", "2.5e-3"), "DECIMAL(18,4)", "REAL"),
        (("1e5",), "DECIMAL(18,0)", "REAL"),
        (("0.10000000000000000001",), "DECIMAL(38,20)", "TEXT"),
        (("9007199254740993", "0.5"), "DECIMAL(18,1)", "TEXT"),
        (("1e300", "1e-300"), "DOUBLE", "REAL"),
        (("1e999",), "VARCHAR", "TEXT"),
        (("1e99999999999999999999",), "VARCHAR", "TEXT"),
    ],
)
def test_types(values: tuple[str, ...], sql: str, sqlite: str) -> None:
    """A column has the narrowest type that holds each of its values exactly."""
    assert (column(*values).sql_type, column(*values).sqlite_type) == (sql, sqlite)


def test_times() -> None:
    """Times are an instant, and text in SQLite."""
    built = Column("c0", "c")
    assert built.spell(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
    assert (built.sql_type, built.sqlite_type) == ("TIMESTAMPTZ", "TEXT")


def test_a_default() -> None:
    """A column without values has the type that is expected of it."""
    assert Column("c0", "c", default=Kind.INTEGER).sql_type == "BIGINT"


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        ('"é"', Kind.TEXT, "é"),
        ("true", Kind.BOOLEAN, "true"),
        ("false", Kind.BOOLEAN, "false"),
        ("10", Kind.INTEGER, "10"),
        ("10.0", Kind.FRACTION, "10.0"),
        ("1E5", Kind.FRACTION, "1E5"),
        ('[1.10,{"a":"é"}]', Kind.JSON, '[1.10,{"a":"é"}]'),
    ],
)
def test_spelling(value: str, kind: Kind, text: str) -> None:
    """A value keeps its spelling."""
    decoded = decode(value.encode())
    assert (kind_of(decoded), spell(decoded)) == (kind, text)


numbers = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(lambda each: f"{each:f}"),
)


@given(st.lists(numbers, min_size=1, max_size=5))
def test_no_number_changes(values: list[str]) -> None:
    """DuckDB reads the very value of each number in the type of its column."""
    chosen = column(*values).sql_type
    for value in values:
        sql = f"SELECT CAST(? AS {chosen})"
        found: Any = duckdb.execute(sql, [value]).fetchone()
        exact = found[0] if not isinstance(found[0], float) else repr(found[0])
        assert Decimal(exact) == Decimal(value)


def test_names() -> None:
    """Each column has a name that differs from the others in more than its case."""
    names = ColumnNames()
    keys = [
        (FIXED, "session_id"),
        ("data", "invoice", "total"),
        ("data", "invoice.total"),
        ("data", "Invoice", "Total"),
        ("data", "session_id"),
        ("data",),
        ("data", "a\nb"),
    ]
    assert [names.add(key) for key in keys] == [
        "session_id",
        "invoice.total",
        "invoice.total_2",
        "Invoice.Total_3",
        "session_id_2",
        "data",
        "a\ufffdb",
    ]
