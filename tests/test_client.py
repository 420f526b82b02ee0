"""The client as it is built, opened, used in the wrong place, and closed."""

import asyncio
import copy
import math
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import aiohttp
import pytest
from aioresponses import aioresponses

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConfigurationError,
    InternalServerError,
    InvalidIdError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    Session,
    UnprocessableEntityError,
)
from raydocs_async._base_client import Default
from raydocs_async.testing import FakeTransport
from tests.support.clients import ONCE, SESSION_ID, THRICE, TOKEN, client_for, until
from tests.support.network import free_port
from tests.support.wire import WireServer, good, session_json

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


# -- what is sent --------------------------------------------------------------------------


async def test_headers_as_sent() -> None:
    """The request has the token, asks for JSON alone, and says who asks."""
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
    """An id in any form that is accepted is one URL."""
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
    """C1: what is no session id is refused in words, before any I/O."""
    async with WireServer(good) as server, client_for(server.url) as client:
        with pytest.raises(InvalidIdError, match="not a session id") as caught:
            await client.get_session(session_id)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 250
    assert server.connections == 0


# -- settings ------------------------------------------------------------------------------


async def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and base URL come from the environment where they are not given."""
    async with WireServer(good) as server:
        monkeypatch.setenv("RAYDOCS_API_TOKEN", "from-the-environment")
        monkeypatch.setenv("RAYDOCS_BASE_URL", server.url)
        async with RaydocsClient() as client:
            await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == "Bearer from-the-environment"


async def test_arguments_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given as an argument goes before the environment."""
    monkeypatch.setenv("RAYDOCS_API_TOKEN", "from-the-environment")
    monkeypatch.setenv("RAYDOCS_BASE_URL", "https://elsewhere.example")
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        *(
            pytest.param(
                {name: value}, f"^{name} must be a finite number", id=f"C18 {name} {value}"
            )
            for name in ("timeout", "attempt_timeout")
            for value in (0, -1, math.nan, math.inf, -math.inf)
        ),
        *(
            pytest.param(
                {name: value}, f"^{name} must be a whole number from 1", id=f"C18 {name} {value}"
            )
            for name in ("max_response_bytes", "max_connections")
            for value in (0, -1)
        ),
        *(
            pytest.param({name: "3"}, f"^{name} must be .+, not a str$", id=f"C18 {name} a str")
            for name in (
                "attempt_timeout",
                "max_connections",
                "max_response_bytes",
                "retry",
                "rate_limit",
                "http_session",
            )
        ),
        pytest.param({"base_url": "api.example"}, "absolute", id="C20 base_url"),
        pytest.param({"base_url": "http://api.example"}, "shows the token", id="S8 http"),
        pytest.param({"token": ""}, "no token", id="S1 empty token"),
        pytest.param({"token": b"bytes"}, "no token", id="S1 bytes"),
        pytest.param({"token": "a\nb"}, "visible ASCII", id="S1 LF"),
    ],
)
def test_settings_that_cannot_work(options: dict[str, Any], says: str) -> None:
    """A setting that makes no sense is a ConfigurationError, which is a ValueError."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        RaydocsClient(**{"token": TOKEN} | options)
    assert isinstance(caught.value, ValueError)


def test_no_token_at_all() -> None:
    """A client without a token is refused, and told where one is looked for."""
    with pytest.raises(ConfigurationError, match="RAYDOCS_API_TOKEN"):
        RaydocsClient()


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf])
async def test_a_calls_time_out_that_cannot_work(timeout: float) -> None:
    """C18: a time-out of a call is checked as the client's is, and nothing is sent."""
    async with WireServer(good) as server, client_for(server.url) as client:
        with pytest.raises(ConfigurationError, match="timeout"):
            await client.get_session(SESSION_ID, timeout=timeout)
    assert server.connections == 0


def test_http_to_elsewhere_if_asked_for() -> None:
    """S8: plain http to another machine is taken with `allow_http`."""
    client = RaydocsClient(TOKEN, base_url="http://api.example", allow_http=True)
    assert repr(client) == "<RaydocsClient for http://api.example, open>"


def test_the_default_of_a_time_out_explains_itself() -> None:
    """In a signature, the default time-out of a call reads as what it is."""
    assert repr(Default.CLIENT) == "<the client's>"


# -- life ----------------------------------------------------------------------------------


def test_built_outside_of_a_loop() -> None:
    """C3: a client that is built before there is an event loop works in the one to come."""
    port = free_port()
    client = client_for(f"http://127.0.0.1:{port}")

    async def use() -> UUID:
        async with WireServer(good, port=port), client:
            return (await client.get_session(SESSION_ID)).id

    assert asyncio.run(use()) == UUID(SESSION_ID)


async def test_it_opens_without_a_context_manager() -> None:
    """A client works without `async with`; `close` ends it."""
    async with WireServer(good) as server:
        client = client_for(server.url)
        assert (await client.get_session(SESSION_ID)).id == UUID(SESSION_ID)
        await client.close()
        assert repr(client) == f"<RaydocsClient for {server.url}, closed>"


async def test_use_after_close() -> None:
    """C4: a closed client refuses calls and to be entered again, in words."""
    client = client_for("http://127.0.0.1:1")
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="closed"):
        await client.get_session(SESSION_ID)
    with pytest.raises(ClientClosedError, match="closed"):
        await client.__aenter__()


async def test_closing_twice() -> None:
    """C5: closing twice, or twice at once, is fine."""
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
    """C19: a borrowed session is used, and still open when the client is closed."""
    async with WireServer(good) as server, aiohttp.ClientSession() as session:
        for _ in range(2):
            async with client_for(server.url, http_session=session) as client:
                await client.get_session(SESSION_ID)
        assert not session.closed
    assert server.connections == 1


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda client: client.get_session(SESSION_ID), id="call"),
        pytest.param(lambda client: client.__aenter__(), id="enter"),
    ],
)
def test_a_second_event_loop(use: Callable[[RaydocsClient], Coroutine[Any, Any, Any]]) -> None:
    """C11: in a second event loop a client is refused with a clear error, and can be closed."""
    client = client_for("http://127.0.0.1:1")
    asyncio.run(client.__aenter__())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use(client))
    asyncio.run(client.close())


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda client: client.get_session(SESSION_ID), id="get_session"),
        pytest.param(lambda client: client.get_sessions([SESSION_ID]), id="get_sessions"),
        pytest.param(lambda client: client.wait_for_session(SESSION_ID), id="wait_for_session"),
        pytest.param(lambda client: client.stream_sessions([SESSION_ID]).__anext__(), id="stream"),
        pytest.param(lambda client: client.__aenter__(), id="enter"),
        pytest.param(lambda client: client.close(), id="close"),
    ],
)
@pytest.mark.parametrize("fake", [False, True], ids=["aiohttp", "FakeTransport"])
def test_without_asyncio(
    use: Callable[[RaydocsClient], Coroutine[Any, Any, Any]], fake: bool
) -> None:
    """C11: under another library's event loop, or under none, every call says what is needed."""
    client = client_for("http://127.0.0.1:1", transport=FakeTransport() if fake else None)
    with pytest.raises(ConfigurationError, match="needs asyncio"):
        use(client).send(None)


def test_the_rate_limit_without_asyncio() -> None:
    """Outside of an event loop, reading the rate limit's state says what is needed."""
    with pytest.raises(ConfigurationError, match="needs asyncio"):
        _ = client_for("http://127.0.0.1:1").rate_limit_status


async def test_without_a_task() -> None:
    """C11: a coroutine that is driven by hand inside an event loop is refused in words."""
    async with client_for("http://127.0.0.1:1") as client:

        def drive() -> None:
            with pytest.raises(ConfigurationError, match="asyncio task") as caught:
                client.get_session(SESSION_ID).send(None)
            driven.set_result(caught.value)

        driven = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(drive)
        await driven


def test_closing_in_another_loop() -> None:
    """C11: closing in another loop, while the client's own is open, is refused like any use."""
    with asyncio.Runner() as home:

        async def use() -> RaydocsClient:
            async with WireServer(good) as server:
                client = client_for(server.url)
                await client.get_session(SESSION_ID)
                return client

        client = home.run(use())
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(client.close())
        assert "open" in repr(client)
        home.run(client.close())


def test_closing_after_the_loop() -> None:
    """C11: when the client's loop was closed in mid-call, the client closes in any other loop."""

    async def use() -> RaydocsClient:
        client = client_for("http://127.0.0.1", transport=FakeTransport(latency=60))
        calls.append(asyncio.create_task(client.get_session(SESSION_ID)))
        await until(lambda: client.rate_limit_status.in_flight)
        return client

    calls: list[asyncio.Task[Session]] = []
    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    client = loop.run_until_complete(use())
    loop.close()
    asyncio.run(client.close())
    assert "closed" in repr(client)
    calls[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # its loop went first
    coroutine: Any = calls[0].get_coro()
    coroutine.close()  # as when it is collected


async def test_two_threads() -> None:
    """C12: a second thread's event loop is refused with a clear error."""
    errors: list[Exception] = []
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)

        def elsewhere() -> None:
            try:
                asyncio.run(client.get_session(SESSION_ID))
            except Exception as exc:
                errors.append(exc)

        await asyncio.to_thread(elsewhere)
    (error,) = errors
    assert isinstance(error, ConfigurationError)
    assert "another event loop" in str(error)


SCRIPT = """
import asyncio, os, sys
sys.path.append({root!r})
from raydocs_async import ConfigurationError
from tests.support.clients import SESSION_ID, client_for, until
from tests.support.wire import End, WireServer, good

async def main():
    {main}

asyncio.run(main())
"""
CALL_IN_A_CHILD = """
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
        child = os.fork()
        if not child:
            try:
                asyncio.run(client.get_session(SESSION_ID))
            except ConfigurationError as exc:
                os._exit(7 if "another process" in str(exc) else 8)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await client.get_session(SESSION_ID)
    assert len(server.requests) == 2
"""
CLOSE_IN_A_CHILD = """
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        child = os.fork()
        if not child:
            try:
                asyncio.run(client.close())
            except ConfigurationError:
                os._exit(7)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        call.cancel()
        await asyncio.wait([call])
"""
CLOSE_IN_A_THREAD = """
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        try:
            await asyncio.to_thread(asyncio.run, client.close())
        except ConfigurationError:
            pass
        else:
            raise AssertionError("it was not refused")
        assert not call.done()
        call.cancel()
        await asyncio.wait([call])
"""


@pytest.mark.parametrize(
    "main",
    [
        pytest.param(CALL_IN_A_CHILD, id="C13 call after a fork"),
        pytest.param(CLOSE_IN_A_CHILD, id="C13 close after a fork, with a call under way"),
        pytest.param(CLOSE_IN_A_THREAD, id="C12 close in a thread, with a call under way"),
    ],
)
def test_another_process_or_thread(main: str) -> None:
    """Using a client where it is not at home is refused with a clear error, and harms nobody."""
    root = str(Path(__file__).parent.parent)
    script = SCRIPT.format(root=root, main=main.strip())
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=5, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_it_is_not_copied_or_pickled() -> None:
    """S2: a client refuses to be pickled or copied, and says what to do."""
    client = client_for("http://127.0.0.1:1")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="build one in each process"):
            attempt(client)


async def test_traces_are_called() -> None:
    """`trace_configs` are aiohttp's: one request, one trace."""
    seen: list[str] = []

    async def note(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.method)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with WireServer(good) as server, client_for(server.url, trace_configs=[trace]) as client:
        await client.get_session(SESSION_ID)
    assert seen == ["GET"]


async def test_the_cap_on_a_body() -> None:
    """`max_response_bytes` is the client's to choose."""
    async with (
        WireServer(good) as server,
        client_for(server.url, max_response_bytes=100) as client,
    ):
        with pytest.raises(APIConnectionError, match="max_response_bytes"):
            await client.get_session(SESSION_ID)


# -- with aioresponses ---------------------------------------------------------------------


class PatchedResponse(aiohttp.ClientResponse):
    """What aioresponses 0.7.9 needs on aiohttp 3.14, which asks for one argument more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": Mock(), **kwargs})


URL = f"https://api.raydocs.com/extractions/sessions/{SESSION_ID}"


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"{}", APIResponseValidationError),
        (200, b"<html>", APIResponseValidationError),
        (204, b"", APIStatusError),
        (301, b"", APIStatusError),
        (400, b"", BadRequestError),
        (401, b'{"message": "Unauthenticated."}', AuthenticationError),
        (403, b'{"message": "This action is unauthorized."}', PermissionDeniedError),
        (404, b'{"message": "No query results"}', NotFoundError),
        (409, b"", APIStatusError),
        (422, b'{"message": "Invalid.", "errors": {}}', UnprocessableEntityError),
        (500, b'{"message": "Server Error"}', InternalServerError),
        (503, b"", InternalServerError),
    ],
)
async def test_status_to_error(status: int, body: bytes, error: type[RaydocsError]) -> None:
    """A status is the error of its kind, also where aioresponses stands in for the network."""
    with aioresponses() as mocked:
        mocked.get(URL, status=status, body=body, repeat=True, response_class=PatchedResponse)
        async with RaydocsClient(TOKEN, retry=THRICE) as client:
            with pytest.raises(error) as caught:
                await client.get_session(SESSION_ID)
    assert type(caught.value) is error
    assert caught.value.status == status


async def test_a_session_by_aioresponses() -> None:
    """A 200 is the session that its body tells of."""
    with aioresponses() as mocked:
        mocked.get(URL, body=session_json(SESSION_ID), response_class=PatchedResponse)
        async with RaydocsClient(TOKEN) as client:
            assert (await client.get_session(SESSION_ID)).name == "Invoices"


@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (aiohttp.ClientPayloadError(), APIConnectionError),
        (aiohttp.ServerTimeoutError(), APITimeoutError),
        (TimeoutError(), APITimeoutError),
        (aiohttp.InvalidURL("/"), ConfigurationError),
    ],
    ids=repr,
)
async def test_exception_to_error(exception: Exception, error: type[RaydocsError]) -> None:
    """An exception of aiohttp's is the error of its kind."""
    with aioresponses() as mocked:
        mocked.get(URL, exception=exception)
        async with RaydocsClient(TOKEN, retry=ONCE) as client:
            with pytest.raises(RaydocsError) as caught:
                await client.get_session(SESSION_ID)
    assert type(caught.value) is error


async def test_a_throttled_reply_by_aioresponses() -> None:
    """A 429 for a day is refused at once."""
    with aioresponses() as mocked:
        headers = {"Retry-After": "86400"}
        mocked.get(URL, status=429, headers=headers, response_class=PatchedResponse)
        async with RaydocsClient(TOKEN) as client:
            with pytest.raises(RateLimitError):
                await client.get_session(SESSION_ID)


async def test_closing_from_within_a_call_is_refused() -> None:
    """C7: a call that closes its own client would wait for itself; it is told so."""
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
