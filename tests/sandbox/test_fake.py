"""The sandbox as a transport, without sockets and in virtual time."""

import asyncio
import hashlib
import json
from uuid import UUID, uuid4

import pytest

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    NotFoundError,
    RaydocsClient,
    RetryPolicy,
)
from raydocs_async._exchange import Request, Response
from raydocs_async.sandbox import Fault, Shapes
from raydocs_async.sandbox._fake import FakeTransport
from raydocs_async.testing import build_session_json
from tests.support.clients import ONCE, SESSION_ID

PATH = f"/extractions/sessions/{SESSION_ID}"

virtual = pytest.mark.looptime


def fake_client(fake: FakeTransport, **options: object) -> RaydocsClient:
    """A client on `fake`."""
    return RaydocsClient(fake.token, transport=fake, **options)  # type: ignore[arg-type]


async def test_a_session_without_a_socket() -> None:
    """The fake has the sandbox's sessions, and what was put there."""
    fake = FakeTransport()
    fake.put(build_session_json(SESSION_ID, name="Mine"))
    async with fake_client(fake) as client:
        assert (await client.get_session(SESSION_ID)).name == "Mine"
        assert (await client.get_session(fake.ids(1)[0])).name.startswith("Invoices")
    assert fake.stats.statuses == {200: 2}


async def test_an_unknown_session() -> None:
    """An unknown session is a 404, as at the service."""
    async with fake_client(FakeTransport()) as client:
        with pytest.raises(NotFoundError):
            await client.get_session(uuid4())


@virtual
@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        pytest.param(Fault.status(401), AuthenticationError, 0, id="a status"),
        pytest.param(Fault.cut(), APIConnectionError, 0, id="a cut"),
        pytest.param(Fault.reset(), APIConnectionError, 0, id="a reset"),
        pytest.param(Fault.stall(), APITimeoutError, 60, id="a stall"),
        pytest.param(Fault.body(b"[]"), APIResponseValidationError, 0, id="a body"),
    ],
)
async def test_faults(fault: Fault, error: type[Exception], seconds: float) -> None:
    """Scripted faults take place, as they do on a socket."""
    fake = FakeTransport()
    fake.script(fault)
    started = asyncio.get_running_loop().time()
    async with fake_client(fake, retry=ONCE) as client:
        with pytest.raises(error):
            await client.get_session(fake.ids(1)[0])
    assert asyncio.get_running_loop().time() - started == pytest.approx(seconds)
    assert fake.stats.faults == 1


@virtual
async def test_the_throttle_and_the_clock() -> None:
    """The limit is the sandbox's, and a virtual clock brings the next window."""
    fake = FakeTransport(limit=2, window=60)
    started = asyncio.get_running_loop().time()
    async with fake_client(fake) as client:
        await client.get_sessions(fake.ids(5))
    assert asyncio.get_running_loop().time() - started == pytest.approx(120, abs=2)
    assert fake.stats.throttled == 0


@virtual
async def test_latency() -> None:
    """Each reply takes as long as it is told to, and longer by its fault."""
    fake = FakeTransport(latency=3)
    fake.script(Fault.latency(4))
    started = asyncio.get_running_loop().time()
    async with fake_client(fake) as client:
        await client.get_session(fake.ids(1)[0])
    assert asyncio.get_running_loop().time() - started == pytest.approx(7)


@virtual
async def test_an_answer_about_another_session() -> None:
    """A reply with another session is not taken for the requested one."""
    fake = FakeTransport()
    asked, other = fake.ids(2)
    fake.script(*[Fault.status(200, body=fake.session(other))] * 2)
    async with fake_client(fake, retry=RetryPolicy(attempts=2)) as client:
        with pytest.raises(APIConnectionError, match="another session"):
            await client.get_session(asked)


def test_one_fake_for_several_event_loops() -> None:
    """A fake can be a module's, while each test has a loop of its own."""
    fake = FakeTransport()

    async def fetch() -> None:
        async with fake_client(fake) as client:
            await client.get_session(fake.ids(1)[0])

    asyncio.run(fetch())
    asyncio.run(fetch())
    assert fake.stats.statuses[200] == 2


async def ask(fake: FakeTransport, path: str) -> Response:
    """The fake's reply to a request for a path."""
    reply = await fake.send(Request(path, "any", UUID(SESSION_ID)), 60.0)
    assert isinstance(reply, Response)
    return reply


@virtual
async def test_one_clock_for_several_clients() -> None:
    """The fake's time goes on when a client is closed."""
    fake = FakeTransport(limit=1, window=3600)
    for status in (200, 429):
        assert (await ask(fake, f"/extractions/sessions/{fake.ids(1)[0]}")).status == status
        await fake.close()
        await asyncio.sleep(1800)
    await asyncio.sleep(1)
    assert (await ask(fake, f"/extractions/sessions/{fake.ids(1)[0]}")).status == 200


@virtual
async def test_sessions_finish() -> None:
    """Sessions finish on a virtual clock, and a client can wait for one."""
    fake = FakeTransport(finish_within=1200)
    (session_id,) = fake.ids(1)
    async with fake_client(fake) as client:
        assert (await client.get_session(session_id)).status == "pending"
        session = await client.wait_for_session(session_id, timeout=1300)
    assert session.is_finished
    assert str(session.results[0].id) == fake.session(session_id)["results"][0]["id"]


async def test_every_resource() -> None:
    """The fake has every resource that the sandbox has."""
    fake = FakeTransport()
    session = fake.session(fake.ids(1)[0])
    document, result = session["documents"][0]["id"], session["results"][0]["id"]
    paths = [
        f"/extractions/sessions/{session['id']}/documents?page=1",
        f"/extractions/sessions/{session['id']}/results",
        f"/extractions/results/{result}",
        f"/extractions/results/{result}/export/excel",
        f"/extractions/documents/{document}",
        f"/extractions/documents/{document}/chunks",
    ]
    assert {(await ask(fake, path)).status for path in paths} == {200}


async def test_file() -> None:
    """The signed URL of a document leads to its file."""
    fake = FakeTransport()
    document = fake.session(fake.ids(1)[0])["documents"][0]
    answer = json.loads((await ask(fake, f"/extractions/documents/{document['id']}/url")).body)
    reply = await ask(fake, answer["url"])
    assert hashlib.sha256(reply.body).hexdigest() == document["sha256"]
    assert fake.stats.accepted == 1


async def test_records() -> None:
    """The fake counts and logs requests as the sandbox does."""
    fake = FakeTransport(log_size=2)
    fake.script_for(SESSION_ID, Fault.cut())
    for _ in range(2):
        reply = await fake.send(Request(PATH, "session", UUID(SESSION_ID)), 60.0)
    assert isinstance(reply, Response)
    assert (fake.stats.requests, fake.stats.peak_in_flight) == (2, 1)
    assert fake.stats.statuses == {404: 1}
    assert [entry[1:] for entry in fake.log] == [
        (PATH, "session", SESSION_ID, None, 1),
        (PATH, "session", SESSION_ID, 404, 1),
    ]


@pytest.mark.parametrize("shapes", ["newest", "older", "oldest"])
async def test_a_client_reads_every_shape(shapes: Shapes) -> None:
    """A client follows each value to its document's chunks, whatever shape they have."""
    fake = FakeTransport(shapes=shapes, per_page=2)
    (session_id,) = fake.ids(1)
    async with fake_client(fake) as client:
        documents = [each async for each in client.iter_documents(session_id)]
        results = [each async for each in client.iter_results(session_id)]
        chunks = [chunk for each in documents for chunk in await client.get_chunks(each.id)]
        whole = [await client.get_result(each.id) for each in results]
        assert (await client.get_document(documents[0].id)).filename == documents[0].filename
    fields = [each for result in whole for each in result.fields()]
    assert (len(documents), len(results), len(fields)) == (3, 2, 20)
    for source in (source for each in fields for source in each.sources):
        chunk = source.find_chunk(chunks)
        assert chunk is not None
        assert str(source.text) in chunk.text
        assert source.page in chunk.pages
