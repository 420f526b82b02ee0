"""The API's objects, as frozen values.

An object keeps the whole JSON that it was read from. Keys without a field are in `extra`, and a
status that is not in the enumeration stays a plain string. `wire_keys` has the keys in the reply's
spelling and order. `wire_values` has each value that the library would write in another spelling:
an id that was a number, PHP's ``[]`` for an empty map, a time with its zeros. So an object is
written with the keys and values that it was read from, with two exceptions. UUIDs are written in
lower case and with hyphens. Integers are exact, however long, but a number with a fraction is a
double, as in most JSON libraries, and digits that a double cannot hold are rounded.

All values are of plain built-in types: ``str``, ``int``, ``float``, ``bool``, ``dict``, ``list``,
``tuple``, ``UUID`` and ``datetime``. A known status is a member of a ``StrEnum``, which PyYAML
refuses: give it ``str(status)``.

A field without a default is in every documented reply. All other fields are ``None``, or empty, if
a reply leaves them out. Times are aware; a time without a zone is UTC, the framework's default.
Free-form parts (`settings`, `meta`, `data`, `audit_data`, `extra`) are the plain ``dict`` and
``list`` objects of the JSON; they do not take part in hashing.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from attrs import field, frozen

from raydocs_async import _html
from raydocs_async._converter import read_data
from raydocs_async._model import AnyId, Model, Status, count_of, extent_of, spelled
from raydocs_async.audit import ExtractedField, extracted_fields

T = TypeVar("T")

_PAGE_DIGITS = 9
"""Digits of a page's number, at most."""


class SessionStatus(Status):
    """Progress of a session."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class DocumentStatus(Status):
    """Progress of a document."""

    UPLOADED = "uploaded"
    QUEUED = "queued"
    PENDING = "pending"
    PARSING = "parsing"
    PARSED = "parsed"
    PROCESSING = "processing"
    PROCESSED = "processed"
    READY = "ready"
    FAILED = "failed"


class ParsingStatus(Status):
    """Progress of the parsing of a document."""

    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class ResultStatus(Status):
    """Progress of a result."""

    CREATED = "created"
    PENDING = "pending"
    PARSING_PENDING = "parsing_pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@frozen(kw_only=True)
class Source(Model):
    """Where a document came from."""

    type: str | None = None
    """The kind of source, such as ``"upload"``."""
    url: str | None = field(default=None, repr=False)
    """The URL that the service fetched it from, if it did."""


@frozen(kw_only=True)
class DocumentRef(Model):
    """A result's reference to a document it was made from."""

    document_id: UUID = field(metadata=spelled("documentId"))
    """The `Document.id` referred to."""
    kind: str | None = field(default=None, metadata=spelled("kind", "type"))
    """The tag, ``"documentRef"``; some replies spell its key ``type``."""
    workspace_id: AnyId = field(default=None, metadata=spelled("workspaceId"))
    """The workspace, as in `Document.workspace_id`."""
    filename: str | None = field(default=None, repr=False)
    """The name it was uploaded under."""
    mime: str | None = None
    """Its media type."""
    size: int | None = None
    """Bytes."""
    sha256: str | None = field(default=None, repr=False)
    """Its checksum, in hexadecimal digits."""
    source: Source | None = field(default=None, repr=False)
    """Where it came from."""
    created_at: datetime | None = field(default=None, repr=False, metadata=spelled("createdAt"))
    """When it was uploaded."""


@frozen(kw_only=True)
class Parsing(Model):
    """One reading of a document by one version of the parser."""

    id: UUID
    """Its own id."""
    status: ParsingStatus | str
    """Its progress."""
    config_hash: str | None = field(default=None, repr=False)
    """Differs between parsings with different settings."""
    parser_version: str | None = None
    """The version of the parser that made it."""
    updated_at: datetime | None = field(default=None, repr=False)
    """When its status last changed."""


@frozen(kw_only=True)
class Document(Model):
    """A file of a session."""

    id: UUID
    """Its own id; results refer to it."""
    filename: str
    """The name it was uploaded under."""
    status: DocumentStatus | str
    """Its progress."""
    workspace_id: AnyId = None
    """The workspace it is in, a number or a UUID, always as a string."""
    mime: str | None = field(default=None, metadata=spelled("mime", "mime_type"))
    """Its media type; older replies spell the key ``mime_type``."""
    size: int | None = None
    """Bytes."""
    sha256: str | None = field(default=None, repr=False)
    """Its checksum, in hexadecimal digits."""
    source_type: str | None = field(default=None, repr=False)
    """Where it came from, as in ``"upload"``. Older replies have `source` in its place."""
    source_url: str | None = field(default=None, repr=False)
    """The URL that the service fetched it from, if it did."""
    source: Source | None = field(default=None, repr=False)
    """Where it came from, in older replies; newer ones have `source_type` and `source_url`."""
    extraction_session_id: UUID | None = field(default=None, repr=False)
    """The session it belongs to, in older replies."""
    meta: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)
    """Facts about the file, such as its ``page_count``."""
    parsings: tuple[Parsing, ...] = field(default=(), repr=count_of)
    """Its readings."""
    created_at: datetime | None = field(default=None, repr=False)
    """When it was uploaded."""

    def _repr_html_(self) -> str:
        """Return a table for notebooks, with the document's facts and readings."""
        facts = [("status", self.status), ("mime", self.mime), ("size", self.size)]
        readings = [("parsing", each.status) for each in self.parsings]
        return _html.table(self.filename, ("", str(self.id)), facts, readings)


@frozen(kw_only=True)
class Block(Model):
    """A part of a chunk, such as a heading or a row of a table."""

    id: AnyId = field(default=None, metadata=spelled("block_id"))
    """Its own id."""
    type: str | None = None
    """The kind of part, such as ``"heading"``, ``"paragraph"``, ``"table"`` or ``"table_row"``."""
    content: str | None = field(default=None, repr=False)
    """The text."""
    page_ref: Any = field(default=None, hash=False)
    """The page as in the reply; `page` is its number."""
    meta: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)
    """More about the part, such as the cells of a ``table_row``."""

    @property
    def page(self) -> int | None:
        """The page, counted from 1; ``None`` if `page_ref` is not a number."""
        text = str(self.page_ref)
        # Python refuses to convert thousands of digits.
        return int(text) if text.isdecimal() and len(text) <= _PAGE_DIGITS else None


@frozen(kw_only=True)
class Chunk(Model):
    """A passage of a document, to which the sources of the audit trail lead.

    Replies come in three shapes: with `blocks`, with `content` and `page_numbers`, or with
    `content` and `page_number`. `text` and `pages` are the same for all of them.
    """

    id: UUID
    """Its own id, the `Evidence.chunk_id` of what was extracted from it."""
    document_id: UUID | None = None
    """The document that it belongs to; the oldest replies leave it out."""
    index: int | None = field(default=None, metadata=spelled("chunk_index"))
    """Its place in the document, counted from 0."""
    blocks: tuple[Block, ...] = field(default=(), repr=count_of)
    """Its parts, in the newest replies."""
    content: str | None = field(default=None, repr=False)
    """The text, in older replies."""
    page_numbers: tuple[int, ...] = field(default=(), repr=False)
    """The pages, in older replies."""
    page_number: int | None = field(default=None, repr=False)
    """The page, in the oldest replies."""
    token_count: int | None = field(default=None, repr=False)
    """The length of the text for a language model, in some replies."""
    metadata: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)
    """More about the passage, in the oldest replies."""

    @property
    def text(self) -> str:
        """The text; that of several blocks has a line for each."""
        if self.content is not None:
            return self.content
        return "\n".join(block.content for block in self.blocks if block.content is not None)

    @property
    def pages(self) -> tuple[int, ...]:
        """The pages that it is on, counted from 1 and in order; empty if the reply names none."""
        of_blocks = (block.page for block in self.blocks)
        named = {*self.page_numbers, self.page_number, *of_blocks}
        return tuple(sorted(page for page in named if page is not None))


@frozen(kw_only=True)
class Result(Model):
    """The extraction from one or more documents."""

    id: UUID
    """Its own id."""
    status: ResultStatus | str
    """Its progress."""
    title: str | None = None
    """A name for it, made from its content."""
    extraction_session_id: UUID | None = field(default=None, repr=False)
    """The session it belongs to."""
    config_hash: str | None = field(default=None, repr=False)
    """Differs between results with different settings."""
    document_refs: tuple[DocumentRef, ...] = field(default=(), repr=count_of)
    """The documents it was made from."""
    data: Any = field(default=None, repr=extent_of, hash=False)
    """The extracted values, in the shape of the customer's template; usually a mapping.

    The framework writes an empty map as ``[]``, which is read as an empty mapping.
    """
    audit_data: Any = field(
        default=None, repr=False, hash=False, metadata=spelled("audit_data", "reasoning")
    )
    """Mirrors `data`, with the reasoning and its sources at each field.

    Older replies spell the key ``reasoning``.
    """
    created_at: datetime | None = field(default=None, repr=False)
    """When it was requested."""
    updated_at: datetime | None = field(default=None, repr=False)
    """When it last changed."""
    completed_at: datetime | None = field(default=None, repr=False)
    """When it was finished, if it is."""

    def fields(self) -> Iterator[ExtractedField]:
        """Yield each value of `data` with its reasoning and its sources, from `audit_data`.

        A value whose trail is missing, or has an unexpected shape, has no sources.
        """
        return extracted_fields(self.data, self.audit_data)

    def _repr_html_(self) -> str:
        """Return a table of the values for notebooks, with the page of each."""
        head = ("", str(self.id), "page")
        return _html.table(self.title or "result", head, list(map(_row, self.fields())))

    def data_as(self, type_: type[T]) -> T:
        """Return `data` as an object of your own class.

        Args:
            type_: An attrs class, a data class, a `TypedDict`, a msgspec Struct, a pydantic model,
                or a collection of those, such as ``list[Invoice]``. The first three are read
                strictly: no value is coerced. The others validate by their own rules.

        Raises:
            APIResponseValidationError: the data does not fit, or the class refuses it by any
                exception. The message names the place, as in ``$.data.total``, and the types, and
                never a value.
            StructureHandlerNotFoundError: `type_`, or a type in it, has no reader; this error is
                that of cattrs.
        """
        return read_data(self.data, type_)


@frozen(kw_only=True)
class Session(Model):
    """An extraction session with its documents and results."""

    id: UUID
    """Its own id, for `RaydocsClient.get_session`."""
    name: str
    """The name a person gave it."""
    extraction_template_id: UUID = field(repr=False)
    """The template that shapes each result's `Result.data`."""
    settings: Mapping[str, Any] = field(repr=False, hash=False)
    """Its settings."""
    created_at: datetime = field(repr=False)
    """When it was made."""
    updated_at: datetime = field(repr=False)
    """When it last changed."""
    documents: tuple[Document, ...] = field(repr=count_of)
    """Its files."""
    results: tuple[Result, ...] = field(repr=count_of)
    """The extractions."""
    status: SessionStatus | str | None = None
    """Its progress; some replies leave it out."""

    @property
    def is_finished(self) -> bool:
        """True if it is completed or failed, and will not change.

        Without a status, it is finished if it has results, and all of them are completed or failed.
        An unknown status counts as unfinished.
        """
        if self.status is not None:
            return self.status in (SessionStatus.COMPLETED, SessionStatus.FAILED)
        over = (ResultStatus.COMPLETED, ResultStatus.FAILED)
        return bool(self.results) and all(result.status in over for result in self.results)

    def _repr_html_(self) -> str:
        """Return a small table for notebooks: the values of the results first."""
        values = [_row(field) for result in self.results for field in result.fields()]
        documents = [("document", each.filename, each.status) for each in self.documents]
        results = [("result", each.title or each.id, each.status) for each in self.results]
        caption = f"{self.name}: {self.status}" if self.status else self.name
        head = ("", str(self.id), "status or page")
        return _html.table(caption, head, values, documents, results)


def _row(field: ExtractedField) -> tuple[object, ...]:
    pages = [source.page for source in field.sources if source.page is not None]
    return field.name or "value", field.value, pages[0] if pages else None
