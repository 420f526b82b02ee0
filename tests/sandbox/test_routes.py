"""The table of routes, its replies, and the search in it."""

import json
from typing import Any
from uuid import UUID, uuid4

import attrs
import pytest

from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._chunks import Shapes, build_chunks
from raydocs_async.sandbox._excel import EXCEL
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._routes import (
    FILE,
    ROUTES,
    Context,
    Query,
    Resource,
    Route,
    find_resource,
)
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._sessions import build_document, build_session
from raydocs_async.sandbox._signing import Signer
from raydocs_async.testing import build_session_json

NOW = 1_700_000_000.0
SESSION = build_session(session_id(1))
DOCUMENT, RESULT = SESSION["documents"][2], SESSION["results"][1]
BUILT = build_document(UUID(SESSION["id"]), 2)
PATH = "/extractions/sessions/"
DETAILS = {"mime", "size", "sha256", "parsings"}
all_shapes = pytest.mark.parametrize("shapes", ["newest", "older", "oldest"])


def context(
    shapes: Shapes = "newest", per_page: int = 15, finish_within: float | None = None
) -> Context:
    """The content of a sandbox that was started at `NOW`."""
    schedule = Schedule(finish_within)
    schedule.start(NOW)
    return Context(Catalog(3, schedule), Signer(b"key"), shapes, per_page)


def reply(path: str, of: Context | None = None, now: float = NOW) -> Reply | None:
    """The reply to a request for a path with a query; ``None`` is a 404."""
    path, _, query = path.partition("?")
    resource = find_resource(path)
    assert resource
    return resource.route.reply(of or context(), Query(resource.id, query, "http://x", now))


def body(path: str, of: Context | None = None, now: float = NOW) -> Any:
    """The JSON of a reply; ``None`` for a 404."""
    found = reply(path, of, now)
    return None if found is None else json.loads(found.body)


@pytest.mark.parametrize("route", [*ROUTES, FILE], ids=lambda route: route.path)
def test_each_route_is_found(route: Route) -> None:
    """A path with any id in it leads to its route and to the id."""
    assert find_resource(route.path.format(id="Some Id")) == Resource(route, "Some Id")


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_slashes_at_the_end(slashes: str) -> None:
    """Slashes at the end of a path do not matter."""
    assert find_resource(f"{PATH}some-id{slashes}") == Resource(ROUTES[0], "some-id")


@pytest.mark.parametrize(
    "path",
    ["", "/", PATH, f"{PATH}a/b", f"/x{PATH}a", "/extractions/other/a", f"{PATH}a/documents/b"],
)
def test_no_route(path: str) -> None:
    """A path of another form belongs to no route."""
    assert find_resource(path) is None


@pytest.mark.parametrize("route", [*ROUTES, FILE], ids=lambda route: route.path)
@pytest.mark.parametrize("unknown", ["nonsense", str(uuid4()), session_id(3)], ids=list("abc"))
def test_unknown(route: Route, unknown: str) -> None:
    """An id that does not exist is a 404 at each route."""
    assert reply(route.path.format(id=unknown)) is None


def test_session() -> None:
    """A session is served whole."""
    assert body(f"{PATH}{SESSION['id']}") == SESSION


def test_documents() -> None:
    """The list of a session's documents has them all, and says so."""
    assert body(f"{PATH}{SESSION['id']}/documents") == {
        "data": SESSION["documents"],
        "meta": {"current_page": 1, "last_page": 1, "per_page": 15, "total": 3},
    }


@pytest.mark.parametrize(
    ("query", "number", "items"),
    [
        ("", 1, slice(0, 2)),
        ("?page=1", 1, slice(0, 2)),
        ("?page=2", 2, slice(2, 3)),
        ("?page=3", 3, slice(3, 3)),
        ("?x=1&page=2", 2, slice(2, 3)),
        ("?page=0", 1, slice(0, 2)),
        ("?page=two", 1, slice(0, 2)),
        ("?page=", 1, slice(0, 2)),
    ],
)
def test_pages(query: str, number: int, items: slice) -> None:
    """A list comes in pages; a page after the last is empty, and an invalid page is the first."""
    page = body(f"{PATH}{SESSION['id']}/documents{query}", context(per_page=2))
    assert page["data"] == SESSION["documents"][items]
    assert page["meta"] == {"current_page": number, "last_page": 2, "per_page": 2, "total": 3}


def test_an_empty_list() -> None:
    """A session without documents has one page, which is empty."""
    own = context()
    own.catalog.put({"id": "own"})
    assert body(f"{PATH}own/documents", own) == {
        "data": [],
        "meta": {"current_page": 1, "last_page": 1, "per_page": 15, "total": 0},
    }


@all_shapes
def test_results(shapes: Shapes) -> None:
    """The list of a session's results leaves out their data and audit."""
    found = body(f"{PATH}{SESSION['id']}/results", context(shapes))
    items = found if shapes == "oldest" else found["data"]
    without = [{**each} for each in SESSION["results"]]
    for each in without:
        del each["data"], each["audit_data"]
    assert items == without


def test_older_lists() -> None:
    """Older lists have no pages, and the oldest are bare arrays."""
    documents = SESSION["documents"]
    path = f"{PATH}{SESSION['id']}/documents?page=2"
    assert body(path, context("older", per_page=2)) == {"data": documents}
    assert body(path, context("oldest", per_page=2)) == documents


@pytest.mark.parametrize("form", [str.upper, str.lower])
def test_result(form: Any) -> None:
    """A result is served by its own id, with data and audit, in any letter case."""
    assert body(f"/extractions/results/{form(RESULT['id'])}") == RESULT


def test_export() -> None:
    """A result's export is an Excel file to be saved."""
    found = reply(f"/extractions/results/{RESULT['id']}/export/excel")
    assert found
    assert found.body.startswith(b"PK")
    assert found.headers == {
        "Content-Type": EXCEL,
        "Content-Disposition": 'attachment; filename="extraction_result.xlsx"',
    }


@all_shapes
def test_document(shapes: Shapes) -> None:
    """A document is served by its own id; older shapes lack some fields."""
    found = body(f"/extractions/documents/{DOCUMENT['id']}", context(shapes))
    lacking = DETAILS if shapes != "newest" else set()
    assert found == {key: value for key, value in DOCUMENT.items() if key not in lacking}


@all_shapes
def test_chunks(shapes: Shapes) -> None:
    """The newest chunks stand under `data`, all others in a bare array."""
    found = body(f"/extractions/documents/{DOCUMENT['id']}/chunks", context(shapes))
    chunks = build_chunks(BUILT, shapes)
    assert found == ({"data": chunks} if shapes == "newest" else chunks)


def test_no_chunks_yet() -> None:
    """The chunks of a document exist only when its processing is over."""
    unfinished = context(finish_within=100)
    path = f"/extractions/documents/{DOCUMENT['id']}"
    assert [body(f"{path}/chunks", unfinished, NOW + after) is None for after in (0, 100)] == [
        True,
        False,
    ]
    assert body(path, unfinished)["status"] == "queued"


def test_url() -> None:
    """A document's URL leads to its file, and is signed."""
    url = body(f"/extractions/documents/{DOCUMENT['id'].upper()}/url")["url"]
    path, _, query = url.removeprefix("http://x").partition("?")
    assert path == f"/files/{DOCUMENT['id']}"
    assert Signer(b"key").check("GET", DOCUMENT["id"], query, NOW) is None


def test_file() -> None:
    """A file is the document that size and digest belong to."""
    found = reply(f"/files/{DOCUMENT['id']}")
    assert found
    assert found.body == BUILT.file


def test_finished_results() -> None:
    """A result gets its data when its session finishes."""
    unfinished = context(finish_within=100)
    path = f"/extractions/results/{RESULT['id']}"
    assert body(path, unfinished)["data"] is None
    assert body(path, unfinished, NOW + 100) == RESULT


@pytest.mark.parametrize("kind", ["results", "documents"])
def test_parts_of_a_session_that_was_put(kind: str) -> None:
    """The documents and results of a session of one's own are served by their ids, too."""
    own, session = context(), build_session_json(data=[{"total": 1}])
    own.catalog.put(session)
    for part in session[kind]:
        assert body(f"/extractions/{kind}/{part['id']}", own) == part


def test_content_of_a_session_that_was_put() -> None:
    """A session that was built for a test has chunks and files, as the built-in ones."""
    own, session = context(), build_session_json()
    own.catalog.put(session)
    path = f"/extractions/documents/{session['documents'][0]['id']}"
    (source, *_) = session["results"][0]["audit_data"]["invoice"]["total"]["sources"]
    ids = [chunk["id"] for chunk in body(f"{path}/chunks", own)["data"]]
    assert source["chunk_id"] in ids
    assert body(f"{path}/url", own)


def test_no_content() -> None:
    """A document with an id of its own has no content: neither chunks nor a URL."""
    own = context()
    own.catalog.put({"id": str(uuid4()), "documents": [{"id": "mine", "status": "ready"}]})
    path = "/extractions/documents/mine"
    assert body(path, own) == {"id": "mine", "status": "ready"}
    assert body(f"{path}/chunks", own) is body(f"{path}/url", own) is None


def test_every_session_has_its_parts() -> None:
    """With a session for every UUID, its documents and results are found, too."""
    endless = attrs.evolve(context(), catalog=Catalog(None, Schedule()))
    session = build_session(str(uuid4()))
    for kind in ("documents", "results"):
        for part in session[kind]:
            assert body(f"/extractions/{kind}/{part['id']}", endless) == part
