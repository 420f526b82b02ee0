"""Trees of objects, as a person sees them."""

import io
from datetime import UTC, datetime
from uuid import UUID

import pytest
from attrs import evolve
from rich.console import Console

from raydocs_async import Chunk, Document, DocumentRef, Result, Session
from raydocs_async.cli._source_files import SourceFiles
from raydocs_async.cli._tree import Shown, build_tree
from tests.cli.conftest import UNKNOWN

ID = UUID(UNKNOWN)


def drawn(shown: Shown, width: int = 60, *, sources: SourceFiles | None = None) -> list[str]:
    """Return the lines of a tree."""
    screen = io.StringIO()
    Console(file=screen, width=width).print(build_tree(shown, sources=sources))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


@pytest.fixture
def session() -> Session:
    """A session without documents and results, and with a malicious name."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Session(
        id=ID,
        name="\x1b[2Jgone",
        extraction_template_id=ID,
        settings={},
        created_at=moment,
        updated_at=moment,
        documents=(),
        results=(),
    )


def test_a_name_that_steers_terminals(session: Session) -> None:
    """Names from the service are shown without control characters."""
    assert "\x1b" not in str(build_tree(session).label)


def test_an_empty_session(session: Session) -> None:
    """A session without documents and results is its name alone."""
    assert build_tree(session).children == []


RESULT = Result(
    id=ID,
    status="completed",
    data={"name": "Ōkami\n\x1b[2J[b]", "total": 1.5, "paid": None, "tags": []},
    audit_data={
        "name": {"sources": [{"text": "Ōkami", "page": 2}, {"page": 3}]},
        "total": {"sources": [{"text": "1.5"}]},
    },
)


def test_values_with_their_pages() -> None:
    """A result shows each value on one line, with the page of its first source, if it has one."""
    assert drawn(RESULT) == [
        f"result  completed  {ID}",
        "└── name   Ōkami �[2J[b]  p. 2",
        "    total  1.5",
        "    paid   null",
        "    tags   []",
    ]


def test_values_with_their_sources() -> None:
    """Below each value stand its reasoning and its passages, not cut, each with its page."""
    audit = {
        "name": {
            "reasoning": "Stands at\nthe top.",
            "sources": [
                {"text": "The\x1b name is Ōkami, of Kyōto and Ōsaka", "page": 2},
                {"page": 3},
            ],
        },
        "total": {"sources": [{"text": "1.5"}]},
    }
    result = evolve(RESULT, data={"name": "Ōkami", "total": 1.5, "paid": None}, audit_data=audit)
    assert drawn(result, 40, sources={})[2:] == [
        "└── name   Ōkami",
        "           Stands at the top.",
        "           “The� name is Ōkami, of  p. 2",
        "           Kyōto and Ōsaka”",
        "           “”                       p. 3",
        "    total  1.5",
        "           “1.5”",
        "    paid   null",
    ]


def test_the_file_of_a_passage() -> None:
    """The file of a passage, if it is known, stands before its page, without control characters."""
    chunk_id = str(UUID(int=1))
    audit = {"name": {"sources": [{"text": "Ōkami", "page": 2, "chunk_id": chunk_id}]}}
    result = evolve(RESULT, data={"name": "Ōkami"}, audit_data=audit)
    lines = drawn(result, sources={UUID(int=1): "a\x1b.pdf"})
    assert lines[-1].strip() == "“Ōkami”  a�.pdf  p. 2"


def test_a_result_names_its_documents() -> None:
    """With its sources, a result shows the names of its documents, if the service gives them."""
    refs = (
        DocumentRef(document_id=ID, filename="a.pdf"),
        DocumentRef(document_id=ID),
        DocumentRef(document_id=ID, filename="b\x1b.pdf"),
    )
    shown = evolve(RESULT, document_refs=refs, data=None)
    assert drawn(shown, sources={})[1:] == ["└── from  a.pdf, b�.pdf"]
    assert drawn(shown)[1:] == []


def test_values_are_cut_to_the_width() -> None:
    """A long value is cut, and its name and page are not."""
    long = evolve(RESULT, data={"name": "word " * 50})
    assert drawn(long)[1] == "└── name  word word word word word word word word wor…  p. 2"
    assert len(drawn(long)) == 2


def test_values_come_first(session: Session) -> None:
    """A session shows the values of its results before its documents."""
    document = Document(id=ID, filename="a.pdf", status="ready")
    lines = drawn(evolve(session, results=(RESULT,), documents=(document,)), 100)
    assert [line[4:] for line in lines if line[:1] in "├└"] == ["results", "documents"]
    assert lines[-1] == f"    └── a.pdf  ready  {ID}"


def test_a_result_without_data() -> None:
    """A result without data is one line."""
    assert len(drawn(evolve(RESULT, data=None))) == 1


@pytest.mark.parametrize(
    ("chunk", "lines"),
    [
        (Chunk(id=ID, index=3, content="a\n\x1bb", page_numbers=(1, 2)), f"chunk 3  p. 1, 2  {ID}"),
        (Chunk(id=ID, content="a\n\x1bb"), f"chunk  {ID}"),
    ],
)
def test_a_chunk(chunk: Chunk, lines: str) -> None:
    """A passage shows its place and its lines, without control characters."""
    assert drawn(chunk) == [lines, "└── a", "    �b"]
