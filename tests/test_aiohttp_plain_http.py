"""Plain http: sent to this machine alone, judged by the address that is connected to."""

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import ResolveResult

from raydocs_async._exchange import FailureKind
from tests.support.clients import TOKEN
from tests.support.replies import good, reply
from tests.support.transports import failure_of, open_transport, response_of
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Resolve every name to these addresses."""

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
    """S8: plain http to a local name that resolves to another machine sends nothing."""
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
    """S8: plain http to a local name that resolves to this machine is sent."""
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
    """S8: with `allow_http`, and for https, a name may resolve to any machine."""
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
    """Open a session to lend that uses the proxy."""
    options: dict[str, Any] = {"trust_env": True} if how == "environment" else {"proxy": proxy}
    async with aiohttp.ClientSession(**options) as session:
        yield session


@pytest.fixture(params=["S5 environment", "S5 argument"])
def proxied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that opens a session to lend, which uses a proxy."""

    def make(proxy: str) -> Any:
        how = request.param.removeprefix("S5 ")
        if how == "environment":
            for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
                monkeypatch.setenv(name, proxy)
        return session_with_proxy(proxy, how)

    return make


async def test_a_proxy_is_not_sent_the_token_in_clear(proxied: Any) -> None:
    """S5: plain http by a borrowed session that uses a proxy sends nothing."""
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
    """S5: with `allow_http`, a borrowed session's proxy is used."""
    async with (
        WireServer(good) as proxy,
        proxied(proxy.url) as session,
        open_transport("http://api.example", http_session=session, allow_http=True) as transport,
    ):
        await response_of(transport)
    assert proxy.requests[0].target.startswith("http://api.example")


async def test_a_proxy_is_used_for_https(proxied: Any) -> None:
    """S5: https by a proxy is encrypted from end to end: the proxy sees CONNECT alone."""
    async with (
        WireServer(reply(status="403 X")) as proxy,
        proxied(proxy.url) as session,
        open_transport("https://api.example", http_session=session) as transport,
    ):
        await failure_of(transport)
    assert proxy.requests[0].head.startswith(b"CONNECT api.example:443")
    assert TOKEN.encode() not in proxy.requests[0].head


async def test_a_proxy_that_the_environment_excepts(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: plain http to a host in NO_PROXY is sent without the proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with WireServer(good) as proxy, WireServer(good) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            open_transport(server.url, http_session=session) as transport,
        ):
            await response_of(transport)
    assert proxy.connections == 0
