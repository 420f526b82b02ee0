"""The models as they are shown: their ``repr``s, and their tables in a notebook."""

from typing import Any

import attrs
import pytest

from raydocs_async import Result, Session
from raydocs_async._converter import decode
from raydocs_async.testing import build_session
from tests.strategies import GUIDE
from tests.support.models import AN_ID, PARTS


def test_repr() -> None:
    """The ``repr`` of a session shows its identity and status, and counts its contents."""
    assert repr(decode(GUIDE, Session)) == (
        "Session(id=UUID('770e8400-e29b-41d4-a716-446655440000'), name='Q1 2024 Invoices', "
        "documents=<1>, results=<1>, status=None)"
    )


@pytest.mark.parametrize("part", PARTS)
def test_repr_does_not_show_content(part: Any) -> None:
    """S4: no ``repr`` shows extracted data, sources, or unknown keys."""
    marked = {
        name: "MARKER"
        for name in ("extra", "settings", "meta", "data", "audit_data", "url", "source_url")
        if name in attrs.fields_dict(type(part))
    }
    assert "MARKER" not in repr(attrs.evolve(part, **marked))


def test_a_notebook_shows_a_small_table() -> None:
    """A session's table shows the extracted values, then documents and results."""
    built = build_session(
        AN_ID,
        data=[{"total": "<12>"}],
        name="<b>Q3</b>",
        documents=[{"id": str(AN_ID), "filename": "a&b.pdf", "status": "ready"}],
    )
    assert built._repr_html_() == (
        "<table><caption>&lt;b&gt;Q3&lt;/b&gt;: completed</caption>"
        f"<tr><th></th><th>{AN_ID}</th><th>status or page</th></tr>"
        "<tr><td>total</td><td>&lt;12&gt;</td><td></td></tr>"
        "<tr><td>document</td><td>a&amp;b.pdf</td><td>ready</td></tr>"
        f"<tr><td>result</td><td>{built.results[0].id}</td><td>completed</td></tr></table>"
    )


def test_a_notebook_shows_a_results_values() -> None:
    """A result's table shows each value with its name and its page."""
    audit = {"total": {"sources": [{"text": "12"}, {"page": 2}]}}
    result = Result(
        id=AN_ID, status="completed", data={"total": 12, "paid": None}, audit_data=audit
    )
    assert result._repr_html_() == (
        f"<table><caption>result</caption><tr><th></th><th>{AN_ID}</th><th>page</th></tr>"
        "<tr><td>total</td><td>12</td><td>2</td></tr>"
        "<tr><td>paid</td><td></td><td></td></tr></table>"
    )
    assert "<td>value</td><td>7</td>" in attrs.evolve(result, data=7)._repr_html_()


def test_a_notebook_shows_a_documents_facts() -> None:
    """A document's table shows its facts, and the status of each of its readings."""
    document = attrs.evolve(
        build_session().documents[0],
        filename="<a>.pdf",
        status="processed",
        mime="application/pdf",
        size=7,
    )
    shown = document._repr_html_()
    assert f"<caption>&lt;a&gt;.pdf</caption><tr><th></th><th>{document.id}</th></tr>" in shown
    for fact, value in (("status", "processed"), ("mime", "application/pdf"), ("size", "7")):
        assert f"<tr><td>{fact}</td><td>{value}</td></tr>" in shown
    assert shown.count("<td>parsing</td>") == len(document.parsings)


def test_a_notebooks_table_stays_small() -> None:
    """Of many results, the table shows the first ones, and the number of the others."""
    html = build_session(data=[None] * 10_000, status=None)._repr_html_()
    assert html.count("<td>result</td>") == 20
    assert "<td>… and 9980 more</td>" in html


def test_a_session_without_a_status_in_a_notebook() -> None:
    """The caption of a session without a status is its name alone."""
    html = build_session(status=None, name="Q3", documents=[], data=[])._repr_html_()
    assert "<caption>Q3</caption>" in html


def test_a_session_prints_short() -> None:
    """The ``repr`` of a session counts documents and results instead of printing them."""
    assert len(repr(build_session(data=[{"wall": "of text" * 1000}] * 50))) < 200


@pytest.mark.parametrize(
    ("data", "shown"),
    [({"a": 1, "b": 2}, "<2 keys>"), ([1], "<1 items>"), (None, "None"), ("x", "<str>")],
)
def test_a_result_prints_how_much_data_it_has(data: Any, shown: str) -> None:
    """The ``repr`` of a result shows the size of its data, and nothing of the data."""
    (result,) = build_session(data=[data]).results
    assert f", data={shown}" in repr(result)
