"""The API's endpoints: each owns its noun, its path, its model, and the check of a reply.

A new endpoint is one row here and one method of the client. Errors, events and log lines take noun
and id from the request, so no other module depends on the resource.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from attrs import field, frozen
from msgspec import convert

from raydocs_async._exchange import Request, Response
from raydocs_async._pages import ChunkPage, DocumentPage, Listed, ResultPage, items_of
from raydocs_async._redact import Redactor
from raydocs_async.errors import InvalidIdError, RaydocsError
from raydocs_async.models import Chunk, Document, Result, Session

M = TypeVar("M")

_HEX = "[0-9a-fA-F]"
_usual_form = re.compile(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}").fullmatch
_EXCERPT = 60
"""Characters of an invalid id that its error shows."""
_QUOTED = 4096
"""Characters of an invalid id that are searched for the token; no token is longer."""
_REFUSALS = frozenset({400, 404, 409, 422})
"""Statuses by which the service may refuse what is not there yet; which one is not documented."""


def _has_requested_id(model: Any, request: Request) -> bool:
    found: object = model.id
    return found == request.id


def _any_answers(_: Any, __: Request) -> bool:
    """Accept any reply, because it does not name its resource."""
    return True


@frozen
class FileUrl:
    """A signed URL of a document's file, valid for ten minutes and for everybody who has it."""

    url: str = field(repr=False)


def _all_belong(owner: str) -> Callable[[Listed[Any], Request], bool]:
    """Return a check that no item of a list names another owner; items may leave it out."""

    def check(listed: Listed[Any], request: Request) -> bool:
        return all(getattr(each, owner) in (None, request.id) for each in items_of(listed))

    return check


@frozen
class Endpoint(Generic[M]):
    """One kind of resource, which a GET reads."""

    noun: str
    """The resource's name in errors, events and log lines.

    Its last word is the kind of resource that the id belongs to, as in ``chunks of document``.
    """
    path: str
    """The path below the base URL, with a `str.format` field for the id."""
    model: Any = field(repr=False)
    """The type that a 200 reply's body is structured into: an `M`."""
    answers: Callable[[M, Request], bool] = field(default=_has_requested_id, repr=False)
    """Returns True if the model answers the request. A pooled connection may deliver the reply to
    another request."""
    not_yet: str = field(default="", repr=False)
    """The advice for a refusal, of a resource that is not there before a processing is over."""

    def request(self, value: object, redactor: Redactor | None = None) -> Request:
        """Return the request for one resource.

        Args:
            value: The id: a UUID, or its usual form of 36 characters.
            redactor: Hides the token, which callers can give as the id by mistake.

        Raises:
            InvalidIdError: `value` has another form or type.
        """
        parsed = parse_id(value, self.noun.rpartition(" ")[2], redactor)
        # `str(UUID)` has no character that a URL would have to encode or would normalise.
        return Request(self.path.format(id=parsed), self.noun, parsed)

    def message_of(self, error: RaydocsError, request: Request) -> str:
        """Return the message of a failure, with the advice if the resource may not be there yet.

        The requested id is left out at its end, because each error names it already.
        """
        message = error.message.removesuffix(f" {request.id}")
        if not self.not_yet or error.status not in _REFUSALS:
            return message
        return f"{message.removesuffix('.')}; {self.not_yet}"


SESSION: Final[Endpoint[Session]] = Endpoint("session", "/extractions/sessions/{id}", Session)
SESSION_DOCUMENTS: Final[Endpoint[Listed[Document]]] = Endpoint(
    "documents of session",
    f"{SESSION.path}/documents",
    DocumentPage | tuple[Document, ...],
    _all_belong("extraction_session_id"),
)
SESSION_RESULTS: Final[Endpoint[Listed[Result]]] = Endpoint(
    "results of session",
    f"{SESSION.path}/results",
    ResultPage | tuple[Result, ...],
    _all_belong("extraction_session_id"),
)
RESULT: Final[Endpoint[Result]] = Endpoint("result", "/extractions/results/{id}", Result)
DOCUMENT: Final[Endpoint[Document]] = Endpoint("document", "/extractions/documents/{id}", Document)
CHUNKS: Final[Endpoint[Listed[Chunk]]] = Endpoint(
    "chunks of document",
    f"{DOCUMENT.path}/chunks",
    ChunkPage | tuple[Chunk, ...],
    _all_belong("document_id"),
    "its processing may not be over: get_document shows its status",
)
DOCUMENT_URL: Final[Endpoint[FileUrl]] = Endpoint(
    "url of document", f"{DOCUMENT.path}/url", FileUrl, _any_answers
)
FILE: Final[Endpoint[Response]] = Endpoint("file of document", "", Response, _any_answers)
"""The document's file, by a signed URL."""
EXPORT: Final[Endpoint[Response]] = Endpoint(
    "export of result",
    f"{RESULT.path}/export/excel",
    Response,
    _any_answers,
    "the result may not be finished: get_result shows its status",
)


def parse_id(value: object, noun: str, redactor: Redactor | None = None) -> UUID:
    """Accept a UUID, or its 36-character form in either case, and nothing else.

    `uuid.UUID` itself also accepts braces, ``urn:uuid:``, underscores and full-width digits; the
    strict form gives one resource one URL.

    Args:
        value: The id as the caller gave it.
        noun: The resource's noun, for the error.
        redactor: Hides the token in the error.

    Raises:
        InvalidIdError: `value` has another form or type; the message shows its beginning.
    """
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and _usual_form(value):
        return convert(value, UUID)  # a quarter of the time of `UUID(value)`
    shown = type(value).__name__
    if isinstance(value, str):
        quoted = repr(value[:_QUOTED])
        # Before the cut, because a part of a token would not be found.
        shown = (redactor.line(quoted, len(quoted)) if redactor else quoted)[:_EXCERPT]
    raise InvalidIdError(
        f"not a {noun} id: {shown}; write a UUID like 770e8400-e29b-41d4-a716-446655440000"
    )
