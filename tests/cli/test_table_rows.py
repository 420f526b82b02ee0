"""The rows that are made of one session."""

from typing import Any

import pytest

from raydocs_async import Session, converter
from raydocs_async.cli._table_columns import FIXED
from raydocs_async.cli._table_rows import KINDS, explode, flatten
from tests.cli.sessions import session


def build(kind: str, **changes: Any) -> list[dict[Any, Any]]:
    """Return the rows of a session."""
    return list(KINDS[kind].build(converter.structure(session(1, **changes), Session)))


@pytest.mark.parametrize("kind", ["results", "fields", "documents", "sessions"])
def test_fixed_columns(kind: str) -> None:
    """Each row has all fixed columns, and each fixed column is listed."""
    for row in build(kind):
        assert {key for key in row if key[0] == FIXED} == set(KINDS[kind].keys)


def test_flatten() -> None:
    """Objects are taken apart, in their order; arrays and scalar values are not."""
    value = {"a": {"b": 1, "c": {}}, "d": [{"e": 2}], "f": None}
    assert list(flatten(value, ("data",))) == [
        (("data", "a", "b"), 1),
        (("data", "d"), [{"e": 2}]),
        (("data", "f"), None),
    ]
    assert list(flatten("bare", ("data",))) == [(("data",), "bare")]


def test_unknown_keys() -> None:
    """Keys that the models do not know are columns, too, and do not mix with the data's."""
    document = session(1)["documents"][0] | {"new": 2, "meta": {"page_count": 3}}
    assert build("sessions", customer="ACME")[0]["session", "customer"] == "ACME"
    assert build("results", customer="ACME")[0]["session", "customer"] == "ACME"
    row = build("documents", documents=[document])[0]
    assert (row["document", "new"], row["document", "meta", "page_count"]) == (2, 3)


def test_older_documents() -> None:
    """The source of a document is found in the older spelling."""
    document = session(1)["documents"][0]
    del document["source_type"], document["source_url"]
    document["source"] = {"type": "url", "url": "https://x.example"}
    row = build("documents", documents=[document])[0]
    assert (row[FIXED, "source_type"], row[FIXED, "source_url"]) == ("url", "https://x.example")


def test_fields() -> None:
    """A value has its JSON type, and all of its sources."""
    result = session(1)["results"][0] | {
        "data": {"a": None, "b": [], "c": {}, "d": True, "e": "x"},
        "audit_data": {
            "e": {"reasoning": "why", "sources": [{"page": 1, "text": "p"}, {"page": 2}]}
        },
    }
    rows = build("fields", results=[result])
    found = [(row[FIXED, "field"], row[FIXED, "type"], row[FIXED, "value"]) for row in rows]
    assert found == [
        ("a", "null", None),
        ("b", "array", "[]"),
        ("c", "object", "{}"),
        ("d", "boolean", "true"),
        ("e", "string", "x"),
    ]
    last = rows[-1]
    assert (last[FIXED, "page"], last[FIXED, "text"], last[FIXED, "chunk_id"]) == (1, "p", None)
    assert last[FIXED, "other_sources"] == [{"text": None, "page": 2, "chunk_id": None}]


def test_failures() -> None:
    """A failure is a row; keys that are not its own are columns, too."""
    failure = {"id": "a", "where": "b:1", "error": {"type": "X", "status": 404}, "input": {"k": 1}}
    (row,) = KINDS["failures"].build(failure)
    assert {key for key in row if key[0] == FIXED} == set(KINDS["failures"].keys)
    assert row[FIXED, "status"] == 404
    assert row["failure", "input", "k"] == 1


def test_items_of_bare_data() -> None:
    """The data itself can be the array."""
    read = converter.structure(session(1, [{"a": 1}, {"a": 2}]), Session)
    rows = list(explode(KINDS["results"], "data").build(read))
    assert [(row[FIXED, "item"], row["data", "a"]) for row in rows] == [(0, 1), (1, 2)]
