"""The destinations of the token: the API alone, whatever proxies, netrc and names there are."""

import socket
from pathlib import Path
from unittest.mock import AsyncMock

import aiohttp
import pytest
from aiohttp.abc import ResolveResult

from raydocs_async import ConfigurationError
from tests.support.clients import SESSION_ID, THRICE, TOKEN, client_for
from tests.support.replies import good
from tests.support.reports import everything_told
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_proxies_and_netrc_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: neither a proxy nor a netrc entry in the environment changes what is sent, or where."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with WireServer(good) as proxy, WireServer(good) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with client_for(server.url) as client:
            await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert proxy.connections == 0


async def test_plain_http_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """S8: a local name that resolves to another machine is a configuration error: no retry."""
    found = ResolveResult(
        hostname="", host="10.9.8.7", port=80, family=socket.AF_INET, proto=0, flags=0
    )
    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", AsyncMock(return_value=[found]))
    async with client_for("http://foo.localhost", retry=THRICE) as client:
        with pytest.raises(ConfigurationError, match=r"10\.9\.8\.7, .* allow_http=True") as caught:
            await client.get_session(SESSION_ID)
    assert len(caught.value.attempts) == 1
    assert TOKEN not in everything_told(caught.value)


async def test_plain_http_by_a_borrowed_session() -> None:
    """S8: plain http to a name by a borrowed session is refused when the client is built."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match=r"http to foo\.localhost"):
            client_for("http://foo.localhost", http_session=session)


async def test_plain_http_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: plain http by a borrowed session that uses a proxy is a configuration error: no retry."""
    async with WireServer(good) as proxy, aiohttp.ClientSession(trust_env=True) as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client_for("http://127.0.0.1:1", http_session=session, retry=THRICE) as client:
            with pytest.raises(ConfigurationError, match="goes through a proxy") as caught:
                await client.get_session(SESSION_ID)
    assert len(caught.value.attempts) == 1
    assert proxy.connections == 0
    assert TOKEN not in everything_told(caught.value)


async def test_a_borrowed_session_with_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: a borrowed session that reads netrc still sends our token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession(trust_env=True) as session,
        client_for(server.url, http_session=session) as client,
    ):
        await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
