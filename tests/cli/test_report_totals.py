"""The counts in the report's page."""

import re
from collections import Counter
from typing import Any

import pytest

from raydocs_async import Session, converter
from raydocs_async.cli._report._totals import (
    Failures,
    Totals,
    bar,
    count_name,
    number,
    overview,
    rows,
)
from tests.cli.sessions import session
from tests.support.markup import ATTACK, poison


def failure(**changes: Any) -> dict[str, Any]:
    """Return a failure."""
    error = {"type": "NotFoundError", "message": "HTTP 404", "status": 404, "attempts": 1}
    return {"id": "x", "where": "ids.txt:1", "is_permanent": True, "error": error} | changes


def test_sessions() -> None:
    """Sessions, documents, results, values, repetitions and unfinished sessions are counted."""
    totals = Totals()
    for occurrence, status in ((1, "completed"), (2, "completed"), (1, "pending")):
        totals.add(converter.structure(session(1, status=status), Session), 20, occurrence)
    assert totals == Totals(
        Counter(completed=2, pending=1),
        documents=9,
        results=6,
        values=60,
        repeated=1,
        unfinished=1,
    )
    assert totals.sessions == 3


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, ""),
        (1, "<p>1 session came before in the same files, and is counted again.</p>"),
        (1000, "<p>1\u202f000 sessions came before in the same files, and are counted again.</p>"),
    ],
)
def test_repetitions(count: int, words: str) -> None:
    """Sessions that come again are named, because all numbers count them again."""
    assert overview(Totals(repeated=count))["repeated"] == words


def test_many_names() -> None:
    """Names that never end are counted together, so the memory does not grow."""
    counter: Counter[str] = Counter()
    for each in range(1000):
        count_name(counter, f"status {each}")
    count_name(counter, "status 1")
    assert (len(counter), counter["others"], counter["status 1"]) == (31, 970, 2)


def test_failures() -> None:
    """Failures are counted by their reasons, and each has a row."""
    failures = Failures()
    row = failures.add(failure())
    assert re.findall(r"<bdi>(.*?)</bdi>", row) == ["x", "ids.txt:1", "HTTP 404", "1", "permanent"]
    other = failures.add(failure(error={}, is_permanent=False))
    assert re.findall(r"<bdi>(.*?)</bdi>", other)[2:] == ["", "", "can be fetched again"]
    failures.add(failure())
    assert failures.reasons == Counter({"NotFoundError (HTTP 404)": 2, "": 1})


def test_kept_columns() -> None:
    """The columns that --keep took stand beside the place of the id."""
    row = Failures().add(failure(_input={"customer": "ACME", "n": 7}))
    assert "<bdi>ids.txt:1, customer ACME, n 7</bdi>" in row


def test_a_strange_failure() -> None:
    """A failure of other types, or with markup, is shown as text."""
    row = Failures().add(poison(failure(id=[1], where={"a": None}), ATTACK, "is_permanent"))
    assert re.findall(r"<(\w+)", row) == ["tr", *["td", "bdi"] * 5]
    assert "<td><bdi>[1]</bdi></td>" in row


def test_rows() -> None:
    """The names are rows by their frequency, with their share."""
    found = re.findall(r"<bdi>(.*?)</bdi></th><td>(.*?)</td><td>(.*?)<", rows(Counter(a=1, b=1999)))
    assert found == [("b", "1\u202f999", "100.0 %"), ("a", "1", "0.1 %")]
    assert rows(Counter()) == ""


def test_the_bar() -> None:
    """The bar has a part for each status, in its colour and of its share."""
    assert bar(Counter(failed=1, completed=3)) == (
        '<rect class="good" x="0.00" width="750.00" height="10"/>'
        '<rect class="bad" x="750.00" width="250.00" height="10"/>'
    )


def test_numbers() -> None:
    """Thousands are set apart."""
    assert [number(0), number(999), number(1_234_567)] == ["0", "999", "1\u202f234\u202f567"]
