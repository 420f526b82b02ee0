"""One session in the page: a line of the list, and its content as JSON; pure.

The script reads the content by position, as `_content` and the functions below it write it: lists
and strings, and numbers where the script needs a code. The search looks at all strings.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, islice, repeat
from typing import Any, Final, NamedTuple, TypeVar

from raydocs_async import Document, Evidence, ExtractedField, Result, Session
from raydocs_async.cli._located_id import KEPT
from raydocs_async.cli._report._text import NAME_CHARS, embed, escape, shown, size_name, time
from raydocs_async.cli._table_columns import spell
from raydocs_async.cli._text import plural

T = TypeVar("T")

MOST_ITEMS: Final = 1000
"""Documents of a session, results of a session, sources of a value, at most."""
MOST_VALUES: Final = 5000
"""Values of a session that the page shows; a browser takes a second to lay out so many."""

_NEUTRAL: Final = 0
_GOOD: Final = 1
_BAD: Final = 2
_TONES: Final = {
    "completed": _GOOD,
    "ready": _GOOD,
    "processed": _GOOD,
    "failed": _BAD,
}
TONE_CLASSES: Final = ("neutral", "good", "bad")
"""The classes of the page's style, by tone."""


class Entry(NamedTuple):
    """A session as the page has it."""

    html: str
    value_count: int
    """Extracted values, also those that the page leaves out."""


class _Values(NamedTuple):
    """The values of one result."""

    rows: list[Any]
    total: int


def build_entry(session: Session, occurrence: int = 1) -> Entry:
    """Return the entry of a session.

    Args:
        session: The session.
        occurrence: 2 for a session that comes a second time, whose link needs another name.
    """
    values = _values(session)
    anchor = f"session-{session.id}" + (f"-{occurrence}" if occurrence > 1 else "")
    status = status_name(session)
    value_count = sum(each.total for each in values)
    facts = (
        plural(len(session.documents), "document"),
        plural(len(session.results), "result"),
        plural(value_count, "value"),
        *(escape(f"{name} {value}") for name, value in _kept(session)),
    )
    return Entry(
        f'<details class="session" id="{anchor}"><summary>'
        f'<bdi class="name">{escape(session.name) or "(no name)"}</bdi> '
        f'<bdi class="status {TONE_CLASSES[tone(status)]}">{escape(status)}</bdi> '
        f'<span class="facts">{" · ".join(facts)}</span></summary>'
        f'<script type="application/json">{embed(_content(session, values))}</script>'
        "</details>\n",
        value_count,
    )


def status_name(session: Session) -> str:
    """Return the status of a session, and words for one that it does not say."""
    if session.status is not None:
        return str(session.status)
    return "finished" if session.is_finished else "no status"


def tone(status: str) -> int:
    """Return the code of a status's colour: 0 neutral, 1 good, 2 bad."""
    return _GOOD if status == "finished" else _TONES.get(status, _NEUTRAL)


def _values(session: Session) -> list[_Values]:
    """Return the values of each result, as far as the page has room for them."""
    room, found = MOST_VALUES, []
    for result in session.results:
        fields = result.fields()
        names = _names(result)
        document = names[0] if len(names) == 1 else ""
        rows = [_value(each, document) for each in islice(fields, room)]
        room -= len(rows)
        found.append(_Values(rows, len(rows) + sum(1 for _ in fields)))
    return found


def _content(session: Session, values: Sequence[_Values]) -> list[Any]:
    results = map(_result, count(1), session.results, values)
    return [
        list(_facts(session)),
        _first(map(_document, session.documents), len(session.documents), "document"),
        _first(results, len(session.results), "result"),
    ]


def _first(items: Iterable[Any], total: int, noun: str) -> list[Any]:
    """Return the first items, and a note about the others."""
    return [list(islice(items, MOST_ITEMS)), _note(total - MOST_ITEMS, noun)]


def _note(left_out: int, noun: str) -> str:
    more = f"and {plural(left_out, f'more {noun}')}, which only the file of fetch has"
    return more if left_out > 0 else ""


def _facts(session: Session) -> Iterator[list[str]]:
    yield ["Session", str(session.id)]
    yield ["Template", str(session.extraction_template_id)]
    yield ["Created", time(session.created_at)]
    yield ["Updated", time(session.updated_at)]
    for name, value in _kept(session):
        yield [shown(name, NAME_CHARS), shown(value)]


def _kept(session: Session) -> Iterator[tuple[str, str]]:
    """Yield the columns that `--keep` took from the input."""
    kept = session.extra.get(KEPT)
    for name, value in kept.items() if isinstance(kept, dict) else ():
        yield name, "" if value is None else spell(value)


def _document(document: Document) -> list[Any]:
    pages = document.meta.get("page_count")
    return [
        shown(document.filename, NAME_CHARS),
        _status(document.status),
        shown(document.mime or "", NAME_CHARS),
        plural(pages, "page") if type(pages) is int else "",
        "" if document.size is None else size_name(document.size),
    ]


def _result(number: int, result: Result, values: _Values) -> list[Any]:
    return [
        shown(result.title or f"Result {number}", NAME_CHARS),
        _status(result.status),
        shown(", ".join(_names(result))),
        values.rows,
        _note(values.total - len(values.rows), "value"),
    ]


def _names(result: Result) -> list[str]:
    return [
        shown(each.filename or str(each.document_id), NAME_CHARS) for each in result.document_refs
    ]


def _value(field: ExtractedField, document: str) -> list[Any]:
    """Return a row: name, value (with a code if it is not a string), reasoning, sources."""
    is_text = isinstance(field.value, str)
    text = "null" if field.value is None else spell(field.value)
    return [
        shown(field.name, NAME_CHARS) or "(all of it)",
        [shown(text)] if is_text else [shown(text), 1],
        shown(field.reasoning or ""),
        _first(map(_source, field.sources, repeat(document)), len(field.sources), "source"),
    ]


def _source(source: Evidence, document: str) -> list[str]:
    return [_place(document, source.page), shown(source.text or "")]


def _place(document: str, page: int | None) -> str:
    return ", ".join(filter(None, (document, "" if page is None else f"page {page}")))


def _status(status: str) -> list[Any]:
    return [shown(str(status), NAME_CHARS), tone(status)]
