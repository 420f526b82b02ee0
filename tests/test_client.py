"""The client's calls as they are sent, and its life from opening to closing."""

import asyncio
import copy
import pickle
from importlib.metadata import version
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from raydocs_async import APIConnectionError, ClientClosedError, ConfigurationError, InvalidIdError
from tests.support.clients import SESSION_ID, TOKEN, client_for, until
from tests.support.replies import good
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_headers_as_sent() -> None:
    """A request has the token, accepts JSON alone, and names the library."""
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
    headers = server.requests[0].headers
    assert headers["accept"] == "application/json"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == f"raydocs-async/{version('raydocs-async')}"
    assert headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/", "/a/b//"])
async def test_the_path_as_sent(path: str) -> None:
    """C20: the endpoint's path follows the base URL's, with one slash between."""
    async with WireServer(good) as server, client_for(server.url + path) as client:
        await client.get_session(SESSION_ID)
    base = path.rstrip("/")
    assert server.requests[0].head.startswith(
        f"GET {base}/extractions/sessions/{SESSION_ID} HTTP/1.1\r\n".encode()
    )


@pytest.mark.parametrize(
    "session_id",
    [
        pytest.param(SESSION_ID, id="a string"),
        pytest.param(SESSION_ID.upper(), id="C2 upper case"),
        pytest.param(UUID(SESSION_ID), id="a UUID"),
    ],
)
async def test_ids_as_sent(session_id: str | UUID) -> None:
    """An id in any accepted form is sent in the same URL."""
    async with WireServer(good) as server, client_for(server.url) as client:
        assert (await client.get_session(session_id)).id == UUID(SESSION_ID)
    assert server.requests[0].session_id == SESSION_ID


@pytest.mark.parametrize(
    "session_id",
    [
        *("", "..", "../../users", "a?x", "%2e%2e", f"{SESSION_ID}\r\nX: y", f"{SESSION_ID}\0"),
        *("x" * 9000, SESSION_ID.translate({48 + n: 0xFF10 + n for n in range(10)})),
        *(f"{{{SESSION_ID}}}", f"urn:uuid:{SESSION_ID}", SESSION_ID.replace("-", "")),
        *(7, None, SESSION_ID.encode(), f" {SESSION_ID}", f"{SESSION_ID}\n"),
    ],
    ids=lambda value: f"C1 {value!r:.40}",
)
async def test_what_is_no_id_is_not_sent(session_id: Any) -> None:
    """C1: an invalid id is refused before any I/O."""
    async with WireServer(good) as server, client_for(server.url) as client:
        with pytest.raises(InvalidIdError, match="not a session id") as caught:
            await client.get_session(session_id)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 250
    assert server.connections == 0


async def test_it_opens_without_a_context_manager() -> None:
    """A client works without `async with`; `close` ends it."""
    async with WireServer(good) as server:
        client = client_for(server.url)
        assert (await client.get_session(SESSION_ID)).id == UUID(SESSION_ID)
        await client.close()
        assert repr(client) == f"<RaydocsClient for {server.url}, closed>"


async def test_use_after_close() -> None:
    """C4: a closed client refuses calls, and refuses to be entered again."""
    client = client_for("http://127.0.0.1:1")
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="closed"):
        await client.get_session(SESSION_ID)
    with pytest.raises(ClientClosedError, match="closed"):
        await client.__aenter__()


async def test_closing_twice() -> None:
    """C5: a client may be closed twice, and twice at once."""
    async with WireServer(good) as server:
        client = client_for(server.url)
        await client.get_session(SESSION_ID)
        await asyncio.gather(client.close(), client.close())
        await client.close()


async def test_closing_closes_its_connections() -> None:
    """A closed client has no connection open."""
    async with WireServer(good) as server:
        async with client_for(server.url) as client:
            await client.get_session(SESSION_ID)
            assert server.open_connections == 1
        await until(lambda: server.open_connections == 0)


async def test_a_borrowed_session_stays_open() -> None:
    """C19: closing the client leaves a borrowed session open."""
    async with WireServer(good) as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with client_for(server.url, http_session=session) as client:
                await client.get_session(SESSION_ID)
        assert not session.closed
    assert server.connections == 1


async def test_closing_from_within_a_call_is_refused() -> None:
    """C7: a call that closes its own client is refused, because it would wait for itself."""
    trace = aiohttp.TraceConfig()
    errors: list[ConfigurationError] = []

    async def close(*_: object) -> None:
        with pytest.raises(ConfigurationError, match="its own calls") as caught:
            await client.close()
        errors.append(caught.value)

    trace.on_request_start.append(close)
    async with (
        WireServer(good) as server,
        client_for(server.url, trace_configs=[trace]) as client,
    ):
        await client.get_session(SESSION_ID)
    assert len(errors) == 1


def test_it_is_not_copied_or_pickled() -> None:
    """S2: a client refuses to be pickled or copied, and says what to do."""
    client = client_for("http://127.0.0.1:1")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="build one in each process"):
            attempt(client)


async def test_traces_are_called() -> None:
    """A `trace_configs` entry is called once a request."""
    seen: list[str] = []

    async def note(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with WireServer(good) as server, client_for(server.url, trace_configs=[trace]) as client:
        await client.get_session(SESSION_ID)
    assert seen == ["GET"]


async def test_the_cap_on_a_body() -> None:
    """A body over `max_response_bytes` is refused."""
    async with (
        WireServer(good) as server,
        client_for(server.url, max_response_bytes=100) as client,
    ):
        with pytest.raises(APIConnectionError, match="max_response_bytes"):
            await client.get_session(SESSION_ID)
