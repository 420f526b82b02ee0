"""One session in the report's page."""

import json
import re
from typing import Any

import pytest

from raydocs_async import Session, converter
from raydocs_async.cli._report._entry import MOST_ITEMS, MOST_VALUES, build_entry
from tests.cli.sessions import session
from tests.support.markup import ATTACK, poison

Json = Any


def entry(raw: dict[str, Any], occurrence: int = 1) -> tuple[str, Json]:
    """Return the line of a session, and its content."""
    html = build_entry(converter.structure(raw, Session), occurrence).html
    found = re.fullmatch(r"(.*)<script type=\"application/json\">(.*)</script></details>\n", html)
    assert found is not None
    return found[1], json.loads(found[2])


def test_the_line() -> None:
    """The line of a session has its name, its status, and what it holds."""
    line, _ = entry(session(1, {"a": 1, "b": [2, 3]}, name="Q1"))
    assert line == (
        '<details class="session" id="session-00000000-0000-0001-0000-000000000000"><summary>'
        '<bdi class="name">Q1</bdi> <bdi class="status good">completed</bdi> '
        '<span class="facts">3 documents · 1 result · 3 values</span></summary>'
    )


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"status": "failed"}, 'bad">failed'),
        ({"status": "brand new"}, 'neutral">brand new'),
        ({"status": None}, 'good">finished'),
        ({"status": None, "results": []}, 'neutral">no status'),
    ],
)
def test_statuses(changes: dict[str, Any], shown: str) -> None:
    """A status has a colour by its meaning, and words if the session does not name it."""
    assert f'<bdi class="status {shown}</bdi>' in entry(session(1, **changes))[0]


def test_facts() -> None:
    """The content begins with ids, times, and the columns that `fetch --keep` has kept."""
    line, (facts, _, _) = entry(session(1, _input={"customer": "ACME", "n": 1, "empty": None}))
    assert " · customer ACME · n 1 · empty </span></summary>" in line
    assert [name for name, _ in facts] == [
        *("Session", "Template", "Created", "Updated", "customer", "n", "empty"),
    ]
    assert facts[0][1] == "00000000-0000-0001-0000-000000000000"
    assert facts[2][1].endswith(" UTC")
    assert [words for _, words in facts[4:]] == ["ACME", "1", ""]


def test_documents() -> None:
    """Each document has its name, its status, its type, its length and its size."""
    one, two, three = session(1)["documents"]
    one |= {"filename": "a.pdf", "meta": {"page_count": 2}, "size": 1_234_567, "status": "ready"}
    two |= {"filename": "b.pdf", "meta": {"page_count": "2"}, "size": None, "status": "failed"}
    three |= {"filename": "c.pdf", "mime": None, "size": 10**30, "status": "parsing"}
    _, (_, (documents, note), _) = entry(session(1, documents=[one, two, three]))
    assert documents == [
        ["a.pdf", ["ready", 1], "application/pdf", "2 pages", "1.2 MB"],
        ["b.pdf", ["failed", 2], "application/pdf", "", ""],
        ["c.pdf", ["parsing", 0], "", "", f"{10**30} bytes"],
    ]
    assert note == ""


@pytest.mark.parametrize(
    ("size", "words"), [(1, "1 byte"), (999, "999 bytes"), (1500, "1.5 kB"), (-1, "-1 bytes")]
)
def test_sizes(size: int, words: str) -> None:
    """A size is shown in the unit that fits."""
    document = session(1)["documents"][0] | {"size": size}
    assert entry(session(1, documents=[document]))[1][1][0][0][4] == words


def result(**changes: Any) -> dict[str, Any]:
    """Return a result from one document."""
    (reference, *_) = session(1)["results"][0]["document_refs"]
    reference |= {"filename": "a.pdf"}
    own: dict[str, Any] = session(1)["results"][0]
    return own | {"title": "T", "document_refs": [reference]} | changes


def test_values() -> None:
    """Each value has its reasoning, and each source its document, its page and its text."""
    data = {"total": 10.5, "name": "ACME", "none": None, "empty": [], "paid": True}
    source = {"text": "Total: 10.50", "page": 3}
    audit = {
        "total": {"reasoning": "It is the sum.", "sources": [source, {"text": "again"}]},
        "name": {"sources": [{"page": 1}]},
    }
    _, (_, _, ([shown], note)) = entry(session(1, results=[result(data=data, audit_data=audit)]))
    title, status, documents, values, more = shown
    assert (title, status, documents, more, note) == ("T", ["completed", 1], "a.pdf", "", "")
    sources = [["a.pdf, page 3", "Total: 10.50"], ["a.pdf", "again"]]
    assert values == [
        ["total", ["10.5", 1], "It is the sum.", [sources, ""]],
        ["name", ["ACME"], "", [[["a.pdf, page 1", ""]], ""]],
        ["none", ["null", 1], "", [[], ""]],
        ["empty", ["[]", 1], "", [[], ""]],
        ["paid", ["true", 1], "", [[], ""]],
    ]


def test_a_source_in_one_of_several_documents() -> None:
    """The trail does not name the document, so of several none is claimed."""
    first, second = (
        each | {"filename": None} for each in session(1)["results"][0]["document_refs"]
    )
    audit = {"x": {"sources": [{"text": "y", "page": 3}]}}
    raw = result(data={"x": "y"}, audit_data=audit, title=None, document_refs=[first, second])
    _, (_, _, ([shown], _)) = entry(session(1, results=[raw]))
    assert shown[0] == "Result 1"
    assert shown[2] == f"{first['documentId']}, {second['documentId']}"
    assert shown[3] == [["x", ["y"], "", [[["page 3", "y"]], ""]]]


def test_bare_data() -> None:
    """Data that is one value has a name, too."""
    _, (_, _, ([shown], _)) = entry(session(1, "bare"))
    assert shown[3] == [["(all of it)", ["bare"], "", [[], ""]]]


def test_what_is_left_out() -> None:
    """A list that is too long for a page says how many it leaves out; the line counts all."""
    document = session(1)["documents"][0]
    many = session(
        1,
        {"a": list(range(MOST_VALUES - 1))},
        {"b": list(range(3))},
        documents=[document] * (MOST_ITEMS + 1),
    )
    line, (_, (documents, more_documents), ((first, second), _)) = entry(many)
    assert f"{MOST_ITEMS + 1} documents · 2 results · {MOST_VALUES + 2} values" in line
    assert len(documents) == MOST_ITEMS
    assert more_documents == "and 1 more document, which only the file of fetch has"
    assert (len(first[3]), first[4]) == (MOST_VALUES - 1, "")
    assert (len(second[3]), second[4]) == (1, "and 2 more values, which only the file of fetch has")


def test_a_second_occurrence() -> None:
    """A session that comes again has an anchor of its own."""
    assert 'id="session-00000000-0000-0001-0000-000000000000-2"' in entry(session(1), 2)[0]


def test_an_attack() -> None:
    """No text of a session becomes markup, and each is in its content."""
    kept = ("id", "documentId", "created_at", "updated_at", "completed_at", "createdAt",
            "extraction_session_id", "extraction_template_id", "chunk_id")  # fmt: skip
    line, content = entry(poison(session(1), ATTACK, *kept))
    assert re.findall(r"<(\w+)", line) == ["details", "summary", "bdi", "bdi", "span"]
    assert "</script>" in json.dumps(content)


def test_long_strings() -> None:
    """Strings of 10 MB in a session give an entry that a browser can hold."""
    long = "x" * 10_000_000
    raw = session(1, {long: long}, name=long, status=long, _input={long: long})
    raw["documents"][0] |= {"filename": long, "mime": long, "status": long}
    raw["results"][0] |= {
        "title": long,
        "status": long,
        "audit_data": {long: {"reasoning": long, "sources": [{"text": long}]}},
    }
    html = build_entry(converter.structure(raw, Session)).html
    assert len(html) < 100_000
    assert html.count("(cut; 10000000 characters)") == 13
