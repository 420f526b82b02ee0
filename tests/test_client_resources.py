"""Every method that fetches one resource: the same promises, a row for each method."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    Document,
    Fetched,
    FileError,
    InvalidIdError,
    NotFoundError,
    RaydocsClient,
    Result,
    Session,
)
from raydocs_async.sandbox import Fault, Sandbox, Shapes
from raydocs_async.testing import FakeTransport
from tests.support.clients import OTHER_ID, SESSION_ID, client_for
from tests.support.replies import document_json, reply, result_json, session_json
from tests.support.wire import Received, WireServer

pytestmark = pytest.mark.usefixtures("no_task_left")


@frozen
class Method:
    """One method of the client."""

    name: str
    noun: str
    path: str
    model: type
    body: Callable[[str], bytes]

    async def __call__(self, client: RaydocsClient, given: object = SESSION_ID) -> Any:
        """Call it."""
        return await getattr(client, self.name)(given)


METHODS = [
    Method("get_session", "session", "/extractions/sessions/{id}", Session, session_json),
    Method("get_result", "result", "/extractions/results/{id}", Result, result_json),
    Method("get_document", "document", "/extractions/documents/{id}", Document, document_json),
]

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@every_method
async def test_a_resource_by_its_id(method: Method) -> None:
    """The method requests the documented path, and returns the model with the id."""
    async with (
        WireServer(reply(method.body(SESSION_ID))) as server,
        client_for(server.url) as client,
    ):
        found = await method(client)
    assert server.requests[0].target == method.path.format(id=SESSION_ID)
    assert (type(found), found.id) == (method.model, UUID(SESSION_ID))


@every_method
async def test_a_reply_about_another_id(method: Method) -> None:
    """H19: a reply about another id is never returned."""
    async with WireServer(reply(method.body(OTHER_ID))) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError, match=f"about another {method.noun}"):
            await method(client)


@every_method
async def test_a_missing_resource(method: Method) -> None:
    """The error of a 404 has the noun and the id."""
    answer = reply(b"{}", status=f"{HTTPStatus.NOT_FOUND} Not Found")
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError, match=f"{method.noun} {SESSION_ID}") as caught:
            await method(client)
    assert (caught.value.resource, caught.value.resource_id) == (method.noun, SESSION_ID)


@every_method
async def test_an_invalid_id(method: Method) -> None:
    """An invalid id is refused with the noun, and nothing is sent."""
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidIdError, match=f"not a {method.noun} id: 'x'"):
            await method(client, "x")


# -- lists -------------------------------------------------------------------------------------


@frozen
class Listing:
    """One method that iterates over a list."""

    name: str
    noun: str
    path: str
    item: Mapping[str, Any]
    owner: str

    def read(self, client: RaydocsClient, given: object = SESSION_ID) -> Coroutine[Any, Any, Any]:
        """Read all of it."""
        return collect(getattr(client, self.name)(given))


async def collect(found: Any) -> list[UUID]:
    """The ids of what is iterated over, or comes at once."""
    items = [each async for each in found] if hasattr(found, "__aiter__") else await found
    return [each.id for each in items]


LISTINGS = [
    Listing(
        "iter_documents",
        "documents of session",
        "/extractions/sessions/{id}/documents",
        {"filename": "a.pdf", "status": "ready"},
        "extraction_session_id",
    ),
    Listing(
        "iter_results",
        "results of session",
        "/extractions/sessions/{id}/results",
        {"status": "completed"},
        "extraction_session_id",
    ),
    Listing(
        "get_chunks",
        "chunks of document",
        "/extractions/documents/{id}/chunks",
        {"content": "Total: 12.50"},
        "document_id",
    ),
]

every_listing = pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.name)


def listed(listing: Listing, *numbers: int, **more: Any) -> list[dict[str, Any]]:
    """Items of a list as the service would send them."""
    return [{"id": str(UUID(int=number)), **listing.item, **more} for number in numbers]


def page_of(listing: Listing, number: int, last: int) -> bytes:
    """A page with one item."""
    meta = {"current_page": number, "last_page": last, "per_page": 1, "total": last}
    return reply(json.dumps({"data": listed(listing, number), "meta": meta}).encode())


@every_listing
@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"data": items}])
async def test_a_list_in_one_piece(listing: Listing, wrap: Callable[[Any], Any]) -> None:
    """A bare array, and a list under ``data`` without ``meta``, are one request."""
    answer = reply(json.dumps(wrap(listed(listing, 1, 2))).encode())
    async with WireServer(answer) as server, client_for(server.url) as client:
        assert await listing.read(client) == [UUID(int=1), UUID(int=2)]
    assert [each.target for each in server.requests] == [listing.path.format(id=SESSION_ID)]


@every_listing
async def test_a_list_in_pages(listing: Listing) -> None:
    """The pages are asked for one after the other, to the last one."""
    pages = [page_of(listing, number, 3) for number in (1, 2, 3)]
    async with WireServer(*pages) as server, client_for(server.url) as client:
        assert await listing.read(client) == [UUID(int=number) for number in (1, 2, 3)]
    path = listing.path.format(id=SESSION_ID)
    assert [each.target for each in server.requests] == [path, f"{path}?page=2", f"{path}?page=3"]


@every_listing
async def test_pages_that_repeat(listing: Listing) -> None:
    """A server that sends the same page again and again is an error that names the list."""
    async with (
        WireServer(page_of(listing, 1, 2)) as server,
        client_for(server.url) as client,
    ):
        with pytest.raises(APIResponseValidationError, match=f"^{listing.noun} {SESSION_ID}: page"):
            await listing.read(client)


@every_listing
async def test_a_list_that_belongs_elsewhere(listing: Listing) -> None:
    """H19: a list whose items name another owner is never returned."""
    answer = reply(json.dumps(listed(listing, 1, **{listing.owner: OTHER_ID})).encode())
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError, match=f"about another {listing.noun.split()[-1]}"):
            await listing.read(client)


@every_listing
@pytest.mark.parametrize(
    ("body", "place"),
    [([{}], r"\$\[0\]\.id"), ({"data": [{}]}, r"\$\.data\[0\]\.id"), ({}, r"\$\.data")],
)
async def test_a_list_that_does_not_fit(listing: Listing, body: Any, place: str) -> None:
    """The error names the place in the array, or under ``data``."""
    answer = reply(json.dumps(body).encode())
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIResponseValidationError, match=f"{place} is missing"):
            await listing.read(client)


@every_listing
async def test_a_list_of_an_unknown_id(listing: Listing) -> None:
    """A 404 names the list and its owner's id."""
    async with (
        WireServer(reply(status="404 Not Found")) as server,
        client_for(server.url) as client,
    ):
        with pytest.raises(NotFoundError, match=f"^{listing.noun} {SESSION_ID}: HTTP 404"):
            await listing.read(client)


@pytest.mark.parametrize("name", ["iter_documents", "iter_results"])
async def test_an_invalid_id_is_refused_before_the_first_item(name: str) -> None:
    """The mistake shows where it is made, not where the loop begins."""
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidIdError):
            getattr(client, name)("x")


async def test_pages_are_fetched_when_they_are_needed() -> None:
    """A loop that is left early asks for no further page."""
    listing = LISTINGS[0]
    async with (
        WireServer(page_of(listing, 1, 3), page_of(listing, 2, 3)) as server,
        client_for(server.url) as client,
    ):
        async for document in client.iter_documents(SESSION_ID):
            assert document.id == UUID(int=1)
            break
    assert len(server.requests) == 1


async def test_many_results() -> None:
    """Results are streamed in bulk as sessions are, each outcome with its own id."""

    def answer(received: Received) -> bytes:
        return reply(result_json(received.session_id))

    ids = [str(UUID(int=number)) for number in range(20)]
    async with (
        WireServer(answer) as server,
        client_for(server.url) as client,
        client.stream_results([*ids, "x"], ordered=True) as stream,
    ):
        outcomes = [outcome async for outcome in stream]
    assert [outcome.value.id for outcome in outcomes if isinstance(outcome, Fetched)] == [
        UUID(each) for each in ids
    ]
    assert isinstance(outcomes[-1].error, InvalidIdError)
    assert outcomes[-1].error.message.startswith("not a result id: 'x'")


# -- the sandbox, from a session to the quoted line ---------------------------------------------


@pytest.mark.parametrize("shapes", ["newest", "older", "oldest"])
async def test_each_source_leads_to_its_line(shapes: Shapes) -> None:
    """From each extracted value to its chunk, and in it to the quoted text on the named page."""
    async with (
        Sandbox(sessions=2, limit=None, shapes=shapes) as api,
        RaydocsClient(api.token, base_url=api.url) as client,
    ):
        session = await client.get_session(api.ids(1)[0])
        chunks = [chunk for each in session.documents for chunk in await client.get_chunks(each.id)]
        results = [await client.get_result(each.id) for each in session.results]
    sources = [source for each in results for field in each.fields() for source in field.sources]
    assert sources
    for source in sources:
        chunk = source.find_chunk(chunks)
        assert chunk is not None
        assert source.text is not None
        assert source.text in chunk.text
        assert source.page in chunk.pages


@pytest.mark.parametrize("shapes", ["newest", "older", "oldest"])
async def test_the_lists_of_a_session(shapes: Shapes) -> None:
    """Documents and results, page by page or in one piece, are those of the session."""
    async with (
        Sandbox(sessions=2, limit=None, shapes=shapes, per_page=1) as api,
        RaydocsClient(api.token, base_url=api.url) as client,
    ):
        session = await client.get_session(api.ids(1)[0])
        documents = [each.id async for each in client.iter_documents(session.id)]
        results = [each.id async for each in client.iter_results(session.id)]
    assert documents == [each.id for each in session.documents]
    assert results == [each.id for each in session.results]


@pytest.mark.parametrize("fake", [False, True], ids=["by a socket", "without a socket"])
async def test_files_of_the_sandbox(tmp_path: Path, fake: bool) -> None:
    """A document's file passes its own checks, and a result is exported."""
    async with open_api(fake) as (api, client):
        session = await client.get_session(api.ids(1)[0])
        pdf = await client.download_document(session.documents[0].id, tmp_path / "a.pdf")
        sheet = await client.export_result(session.results[0].id, tmp_path / "a.xlsx")
        with pytest.raises(NotFoundError):
            await client.export_result(OTHER_ID, tmp_path / "b.xlsx")
        api.script(
            Fault.status(200),
            Fault.status(200),
            Fault.status(403),
            Fault.status(200),
            Fault.status(403),
        )
        with pytest.raises(FileError, match="the file's storage answered HTTP 403"):
            await client.download_document(session.documents[0].id, tmp_path / "c.pdf")
    assert (pdf.read_bytes()[:4], sheet.read_bytes()[:2]) == (b"%PDF", b"PK")
    assert [each.name for each in (pdf, sheet)] == files_in(tmp_path)


def files_in(directory: Path) -> list[str]:
    """All files, hidden ones included."""
    return sorted(each.name for each in directory.iterdir())


@asynccontextmanager
async def open_api(fake: bool) -> AsyncIterator[tuple[Sandbox | FakeTransport, RaydocsClient]]:
    """A client of the sandbox, by a socket or without one."""
    if fake:
        transport = FakeTransport()
        async with RaydocsClient(transport.token, transport=transport) as client:
            yield transport, client
    else:
        async with Sandbox() as api, RaydocsClient(api.token, base_url=api.url) as client:
            yield api, client
