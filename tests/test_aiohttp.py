"""One exchange: what the transport makes of aiohttp, of sockets, and of a borrowed session."""

import asyncio
import importlib
import inspect
import pkgutil
import re
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import pytest
from aiohttp.abc import ResolveResult
from attrs import evolve

from raydocs_async._aiohttp import CONNECT_TIMEOUT, AiohttpTransport
from raydocs_async._aiohttp._failures import translate
from raydocs_async._aiohttp._reply import ERROR_BODY_LIMIT, ERROR_BODY_TIMEOUT
from raydocs_async._exchange import Failure, FailureKind, Response
from raydocs_async._secret import Secret
from tests.support.clients import GET, SESSION_ID, TOKEN, transport_for, until
from tests.support.network import Resolver, black_hole, refused, session_by
from tests.support.tls import CA, GOOD_TLS, OTHER_CA, TRUSTING, server_tls
from tests.support.wire import (
    CHUNKED,
    GZIP,
    Answer,
    Drip,
    End,
    Endless,
    Pause,
    Received,
    Step,
    WireServer,
    bomb,
    chunk,
    good,
    gzipped,
    reply,
    session_json,
)

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]

GOOD = reply(session_json(SESSION_ID))
MIB = 2**20


@asynccontextmanager
async def open_transport(base_url: str, **options: Any) -> AsyncIterator[AiohttpTransport]:
    """A transport that is closed in the end."""
    transport = transport_for(base_url, **options)
    try:
        yield transport
    finally:
        await transport.close()


async def failure_of(transport: AiohttpTransport) -> Failure:
    """The failure that the next exchange ends in."""
    outcome = await transport.send(GET)
    assert isinstance(outcome, Failure)
    return outcome


async def response_of(transport: AiohttpTransport) -> Response:
    """The response that the next exchange brings."""
    outcome = await transport.send(GET)
    assert isinstance(outcome, Response)
    return outcome


# -- the exception table ------------------------------------------------------------------


UNREACHABLE = {
    # what aiohttp raises within, and turns into another before a caller sees it
    "BadHttpMessage": "a ClientResponseError or a ClientPayloadError",
    "EofStream": "a stream's own end",
    "HttpProcessingError": "a ClientResponseError",
    "WebSocketError": "not by a GET",
    "WSHandshakeError": "not by a GET",
    "WSMessageTypeError": "not by a GET",
    "BadContentDispositionHeader": "a warning, of multipart bodies",
    "BadContentDispositionParam": "a warning, of multipart bodies",
    "LookupError": "of multipart bodies and payloads",
}


def client_modules() -> Iterator[ModuleType]:
    """All of aiohttp that is not its server."""
    for module in pkgutil.iter_modules(aiohttp.__path__, "aiohttp."):
        name = module.name.rpartition(".")[2]
        if not name.startswith(("web", "pytest_plugin", "worker", "test_utils")):
            yield importlib.import_module(module.name)


def exceptions_of_aiohttp() -> list[type[Exception]]:
    """Each class of exception that aiohttp's client side defines."""
    found = {
        value
        for module in client_modules()
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Exception)
        and value.__module__.startswith("aiohttp.")
        and not {base.__name__ for base in value.__mro__} & UNREACHABLE.keys()
    }
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", exceptions_of_aiohttp(), ids=lambda kind: kind.__name__)
def test_the_exception_table_is_total(kind: type[Exception]) -> None:
    """Every exception that aiohttp's client can raise for a GET has a row."""
    assert translate(kind.__new__(kind)) is not None


def test_the_exceptions_of_aiohttp_are_found() -> None:
    """The list that the table is checked against is not empty by accident."""
    names = {kind.__name__ for kind in exceptions_of_aiohttp()}
    assert {"ClientOSError", "ServerTimeoutError", "InvalidURL", "ClientPayloadError"} <= names
    assert len(names) >= 25


@pytest.mark.parametrize(
    ("exc", "kind", "sent"),
    [
        pytest.param(aiohttp.ConnectionTimeoutError(), FailureKind.TIMEOUT, False, id="connect"),
        pytest.param(aiohttp.SocketTimeoutError(), FailureKind.TIMEOUT, True, id="read"),
        pytest.param(TimeoutError(), FailureKind.TIMEOUT, True, id="bare"),
        pytest.param(
            aiohttp.ServerFingerprintMismatch(b"", b"", "", 0),
            FailureKind.CERTIFICATE,
            False,
            id="fingerprint",
        ),
        pytest.param(aiohttp.ClientPayloadError(), FailureKind.CUT, True, id="payload"),
        pytest.param(aiohttp.ClientConnectionError(), FailureKind.DISCONNECT, True, id="closed"),
        pytest.param(ssl.SSLError(), FailureKind.DISCONNECT, True, id="TLS in mid-stream"),
        pytest.param(aiohttp.InvalidURL("/"), FailureKind.SETUP, False, id="URL"),
        pytest.param(ValueError(), FailureKind.SETUP, False, id="value"),
        pytest.param(RuntimeError(), FailureKind.SETUP, False, id="run time"),
    ],
)
def test_each_exception_has_its_kind(exc: Exception, kind: FailureKind, sent: bool) -> None:
    """An exception is the failure it stands for, and tells whether the server may have counted."""
    failure = translate(exc)
    assert failure is not None
    assert (failure.kind, failure.sent) == (kind, sent)


def test_a_defect_is_not_translated() -> None:
    """An exception that no exchange should raise has no row."""
    assert translate(ZeroDivisionError()) is None


@pytest.mark.parametrize(
    "exc", [ZeroDivisionError(), TimeoutError(), ValueError(), BrokenPipeError(32, "x")], ids=repr
)
@pytest.mark.parametrize(
    "signal", ["on_request_start", "on_connection_create_start", "on_request_end"]
)
async def test_a_defect_passes_through(signal: str, exc: Exception) -> None:
    """C15: an exception of the caller's own callback reaches the caller as it is."""

    async def broken(*_: object) -> None:
        raise exc

    trace = aiohttp.TraceConfig()
    getattr(trace, signal).append(broken)
    async with (
        WireServer(good) as server,
        open_transport(server.url, trace_configs=[trace]) as transport,
    ):
        with pytest.raises(type(exc)) as caught:
            await transport.send(GET)
    assert caught.value is exc
    assert exc.__context__ is None


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        pytest.param(
            aiohttp.ClientOSError(104, "Connection reset by peer"),
            "ClientOSError: Connection reset by peer",
            id="OSError",
        ),
        pytest.param(aiohttp.ServerDisconnectedError(), "ServerDisconnectedError", id="plain"),
        pytest.param(
            aiohttp.ClientConnectorError(
                SimpleNamespace(host="api.example", port=443),  # type: ignore[arg-type]
                OSError(111, "Connection refused"),
            ),
            "api.example:443: Connection refused",
            id="server",
        ),
    ],
)
def test_a_reason_is_in_words(exc: Exception, reason: str) -> None:
    """A failure names the server, or the exception, and the system's word on it, and no header."""
    failure = translate(exc)
    assert failure is not None
    assert failure.reason == reason


# -- the wire ------------------------------------------------------------------------------


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
    """A lost connection is reported, and the request not silently sent again."""
    server = WireServer(answer, greetings=(greeting,))
    async with server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.DISCONNECT, True)
    assert (server.connections, len(server.requests)) == (1, requests)


async def test_a_stale_connection_is_not_resent_either() -> None:
    """N11: a pooled connection that closes on its second request is one failed exchange."""
    async with WireServer(good, (End.CLOSE,)) as server, open_transport(server.url) as transport:
        await response_of(transport)
        failure = await failure_of(transport)
    assert failure.kind is FailureKind.DISCONNECT
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_connections_are_kept() -> None:
    """One exchange after the other uses the same connection."""
    async with WireServer(good) as server, open_transport(server.url) as transport:
        for _ in range(3):
            await response_of(transport)
    assert (server.connections, len(server.requests)) == (1, 3)


async def test_connections_are_bounded() -> None:
    """No more connections than `max_connections` are open at a time."""
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
    """JSON is the one type accepted, with the token and the user agent, and no cookie ever."""
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
    """C20: a base URL's path comes before the endpoint's, encoded as it was."""
    async with WireServer(good) as server, open_transport(server.url + path) as transport:
        await response_of(transport)
    assert server.requests[0].target == f"{path}/extractions/sessions/{SESSION_ID}"


# -- reaching the server -------------------------------------------------------------------


async def test_a_refused_port() -> None:
    """N1: a port where nobody listens is a failure to connect; nothing was sent."""
    with refused() as url:
        async with open_transport(url) as transport:
            failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)
    assert "Connect call failed" in failure.reason or "refused" in failure.reason


async def test_a_name_that_does_not_resolve() -> None:
    """N2: a failed DNS look-up is a failure to connect; nothing was sent."""
    resolver = Resolver(OSError(-2, "Name or service not known"))
    async with (
        session_by(resolver) as session,
        open_transport("https://api.example", http_session=session) as transport,
    ):
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)
    assert "Name or service not known" in failure.reason
    assert resolver.asked == 1


@pytest.mark.looptime
async def test_a_dns_that_hangs() -> None:
    """N3: a DNS look-up without an end is ended by the attempt's time-out."""
    async with (
        session_by(Resolver(End.HANG)) as session,
        open_transport("https://api.example", http_session=session) as transport,
    ):
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
    assert asyncio.get_running_loop().time() == pytest.approx(5)


@pytest.mark.looptime
async def test_a_black_hole() -> None:
    """N4: an address that never answers a SYN is given up after the connect time-out."""
    with black_hole() as url:
        async with open_transport(url, attempt_timeout=60.0) as transport:
            failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, False)
    assert asyncio.get_running_loop().time() == pytest.approx(CONNECT_TIMEOUT, abs=1)


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
    """However the bytes trickle, an exchange ends after `attempt_timeout`."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, True)
    assert asyncio.get_running_loop().time() == pytest.approx(5)
    assert len(server.requests) == 1


# -- TLS -----------------------------------------------------------------------------------


@asynccontextmanager
async def trusting_session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session to borrow that trusts `CA`."""
    connector = aiohttp.TCPConnector(ssl=TRUSTING)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        pytest.param(server_tls(OTHER_CA), "certificate verify failed", id="N5 self-signed"),
        pytest.param(server_tls(CA, "other.example"), "mismatch", id="N5 wrong host"),
        pytest.param(server_tls(CA, day=-3), "expired", id="N5 expired"),
    ],
)
async def test_a_bad_certificate(tls: ssl.SSLContext, says: str) -> None:
    """A certificate that is not accepted is a failure of its own kind; nothing was sent."""
    async with (
        WireServer(good, tls=tls) as server,
        trusting_session() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.CERTIFICATE, False)
    assert says in failure.reason
    assert server.requests == []


async def test_an_unknown_ca_by_our_own_session() -> None:
    """N5: the transport's own connections verify certificates."""
    async with (
        WireServer(good, tls=GOOD_TLS) as server,
        open_transport(server.url) as transport,
    ):
        assert (await failure_of(transport)).kind is FailureKind.CERTIFICATE


async def test_a_good_certificate() -> None:
    """A certificate that the session trusts is fine."""
    async with (
        WireServer(good, tls=GOOD_TLS) as server,
        trusting_session() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        assert (await response_of(transport)).status == 200


@pytest.mark.looptime
async def test_a_tls_handshake_that_hangs() -> None:
    """N6: a server that never answers the TLS handshake is given up in time."""
    server = WireServer(good, greetings=((End.HANG,),))
    async with (
        server,
        open_transport(server.url.replace("http:", "https:"), attempt_timeout=60.0) as transport,
    ):
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
    assert asyncio.get_running_loop().time() <= 60


async def test_a_tls_handshake_that_is_closed() -> None:
    """N7: a connection closed in the TLS handshake is a failure to connect, which may pass."""
    async with (
        WireServer(good, greetings=((End.CLOSE,),)) as server,
        open_transport(server.url.replace("http:", "https:")) as transport,
    ):
        assert (await failure_of(transport)).kind in {FailureKind.CONNECT, FailureKind.DISCONNECT}


# -- bodies --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param((GOOD[:-9], End.CLOSE), FailureKind.CUT, id="B1 length"),
        pytest.param(
            (reply(b"5\r\nabc", framed=False, headers=CHUNKED), End.CLOSE),
            FailureKind.CUT,
            id="B2 chunked",
        ),
        pytest.param((reply(b"x" * 9, headers=GZIP),), FailureKind.CUT, id="B4 not gzip"),
        pytest.param((reply(bytes(64 * 1024 + 1)),), FailureKind.TOO_LARGE, id="B8 one too many"),
    ],
)
async def test_a_body_that_fails(answer: Answer, kind: FailureKind) -> None:
    """A body that is cut or too long is a failure; the request was sent."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (kind, True)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "x-gzip", "gzip, br", "7b"])
async def test_an_encoding_that_was_not_asked_for(encoding: str) -> None:
    """B4: a body in another encoding is named, whichever packages are installed."""
    answer = reply(b"\x0b\x02\x80{}\x03", headers={"Content-Encoding": encoding})
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.ENCODING, True)
    assert "not gzip or deflate" in failure.reason


@pytest.mark.parametrize("encoding", ["identity", "GZIP", "", "deflate"])
async def test_an_encoding_that_can_be_read(encoding: str) -> None:
    """B4: what was asked for is read, in either case, and so is a body that is not encoded."""
    encoders: dict[str, Callable[[bytes], bytes]] = {"GZIP": gzipped, "deflate": zlib.compress}
    encode = encoders.get(encoding, bytes)
    answer = reply(encode(session_json(SESSION_ID)), headers={"Content-Encoding": encoding})
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        assert (await response_of(transport)).body == session_json(SESSION_ID)
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


async def test_a_body_as_long_as_the_cap() -> None:
    """A body of exactly `max_response_bytes` is read."""
    async with (
        WireServer(reply(bytes(64 * 1024))) as server,
        open_transport(server.url) as transport,
    ):
        assert len((await response_of(transport)).body) == 64 * 1024


async def test_a_chunked_body_one_byte_over_the_cap() -> None:
    """B7: where no length is promised, the bytes are counted, to the byte."""
    answer = reply(chunk(bytes(64 * 1024 + 1)) + chunk(b""), framed=False, headers=CHUNKED)
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        assert (await failure_of(transport)).kind is FailureKind.TOO_LARGE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((reply(bomb(64), headers=GZIP), End.HANG), id="B6 gzip bomb"),
        pytest.param(
            (reply(framed=False, headers=CHUNKED), Endless(chunk(bytes(4096)))), id="B7 endless"
        ),
        pytest.param((reply(headers={"Content-Length": str(10 * 2**30)}), End.HANG), id="B8 10 GB"),
    ],
)
async def test_a_body_over_the_cap_ends_its_connection(answer: Answer) -> None:
    """What is too large is not read to its end: the connection is dropped, the next is good."""
    async with WireServer(answer, good) as server, open_transport(server.url) as transport:
        assert (await failure_of(transport)).kind is FailureKind.TOO_LARGE
        assert (await response_of(transport)).body == session_json(SESSION_ID)
        await until(lambda: server.open_connections == 1)
    assert server.connections == 2


async def test_the_memory_for_a_gzip_bomb_is_bounded() -> None:
    """B6: 512 kB that inflate to 512 MiB cost no more than some megabytes, and no long halt."""
    answer = reply(bomb(512), headers=GZIP)
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        tracemalloc.start()
        try:
            await transport.send(GET)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * MIB


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(
            status,
            (
                reply(framed=False, status=f"{status} Odd", headers=CHUNKED),
                Endless(chunk(b"x" * 4096)),
            ),
            id=f"B9 endless {status}",
        )
        for status in (302, 404, 429, 500)
    ],
)
async def test_the_body_of_an_error_is_capped(status: int, answer: Answer) -> None:
    """An error with a huge body keeps its status and the beginning of its body."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        response = await response_of(transport)
        await until(lambda: server.open_connections == 0)
    assert response.status == status
    assert response.body == b"x" * ERROR_BODY_LIMIT


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.CLOSE,), id="B1 cut"),
        pytest.param((End.RESET,), id="N9 reset"),
    ],
)
async def test_an_error_without_its_body_keeps_its_status(answer: tuple[Step, ...]) -> None:
    """An error whose body is lost counts by its status."""
    head = reply(b"{", status="404 Not Found", headers={"Content-Length": "99"})
    async with WireServer((head, *answer)) as server, open_transport(server.url) as transport:
        response = await response_of(transport)
    assert (response.status, response.body) == (404, b"")


@pytest.mark.looptime
async def test_the_body_of_an_error_is_not_waited_for() -> None:
    """An error's body has seconds of its own, after which the status counts alone."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with (
        WireServer((head, End.HANG)) as server,
        open_transport(server.url, attempt_timeout=60.0) as transport,
    ):
        assert (await response_of(transport)).status == 404
    assert asyncio.get_running_loop().time() == pytest.approx(ERROR_BODY_TIMEOUT)


@pytest.mark.looptime
async def test_an_errors_status_survives_the_end_of_the_attempt() -> None:
    """A status that is known counts, also when the attempt's time ends within the body."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with (
        WireServer((Pause(3.0), head, End.HANG)) as server,
        open_transport(server.url, attempt_timeout=5.0) as transport,
    ):
        assert (await response_of(transport)).status == 404


# -- distrust ------------------------------------------------------------------------------


async def test_ten_stale_connections_are_dropped_together() -> None:
    """N12: after one stale connection the other nine are not tried; the next is a fresh one."""
    gate = asyncio.Event()
    first = [(gate, GOOD)] * 10
    async with (
        WireServer(*first, (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        sends = [asyncio.create_task(transport.send(GET)) for _ in range(10)]
        await until(lambda: len(server.requests) == 10)
        gate.set()
        await asyncio.gather(*sends)
        assert (await failure_of(transport)).kind is FailureKind.DISCONNECT
        await response_of(transport)
        await until(lambda: server.open_connections == 1)
    assert server.requests[-1].connection == 11


async def pooled_and_silent(
    server: WireServer, transport: AiohttpTransport, gate: asyncio.Event
) -> None:
    """Make three connections that have answered once and will not answer again."""
    sends = [asyncio.create_task(transport.send(GET)) for _ in range(3)]
    await until(lambda: len(server.requests) == 3)
    gate.set()
    await asyncio.gather(*sends)


def silent_when_pooled(gate: asyncio.Event) -> Callable[[Received], Answer]:
    """Connections 1 to 3 answer once; new ones answer always."""
    used: set[int] = set()

    def answer(received: Received) -> Answer:
        if received.connection in used and received.connection <= 3:
            return (End.HANG,)
        used.add(received.connection)
        return (gate, GOOD)

    return answer


@pytest.mark.looptime
async def test_silent_connections_are_dropped_together() -> None:
    """N12: when a pooled connection does not answer in time, the next one used is fresh."""
    gate = asyncio.Event()
    async with (
        WireServer(silent_when_pooled(gate)) as server,
        open_transport(server.url) as transport,
    ):
        await pooled_and_silent(server, transport, gate)
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
        await response_of(transport)
    assert server.requests[-1].connection == 4


@pytest.mark.looptime
@pytest.mark.parametrize(("waits", "is_fresh"), [(2.0, True), (0.5, False)])
async def test_a_caller_who_gives_up_on_silence(waits: float, is_fresh: bool) -> None:
    """N12: when the caller gives up after a long silence, the next call is by a fresh one."""
    gate = asyncio.Event()
    async with (
        WireServer(silent_when_pooled(gate)) as server,
        open_transport(server.url) as transport,
    ):
        await pooled_and_silent(server, transport, gate)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(waits):
                await transport.send(GET)
        await transport.send(GET)
    assert (server.requests[-1].connection == 4) is is_fresh


@pytest.mark.looptime
async def test_a_time_out_ends_no_other_exchange() -> None:
    """An exchange in flight on a suspect pool is left to finish."""
    gate = asyncio.Event()
    async with (
        WireServer((End.HANG,), (gate, GOOD), GOOD) as server,
        open_transport(server.url) as transport,
    ):
        silent = asyncio.create_task(transport.send(GET))
        await asyncio.sleep(4)
        slow = asyncio.create_task(transport.send(GET))
        assert isinstance(await silent, Failure)
        await response_of(transport)
        gate.set()
        assert isinstance(await slow, Response)


@pytest.mark.looptime
async def test_a_connection_that_cannot_be_made_leaves_the_pool() -> None:
    """N3: a connect that takes too long says nothing of the connections that there are."""
    with black_hole() as url:
        async with open_transport(url, attempt_timeout=60.0) as transport:
            failure, pool = await failure_of(transport), transport._pool
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, False)
    assert pool is not None


async def test_a_retired_pool_closes_after_its_last_exchange() -> None:
    """Connections that are not trusted any more still finish what is under way, then close."""
    gate = asyncio.Event()
    half = (GOOD[:-9], gate, GOOD[-9:])
    async with (
        WireServer(half, (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        assert server.open_connections == 2
        gate.set()
        outcome = await slow
        await until(lambda: server.open_connections == 1)
    assert isinstance(outcome, Response)
    assert server.requests[-1].connection == 3


async def test_a_retired_pool_has_no_idle_connections() -> None:
    """E2: one slow exchange keeps its own connection open, and none that will not be used again."""
    first, second, end = asyncio.Event(), asyncio.Event(), asyncio.Event()
    answers = (end, GOOD), (first, GOOD), (first, GOOD), (second, GOOD), (End.CLOSE,)
    async with WireServer(*answers) as server, open_transport(server.url) as transport:
        sends: list[asyncio.Task[Response | Failure]] = []
        while len(sends) < 4:  # each gets the answer that is its turn's
            sends.append(asyncio.create_task(transport.send(GET)))
            await until(lambda: len(server.requests) == len(sends))
        first.set()
        await asyncio.wait(sends[1:3])
        await failure_of(transport)
        await until(lambda: server.open_connections == 2)
        second.set()
        await sends[3]
        await until(lambda: server.open_connections == 1)
        end.set()
        assert isinstance(await sends[0], Response)


async def test_two_failures_retire_one_pool_once() -> None:
    """A failure on a pool that is already retired leaves the new pool in use."""
    gate = asyncio.Event()
    async with (
        WireServer((gate, End.CLOSE), (End.CLOSE,), good) as server,
        open_transport(server.url) as transport,
    ):
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        gate.set()
        await slow
        await response_of(transport)
    assert [each.connection for each in server.requests] == [1, 2, 3, 3]


async def test_closing_closes_retired_pools_too() -> None:
    """`close` leaves no connection open, those of retired pools included."""
    gate = asyncio.Event()
    async with WireServer((gate, GOOD), (End.CLOSE,), good) as server:
        transport = transport_for(server.url)
        slow = asyncio.create_task(transport.send(GET))
        await until(lambda: len(server.requests) == 1)
        await failure_of(transport)
        await response_of(transport)
        await transport.close()
        gate.set()
        await slow
        await until(lambda: server.open_connections == 0)


async def test_a_distrusted_reply_drops_its_connection() -> None:
    """H19: after `distrust` no idle connection is used again."""
    async with WireServer(good) as server, open_transport(server.url) as transport:
        await (await response_of(transport)).distrust()
        await response_of(transport)
    assert [each.connection for each in server.requests] == [1, 2]


async def test_a_distrusted_reply_drops_its_borrowed_connection() -> None:
    """H19: of a borrowed session, the connection of a distrusted reply is used up and closed."""
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        await (await response_of(transport)).distrust()
        await response_of(transport)
        await response_of(transport)
    assert [each.headers.get("connection") for each in server.requests] == [None, "close", "close"]


class Nowhere:
    """A sink that keeps nothing."""

    async def begin(self, length: int | None, media_type: str, *, is_delimited: bool) -> None:
        """Begin."""

    async def write(self, piece: bytes) -> None:
        """Drop the piece."""


async def test_a_storage_does_not_stand_in_for_a_distrusted_connection() -> None:
    """Connections to the API are closed by requests to the API, also by those for a file."""
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession() as session,
        open_transport(server.url, http_session=session, max_connections=2) as transport,
    ):
        await (await response_of(transport)).distrust()
        export = evolve(GET, sink=Nowhere())
        for request in (evolve(export, url=Secret(f"{server.url}/file")), export, GET, GET):
            assert isinstance(await transport.send(request), Response)
    closing = [each.headers.get("connection") for each in server.requests]
    assert closing == [None, None, "close", "close", None]


# -- a borrowed session --------------------------------------------------------------------


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
    """C19: what a borrowed session was set up with does not change what is sent or read."""
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
    """C19: closing the transport leaves a borrowed session open, and its connections."""
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
    """C19: a proxy's refusal is named by its status, which is tried again if it may be over."""
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


# -- plain http, by what is connected to ---------------------------------------------------


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name lead to these addresses."""

    async def resolve(
        _: object, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["10.9.8.7"], id="S8 another machine"),
        pytest.param(["127.0.0.1", "10.9.8.7"], id="S8 here and another machine"),
        pytest.param(["10.9.8.7", "127.0.0.1"], id="S8 another machine and here"),
        pytest.param(["0.0.0.0"], id="S8 any address"),
        pytest.param(["::"], id="S8 any IPv6 address"),
        pytest.param(["fe80::1%lo"], id="S8 link-local"),
        pytest.param(["::ffff:10.9.8.7"], id="S8 IPv4 in IPv6"),
        pytest.param(["somewhere"], id="S8 no address"),
    ],
)
@pytest.mark.parametrize("host", ["localhost", "foo.localhost"])
async def test_a_name_that_leads_elsewhere(
    host: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S8: plain http to a name of this machine that leads to another one sends nothing."""
    resolve_to(monkeypatch, *addresses)
    async with WireServer(good) as server:
        url = server.url.replace("127.0.0.1", host)
        async with open_transport(url) as transport:
            failure = await failure_of(transport)
        assert server.connections == 0
    assert (failure.kind, failure.sent) == (FailureKind.SETUP, False)
    assert re.search(
        f"{host} leads to .*, which is not a loopback address; .*allow_http=True", failure.reason
    )


@pytest.mark.parametrize(
    "address", ["127.0.0.1", pytest.param("::ffff:127.0.0.1", id="IPv4 in IPv6")]
)
async def test_a_name_that_leads_here(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S8: plain http to a name of this machine that leads to it is fine."""
    resolve_to(monkeypatch, address)
    async with WireServer(good) as server:
        url = server.url.replace("127.0.0.1", "foo.localhost")
        async with open_transport(url) as transport:
            assert (await response_of(transport)).status == 200


@pytest.mark.parametrize(
    ("scheme", "options"),
    [("http", {"allow_http": True}), ("https", {})],
    ids=["S8 asked for", "S8 https"],
)
async def test_a_name_that_may_lead_elsewhere(
    scheme: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S8: where plain http is asked for, and for https, a name leads where it leads."""
    resolve_to(monkeypatch, "127.0.0.1")
    monkeypatch.setattr("raydocs_async._aiohttp._pool.is_loopback", lambda _: False)
    async with (
        WireServer(good, greetings=((End.CLOSE,),)) as server,
        open_transport(f"{scheme}://foo.localhost:{server.port}", **options) as transport,
    ):
        assert (await failure_of(transport)).kind is not FailureKind.SETUP
    assert server.connections == 1


@asynccontextmanager
async def session_with_proxy(proxy: str, how: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A session to borrow that goes through the proxy."""
    options: dict[str, Any] = {"trust_env": True} if how == "environment" else {"proxy": proxy}
    async with aiohttp.ClientSession(**options) as session:
        yield session


@pytest.fixture(params=["S5 environment", "S5 argument"])
def proxied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a session to borrow that goes through a proxy."""

    def make(proxy: str) -> Any:
        how = request.param.removeprefix("S5 ")
        if how == "environment":
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, proxy)
        return session_with_proxy(proxy, how)

    return make


async def test_a_proxy_is_not_sent_the_token_in_clear(proxied: Any) -> None:
    """S5: plain http by a borrowed session that goes through a proxy sends nothing."""
    async with (
        WireServer(good) as proxy,
        WireServer(good) as server,
        proxied(proxy.url) as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.SETUP, False)
    assert "goes through a proxy" in failure.reason
    assert (proxy.connections, server.connections) == (0, 0)


async def test_a_proxy_is_used_if_plain_http_is_asked_for(proxied: Any) -> None:
    """S5: with `allow_http` a borrowed session's proxy is its owner's affair."""
    async with (
        WireServer(good) as proxy,
        proxied(proxy.url) as session,
        open_transport("http://api.example", http_session=session, allow_http=True) as transport,
    ):
        await response_of(transport)
    assert proxy.requests[0].target.startswith("http://api.example")


async def test_a_proxy_is_used_for_https(proxied: Any) -> None:
    """S5: https through a proxy is encrypted from end to end: it is asked for a tunnel alone."""
    async with (
        WireServer(reply(status="403 X")) as proxy,
        proxied(proxy.url) as session,
        open_transport("https://api.example", http_session=session) as transport,
    ):
        await failure_of(transport)
    assert proxy.requests[0].head.startswith(b"CONNECT api.example:443")
    assert TOKEN.encode() not in proxy.requests[0].head


async def test_a_proxy_that_the_environment_excepts(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: plain http to a host that the environment takes out of its proxy's is fine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with WireServer(good) as proxy, WireServer(good) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            open_transport(server.url, http_session=session) as transport,
        ):
            await response_of(transport)
    assert proxy.connections == 0


# -- life ----------------------------------------------------------------------------------


async def test_repr_tells_where_to() -> None:
    """A transport shows its server, and nothing else."""
    assert repr(transport_for("https://api.example")) == "<AiohttpTransport to https://api.example>"


async def test_closing_what_never_opened() -> None:
    """`close` before the first exchange, and after itself, is fine."""
    transport = transport_for("http://127.0.0.1")
    await transport.close()
    await transport.close()
