"""The transport's exchanges: one request each, sent as it should be, within one time-out."""

import asyncio

import pytest

from raydocs_async._exchange import FailureKind
from tests.support.clients import GET, SESSION_ID, TOKEN, transport_for, until
from tests.support.replies import good, reply, session_json
from tests.support.transports import GOOD, failure_of, open_transport, response_of
from tests.support.wire import Drip, End, Step, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.parametrize(
    ("greeting", "answer", "requests"),
    [
        pytest.param((End.CLOSE,), (), 0, id="N8 FIN at once"),
        pytest.param((), (End.CLOSE,), 1, id="N8 FIN after the request"),
        pytest.param((End.RESET,), (), 0, id="N9 RST at once"),
        pytest.param((), (End.RESET,), 1, id="N9 RST after the request"),
        pytest.param((), (GOOD[:40], End.CLOSE), 1, id="N10 FIN in the headers"),
        pytest.param((), (GOOD[:40], End.RESET), 1, id="N10 RST in the headers"),
    ],
)
async def test_one_exchange_is_one_request(
    greeting: tuple[Step, ...], answer: tuple[Step, ...], requests: int
) -> None:
    """A lost connection is reported, and the request is not sent again."""
    server = WireServer(answer, greetings=(greeting,))
    async with server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.DISCONNECT, True)
    assert (server.connections, len(server.requests)) == (1, requests)


async def test_a_stale_connection_is_not_resent_either() -> None:
    """N11: an exchange fails if its pooled connection closes; the request is not sent again."""
    async with WireServer(good, (End.CLOSE,)) as server, open_transport(server.url) as transport:
        await response_of(transport)
        failure = await failure_of(transport)
    assert failure.kind is FailureKind.DISCONNECT
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_connections_are_kept() -> None:
    """Consecutive exchanges use the same connection."""
    async with WireServer(good) as server, open_transport(server.url) as transport:
        for _ in range(3):
            await response_of(transport)
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_connections_are_bounded() -> None:
    """At most `max_connections` connections are open at a time."""
    gate = asyncio.Event()
    server = WireServer((gate, GOOD))
    async with server, open_transport(server.url, max_connections=2) as transport:
        sends = [asyncio.create_task(transport.send(GET)) for _ in range(5)]
        await until(lambda: len(server.requests) == 2)
        gate.set()
        await asyncio.gather(*sends)
    assert (server.connections, len(server.requests)) == (2, 5)


async def test_the_reply_is_plain_values() -> None:
    """A response has status, case-insensitive headers and the body's bytes."""
    answer = reply(b"{}", status="418 Odd", headers={"X-REQUEST-ID": "r-1"})
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        response = await response_of(transport)
    assert (response.status, response.body) == (418, b"{}")
    assert response.headers["X-Request-Id"] == "r-1"


async def test_headers_as_sent() -> None:
    """A request accepts JSON alone, has the token and the user agent, and never a cookie."""
    answer = reply(session_json(SESSION_ID), headers={"Set-Cookie": "a=b"})
    async with WireServer(answer) as server:
        by_name = server.url.replace("127.0.0.1", "localhost")  # no jar takes an address's cookies
        async with open_transport(by_name) as transport:
            await response_of(transport)
            await response_of(transport)
    headers = server.requests[1].headers
    assert headers["accept"] == "application/json"
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == "tests"
    assert "cookie" not in headers


@pytest.mark.parametrize("path", ["", "/api/v2", "/a%2Fb/%C3%A9"])
async def test_the_base_path_is_kept(path: str) -> None:
    """C20: the base URL's path precedes the endpoint's, encoded as it was."""
    async with WireServer(good) as server, open_transport(server.url + path) as transport:
        await response_of(transport)
    assert server.requests[0].target == f"{path}/extractions/sessions/{SESSION_ID}"


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.HANG,), id="N13 silent"),
        pytest.param((Drip(GOOD),), id="N14 drips headers"),
        pytest.param((GOOD[:-60], Drip(GOOD[-60:])), id="N15 drips the body"),
        pytest.param((GOOD[:-1], End.HANG), id="N13 silent at the last byte"),
    ],
)
async def test_an_exchange_has_one_timer(answer: tuple[Step, ...]) -> None:
    """An exchange ends after `attempt_timeout`, however its bytes trickle."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, True)
    assert asyncio.get_running_loop().time() == pytest.approx(5)
    assert len(server.requests) == 1


async def test_repr_tells_where_to() -> None:
    """The ``repr`` of a transport shows its server alone."""
    assert repr(transport_for("https://api.example")) == "<AiohttpTransport to https://api.example>"


async def test_closing_what_never_opened() -> None:
    """`close` may be called before the first exchange, and again."""
    transport = transport_for("http://127.0.0.1")
    await transport.close()
    await transport.close()
