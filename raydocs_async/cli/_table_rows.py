"""The rows of a table: for each kind of rows, its fixed columns and the rows of one session.

A row maps the keys of its columns to JSON values. Objects are taken apart into a column for each
path, so an object without keys has none. Arrays stay whole.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from raydocs_async import Evidence, ExtractedField, Parsing, Session, Source
from raydocs_async.cli._located_id import KEPT
from raydocs_async.cli._table_columns import FIXED, Key, Kind, kind_of, path_name, spell

Row = dict[Key, Any]

DATA: Final = "data"
"""The origin of the values in a result's data."""

ITEM: Final = (FIXED, "item")
"""The column with the place of an item in the array that ``--explode`` names."""

_TYPES: Final = {
    Kind.TEXT: "string",
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "number",
    Kind.FRACTION: "number",
}
"""The types of scalar values in JSON."""

_INTEGERS: Final = ("attempts", "document_count", "item", "page", "payload_size", "result_count")
_TIMES: Final = ("created_at", "updated_at", "completed_at")
_EXPECTED: Final = {
    **dict.fromkeys((*_INTEGERS, "size"), Kind.INTEGER),
    **dict.fromkeys((*_TIMES, *(f"result_{name}" for name in _TIMES)), Kind.TIME),
    "is_finished": Kind.BOOLEAN,
}
"""The types of fixed columns other than text."""


class Rows(NamedTuple):
    """One kind of rows."""

    columns: tuple[str, ...]
    """The fixed columns."""
    build: Callable[[Any], Iterator[Row]]
    """Yields the rows of one session, or of one failure."""

    @property
    def keys(self) -> dict[Key, Kind]:
        """The keys of the fixed columns, with the types that they have without a value."""
        return {(FIXED, name): _EXPECTED.get(name, Kind.TEXT) for name in self.columns}


def flatten(value: Any, key: Key) -> Iterator[tuple[Key, Any]]:
    """Yield each value in some JSON that is not an object, with its path."""
    # Not recursive, because free-form JSON can be deeper than Python's stack.
    left = [(key, value)]
    while left:
        path, each = left.pop()
        if isinstance(each, dict):
            left += [((*path, name), child) for name, child in reversed(each.items())]
        else:
            yield path, each


def explode(rows: Rows, path: str) -> Rows:
    """Return rows with one for each item of an array, and one for a result without items.

    Args:
        rows: Those of the results.
        path: The path of the array in the data, as in ``invoice.lines``.
    """

    def build(session: Session) -> Iterator[Row]:
        """Yield the rows of one session."""
        for row in rows.build(session):
            yield from _explode_row(row, path)

    return Rows((*rows.columns, ITEM[1]), build)


def _explode_row(row: Row, path: str) -> Iterator[Row]:
    arrays = (
        key
        for key, value in row.items()
        if key[0] == DATA and isinstance(value, list) and path_name(key) == path
    )
    key = next(arrays, None)
    items = [] if key is None else row.pop(key)
    if not items:
        yield row
    for index, item in enumerate(items):
        yield row | {ITEM: index} | dict(flatten(item, key or ()))


def _fixed(**values: Any) -> Row:
    return {(FIXED, name): value for name, value in values.items()}


def _session(session: Session) -> Row:
    """Return the values that the rows of all kinds begin with."""
    row = _fixed(
        session_id=str(session.id), session_name=session.name, session_status=session.status
    )
    extra = dict(session.extra)
    row.update(flatten(extra.pop(KEPT, {}), (KEPT,)))
    row.update(flatten(extra, ("session",)))
    return row


def _sessions(session: Session) -> Iterator[Row]:
    row = _session(session)
    row |= _fixed(
        is_finished=session.is_finished,
        document_count=len(session.documents),
        result_count=len(session.results),
        template_id=str(session.extraction_template_id),
        created_at=session.created_at,
        updated_at=session.updated_at,
    )
    row.update(flatten(session.settings, ("session", "settings")))
    yield row


def _documents(session: Session) -> Iterator[Row]:
    for each in session.documents:
        source = each.source or Source()
        row = _session(session)
        row |= _fixed(
            document_id=str(each.id),
            filename=each.filename,
            status=each.status,
            mime=each.mime,
            size=each.size,
            sha256=each.sha256,
            source_type=each.source_type or source.type,
            source_url=each.source_url or source.url,
            workspace_id=each.workspace_id,
            created_at=each.created_at,
            parsings=[_parsing(parsing) for parsing in each.parsings],
        )
        row.update(flatten(each.meta, ("document", "meta")))
        row.update(flatten(each.extra, ("document",)))
        yield row


def _parsing(parsing: Parsing) -> dict[str, str | None]:
    return {"version": parsing.parser_version, "status": parsing.status}


def _results(session: Session) -> Iterator[Row]:
    for result in session.results:
        row = _session(session)
        row |= _fixed(
            result_id=str(result.id),
            result_title=result.title,
            result_status=result.status,
            result_created_at=result.created_at,
            result_updated_at=result.updated_at,
            result_completed_at=result.completed_at,
            filenames=[each.filename for each in result.document_refs],
        )
        row.update(flatten(result.extra, ("result",)))
        row.update(flatten(result.data, (DATA,)))
        yield row


def _fields(session: Session) -> Iterator[Row]:
    for result in session.results:
        # The trail names a passage and not its document, which is known if there is only one.
        document = result.document_refs[0] if len(result.document_refs) == 1 else None
        facts = _session(session) | _fixed(
            result_id=str(result.id),
            document_id=document and str(document.document_id),
            document=document and document.filename,
        )
        for each in result.fields():
            yield facts | _field(each)


def _field(field: ExtractedField) -> Row:
    value, first = field.value, next(iter(field.sources), Evidence())
    return _fixed(
        field=field.name,
        value=None if value is None else spell(value),
        type="null" if value is None else _TYPES.get(kind_of(value)) or _container(value),
        reasoning=field.reasoning,
        page=first.page,
        text=first.text,
        chunk_id=first.chunk_id and str(first.chunk_id),
        other_sources=[_source(each) for each in field.sources[1:]] or None,
    )


def _container(value: Any) -> str:
    return "array" if isinstance(value, list) else "object"


def _source(evidence: Evidence) -> dict[str, Any]:
    return {"text": evidence.text, "page": evidence.page, "chunk_id": evidence.chunk_id}


def _failures(failure: dict[str, Any]) -> Iterator[Row]:
    row = _fixed(id=failure["id"], where=failure["where"])
    row |= {(FIXED, name): failure["error"].get(name) for name in _FAILURE[2:-2]}
    row |= _fixed(payload=failure.get("payload"), payload_size=failure.get("payload_size"))
    own = failure.keys() - {"id", "where", "error", "payload", "payload_size"}
    for name in sorted(own):
        row.update(flatten(failure[name], (KEPT,) if name == KEPT else ("failure", name)))
    yield row


_SESSION: Final = ("session_id", "session_name", "session_status")
_FAILURE: Final = (
    *("id", "where", "type", "message", "status", "retry_after", "request_id", "attempts"),
    *("payload", "payload_size"),
)

FAILURES: Final = "failures"
"""The kind whose rows are those of an errors file."""

RESULTS: Final = "results"
"""The kind whose rows hold the data."""

KINDS: Final = {
    RESULTS: Rows(
        (
            *_SESSION,
            *("result_id", "result_title", "result_status"),
            *("result_created_at", "result_updated_at", "result_completed_at", "filenames"),
        ),
        _results,
    ),
    "fields": Rows(
        (
            *_SESSION,
            *("result_id", "document_id", "document", "field", "value", "type", "reasoning"),
            *("page", "text", "chunk_id", "other_sources"),
        ),
        _fields,
    ),
    "documents": Rows(
        (
            *_SESSION,
            *("document_id", "filename", "status", "mime", "size", "sha256", "source_type"),
            *("source_url", "workspace_id", "created_at", "parsings"),
        ),
        _documents,
    ),
    "sessions": Rows(
        (
            *_SESSION,
            *("is_finished", "document_count", "result_count", "template_id"),
            *("created_at", "updated_at"),
        ),
        _sessions,
    ),
    FAILURES: Rows(_FAILURE, _failures),
}
"""All kinds of rows, by their names on the command line."""
