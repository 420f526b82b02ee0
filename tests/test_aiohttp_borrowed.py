"""A borrowed session: used as it is, never closed, and without effect on requests and replies."""

from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import pytest

from raydocs_async._exchange import FailureKind
from tests.support.clients import SESSION_ID, TOKEN
from tests.support.replies import GZIP, good, gzipped, reply, session_json
from tests.support.transports import failure_of, open_transport, response_of
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


interfere = AsyncMock(side_effect=AssertionError("the borrowed session's own hook was run"))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"headers": {"Authorization": "Bearer other", "Accept": "*/*"}}, id="headers"),
        pytest.param({"headers": {"user-agent": "other", "accept": "text/html"}}, id="lower case"),
        pytest.param({"headers": {"Accept-Encoding": "br"}}, id="encoding"),
        pytest.param(
            {"skip_auto_headers": ["User-Agent", "Accept", "Accept-Encoding"]},
            id="skipped headers",
        ),
        pytest.param({"raise_for_status": True}, id="raise_for_status"),
        pytest.param({"raise_for_status": interfere}, id="raise_for_status, a function"),
        pytest.param({"base_url": "http://elsewhere.example/"}, id="base_url"),
        pytest.param({"auto_decompress": False}, id="auto_decompress"),
        pytest.param({"timeout": aiohttp.ClientTimeout(total=1e-9)}, id="total"),
        pytest.param({"timeout": aiohttp.ClientTimeout(sock_read=1e-9)}, id="sock_read"),
        pytest.param({"middlewares": (interfere,)}, id="middlewares"),
        pytest.param({"cookie_jar": aiohttp.DummyCookieJar}, id="cookie jar"),
        pytest.param({"trust_env": True}, id="trust_env"),
        pytest.param({"read_bufsize": 1}, id="read_bufsize"),
    ],
)
async def test_a_borrowed_session_does_no_harm(options: dict[str, Any]) -> None:
    """C19: the options of a borrowed session change neither requests nor replies."""
    answers = (
        reply(gzipped(session_json(SESSION_ID)), headers=GZIP),
        reply(b"{}", status="404 Not Found"),
    )
    made = {name: value() if name == "cookie_jar" else value for name, value in options.items()}
    async with (
        WireServer(*answers) as server,
        aiohttp.ClientSession(**made) as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        assert (await response_of(transport)).body == session_json(SESSION_ID)
        assert (await response_of(transport)).status == 404
    for received in server.requests:
        assert received.headers["authorization"] == f"Bearer {TOKEN}"
        assert received.headers["accept"] == "application/json"
        assert received.headers["accept-encoding"] == "gzip, deflate"
        assert received.headers["user-agent"] == "tests"


async def test_a_borrowed_session_is_not_closed() -> None:
    """C19: closing the transport leaves a borrowed session and its connections open."""
    async with WireServer(good) as server, aiohttp.ClientSession() as session:
        async with open_transport(server.url, http_session=session) as transport:
            await response_of(transport)
        assert not session.closed
        assert server.open_connections == 1


async def test_a_borrowed_session_is_not_closed_by_failures() -> None:
    """C19: a lost connection does not retire a borrowed session."""
    async with (
        WireServer((End.CLOSE,), good) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        await failure_of(transport)
        assert (await response_of(transport)).status == 200
        assert not session.closed


async def test_a_borrowed_session_sends_once() -> None:
    """N8: the hidden resend is prevented on a borrowed session, too."""
    async with (
        WireServer((End.CLOSE,)) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        await failure_of(transport)
    assert len(server.requests) == 1


async def test_a_borrowed_session_that_was_closed() -> None:
    """C19: a borrowed session that its owner has closed is a failure that says so."""
    async with aiohttp.ClientSession() as session:
        pass
    async with open_transport("http://127.0.0.1", http_session=session) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.SETUP, False)
    assert "closed" in failure.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("407 Proxy Authentication Required", FailureKind.PROXY),
        ("403 Forbidden", FailureKind.PROXY),
        ("302 Found", FailureKind.PROXY),
        ("429 Too Many Requests", FailureKind.CONNECT),
        ("502 Bad Gateway", FailureKind.CONNECT),
        ("503 Service Unavailable", FailureKind.CONNECT),
    ],
)
async def test_a_proxy_that_refuses(status: str, kind: FailureKind) -> None:
    """C19: a proxy's refusal is named by its status, and is temporary if the status is."""
    async with (
        WireServer((reply(status=status, headers={"X-Quoted": "pr0xy-pw"}),)) as proxy,
        aiohttp.ClientSession(proxy=proxy.url.replace("//", "//user:pr0xy-pw@")) as session,
        open_transport("https://127.0.0.1:1", http_session=session) as transport,
    ):
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (kind, False)
    assert f"HTTP {status[:3]}" in failure.reason
    assert "pr0xy-pw" not in failure.reason
    assert len(proxy.requests) == 1
