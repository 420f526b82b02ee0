"""The files of the passages that values were read from."""

from uuid import UUID

from attrs import evolve

from raydocs_async import DocumentRef, RaydocsClient
from raydocs_async.cli._source_files import find_source_files
from raydocs_async.sandbox import Fault, Sandbox
from raydocs_async.testing import FakeTransport
from tests.support.terminal import Terminal, plain

OTHER = DocumentRef(document_id=UUID(int=1), filename="other.pdf")


def open_client(api: FakeTransport) -> RaydocsClient:
    """Return a client of a stand-in."""
    return RaydocsClient(api.token, transport=api)


async def test_one_document() -> None:
    """The passages of a result with one document need no request."""
    api = FakeTransport()
    async with open_client(api) as client:
        session = await client.get_session(api.ids(1)[0])
        result = next(each for each in session.results if len(each.document_refs) == 1)
        before = api.stats.requests
        files = await find_source_files(client, result)
    assert set(files.values()) == {result.document_refs[0].filename}
    assert api.stats.requests == before


async def test_several_documents() -> None:
    """The passages of the documents tell which is whose; documents that are gone are left out."""
    api = FakeTransport()
    async with open_client(api) as client:
        session = await client.get_session(api.ids(1)[0])
        result = session.results[0]
        refs = (OTHER, *result.document_refs)
        files = await find_source_files(
            client, evolve(session, results=(evolve(result, document_refs=refs),))
        )
        chunk_ids = {
            chunk.id: ref.filename
            for ref in result.document_refs
            for chunk in await client.get_chunks(str(ref.document_id))
        }
    assert files
    assert files == {key: chunk_ids[key] for key in files}


async def test_a_result_without_references() -> None:
    """The documents of the session stand in for those of a result that does not name its own."""
    api = FakeTransport()
    async with open_client(api) as client:
        session = await client.get_session(api.ids(1)[0])
        results = tuple(evolve(each, document_refs=()) for each in session.results)
        expected = await find_source_files(client, session)
        assert await find_source_files(client, evolve(session, results=results)) == expected


async def test_a_document_without_a_name() -> None:
    """A passage of a document whose name is unknown has no file."""
    api = FakeTransport()
    async with open_client(api) as client:
        session = await client.get_session(api.ids(1)[0])
        refs = tuple(evolve(each, filename=None) for each in session.results[0].document_refs)
        result = evolve(session.results[0], document_refs=refs)
        assert await find_source_files(client, result) == {}


async def test_no_passages() -> None:
    """A document has no passages of values, and a result without a trail needs no request."""
    api = FakeTransport()
    async with open_client(api) as client:
        session = await client.get_session(api.ids(1)[0])
        result = evolve(session.results[0], audit_data=None, document_refs=(OTHER, OTHER))
        before = api.stats.requests
        assert await find_source_files(client, session.documents[0]) == {}
        assert await find_source_files(client, result) == {}
    assert api.stats.requests == before


async def test_on_a_terminal(terminal: Terminal, api: Sandbox) -> None:
    """`get --sources` shows the file of each passage."""
    session = api.session(api.ids(1)[0])
    code, screen = await terminal("get", str(session["id"]), "--sources", env={"COLUMNS": "200"})
    shown = plain(screen)
    passages = [line for line in shown.splitlines() if "”" in line]
    assert code == 0
    names = [each["filename"] for each in session["documents"]]
    assert passages
    assert all(any(name in line for name in names) for line in passages)


async def test_chunks_that_cannot_be_fetched(terminal: Terminal, api: Sandbox) -> None:
    """If the service refuses the passages, the values are shown all the same."""
    session = api.session(api.ids(1)[0])
    for each in session["documents"]:
        api.script_for(f"/extractions/documents/{each['id']}/chunks", *[Fault.status(404)] * 9)
    code, screen = await terminal("get", str(session["id"]), "--sources")
    assert (code, "“" in screen) == (0, True)
