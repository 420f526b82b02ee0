"""The ways to a server: ports, names, and TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from raydocs_async._aiohttp import CONNECT_TIMEOUT
from raydocs_async._exchange import FailureKind
from tests.support.network import Resolver, black_hole, refused, session_by
from tests.support.replies import good
from tests.support.tls import CA, GOOD_TLS, OTHER_CA, TRUSTING, server_tls
from tests.support.transports import failure_of, open_transport, response_of
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_a_refused_port() -> None:
    """N1: a refused port is a failure to connect; nothing was sent."""
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
    """N3: the attempt's time-out ends a DNS look-up that hangs."""
    async with (
        session_by(Resolver(End.HANG)) as session,
        open_transport("https://api.example", http_session=session) as transport,
    ):
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
    assert asyncio.get_running_loop().time() == pytest.approx(5)


@pytest.mark.looptime
async def test_a_black_hole() -> None:
    """N4: the connect time-out ends a connect to an address that never answers."""
    with black_hole() as url:
        async with open_transport(url, attempt_timeout=60.0) as transport:
            failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT, False)
    assert asyncio.get_running_loop().time() == pytest.approx(CONNECT_TIMEOUT, abs=1)


@asynccontextmanager
async def trusting_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session to lend that trusts `CA`."""
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
    """A refused certificate is a failure of its own kind; nothing was sent."""
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
    """A certificate that the session trusts is accepted."""
    async with (
        WireServer(good, tls=GOOD_TLS) as server,
        trusting_session() as session,
        open_transport(server.url, http_session=session) as transport,
    ):
        assert (await response_of(transport)).status == 200


@pytest.mark.looptime
async def test_a_tls_handshake_that_hangs() -> None:
    """N6: the time-outs end a TLS handshake that hangs."""
    server = WireServer(good, greetings=((End.HANG,),))
    async with (
        server,
        open_transport(server.url.replace("http:", "https:"), attempt_timeout=60.0) as transport,
    ):
        assert (await failure_of(transport)).kind is FailureKind.TIMEOUT
    assert asyncio.get_running_loop().time() <= 60


async def test_a_tls_handshake_that_is_closed() -> None:
    """N7: a connection closed in the TLS handshake is a temporary failure."""
    async with (
        WireServer(good, greetings=((End.CLOSE,),)) as server,
        open_transport(server.url.replace("http:", "https:")) as transport,
    ):
        assert (await failure_of(transport)).kind in {FailureKind.CONNECT, FailureKind.DISCONNECT}
