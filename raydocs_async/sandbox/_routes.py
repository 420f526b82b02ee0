"""The API's routes, as a table, and the search for the resource that a path names.

A new endpoint is one row of `ROUTES`, and one function that makes its reply.
"""

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_args
from urllib.parse import parse_qs

import msgspec
from attrs import field, frozen
from attrs.validators import ge, in_

from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._chunks import Shapes, build_chunks
from raydocs_async.sandbox._excel import EXCEL, export_result
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._signing import FILES, Signer


@frozen
class Context:
    """The objects and options that all replies are made with.

    Raises:
        ValueError: `shapes` or `per_page` is out of its range.
    """

    catalog: Catalog
    signer: Signer
    shapes: Shapes = field(validator=in_(get_args(Shapes)))
    per_page: int = field(validator=ge(1))


class Query(NamedTuple):
    """The parts of a request that decide on a resource's content."""

    id: str
    """The id as it was requested, well-formed or not."""
    query: str
    """The query of the URL, without its question mark."""
    base_url: str
    """The URL under which the client reached the server."""
    now: float
    """The time, in seconds since the epoch."""


@frozen
class Route:
    """One path of the API, with an id in it."""

    noun: str
    """The resource's name in log entries, such as ``session`` or ``documents of session``.

    Its last word is the kind of resource that the id belongs to.
    """
    path: str
    """The path, with ``{id}`` in the id's place."""
    reply: Callable[[Context, Query], Reply | None]
    """Returns the reply for an id, or ``None`` if no resource has this id."""

    @property
    def owner(self) -> str:
        """The noun of the resource that the id belongs to."""
        return self.noun.rpartition(" ")[2]


class Resource(NamedTuple):
    """The resource that a request's path names; it need not exist."""

    route: Route
    id: str
    """The id as it was requested, well-formed or not."""


def _session(context: Context, query: Query) -> Reply | None:
    body = context.catalog.session(query.id, query.now)
    return None if body is None else Reply(200, body)


def _session_documents(context: Context, query: Query) -> Reply | None:
    return _page(context, query, context.catalog.parts(query.id, "documents", query.now))


def _session_results(context: Context, query: Query) -> Reply | None:
    results = context.catalog.parts(query.id, "results", query.now)
    if results is not None:
        results = [_without(result, "data", "audit_data") for result in results]
    return _page(context, query, results)


def _result(context: Context, query: Query) -> Reply | None:
    return _json(context.catalog.part("results", query.id, query.now))


def _result_export(context: Context, query: Query) -> Reply | None:
    result = context.catalog.part("results", query.id, query.now)
    if result is None:
        return None
    headers = {
        "Content-Type": EXCEL,
        "Content-Disposition": 'attachment; filename="extraction_result.xlsx"',
    }
    return Reply(200, export_result(result), headers)


def _document(context: Context, query: Query) -> Reply | None:
    document = context.catalog.part("documents", query.id, query.now)
    if document is not None and context.shapes != "newest":
        document = _without(document, "mime", "size", "sha256", "parsings")
    return _json(document)


def _document_chunks(context: Context, query: Query) -> Reply | None:
    document = context.catalog.part("documents", query.id, query.now)
    built = context.catalog.built_document(query.id)
    # Chunks exist only when the processing of the document is over.
    if document is None or built is None or document.get("status") != "ready":
        return None
    chunks = build_chunks(built, context.shapes)
    return _json({"data": chunks} if context.shapes == "newest" else chunks)


def _document_url(context: Context, query: Query) -> Reply | None:
    document = context.catalog.part("documents", query.id, query.now)
    if document is None or context.catalog.built_document(query.id) is None:
        return None
    return _json(context.signer.sign(query.base_url, query.id.lower(), query.now))


ROUTES = (
    Route("session", "/extractions/sessions/{id}", _session),
    Route("documents of session", "/extractions/sessions/{id}/documents", _session_documents),
    Route("results of session", "/extractions/sessions/{id}/results", _session_results),
    Route("result", "/extractions/results/{id}", _result),
    Route("export of result", "/extractions/results/{id}/export/excel", _result_export),
    Route("document", "/extractions/documents/{id}", _document),
    Route("chunks of document", "/extractions/documents/{id}/chunks", _document_chunks),
    Route("url of document", "/extractions/documents/{id}/url", _document_url),
)


def _file(context: Context, query: Query) -> Reply | None:
    built = context.catalog.built_document(query.id)
    if built is None:
        return None
    etag = hashlib.md5(built.file, usedforsecurity=False).hexdigest()
    return Reply(200, built.file, {"Content-Type": "application/pdf", "ETag": f'"{etag}"'})


FILE = Route("file of document", f"{FILES}{{id}}", _file)
"""The route of the storage, which the API's signed URLs lead to."""


def _page(context: Context, query: Query, items: Sequence[Any] | None) -> Reply | None:
    """Return the page that `query` asks for, or all items in the shapes without pages."""
    if items is None:
        return None
    match context.shapes:
        case "oldest":
            return _json(items)
        case "older":
            return _json({"data": items})
    size, number = context.per_page, _page_number(query.query)
    meta = {
        "current_page": number,
        "last_page": max(1, math.ceil(len(items) / size)),
        "per_page": size,
        "total": len(items),
    }
    return _json({"data": items[(number - 1) * size : number * size], "meta": meta})


def _page_number(query: str) -> int:
    """Return the requested page; the framework takes anything but a positive number for 1."""
    (number,) = parse_qs(query).get("page", ["1"])[-1:]
    return int(number) if re.fullmatch("[1-9][0-9]{0,8}", number) else 1


def _json(body: Mapping[str, Any] | Sequence[Any] | None) -> Reply | None:
    return None if body is None else Reply(200, msgspec.json.encode(body))


def _without(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in keys}


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\{id\}", "([^/]+)")


# One expression for all routes, because the sandbox has to be cheap beside the client that it
# tests. Each route has one group, so the number of the group that matched is the route's place.
_match_any = re.compile("|".join(_pattern(route.path) for route in (*ROUTES, FILE))).fullmatch


def find_resource(path: str) -> Resource | None:
    """Return the resource that `path` names, or ``None`` if no route has this form.

    The framework ignores slashes at the end of a path.
    """
    match = _match_any(path.rstrip("/"))
    if match is None or match.lastindex is None:
        return None
    return Resource((*ROUTES, FILE)[match.lastindex - 1], match[match.lastindex])
