"""A hazard, a server that has it, and a client of that server."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import aiohttp
from attrs import field, frozen

from raydocs_async import APIConnectionError, RaydocsClient, RaydocsError
from tests.support.clients import THRICE, client_for
from tests.support.network import Resolver
from tests.support.replies import good
from tests.support.tls import TRUSTING
from tests.support.wire import Answer, End, Script, Step, WireServer

ATTEMPT_TIMEOUT = 15.0
"""Seconds for one attempt; more than the transport's own limit for connecting."""


@frozen(kw_only=True)
class Hazard:
    """One way in which requests fail, and the error that the client raises for it."""

    # The failure.
    answer: tuple[Step, ...] = field(default=(), repr=False)  # or the `repr` would show `DATA`
    """The server's steps after a request; if empty, it answers correctly."""
    greeting: tuple[Step, ...] = field(default=(), repr=False)
    """The server's steps before the first request of a connection."""
    tls: ssl.SSLContext | None = None
    """The server's TLS; ``None`` for plain http."""
    dns: tuple[Exception | Literal[End.HANG] | None, ...] = ()
    """The results of look-ups of the server's name, in order; ``None`` is its address. If empty,
    the client has the address and looks nothing up."""
    elsewhere: Callable[[], AbstractContextManager[str]] | None = None
    """Makes a URL at which there is no server."""
    timeout: float = 120.0
    """Seconds that the call may take."""

    # The expected error.
    error: type[RaydocsError] = APIConnectionError
    """The type of the error."""
    says: str
    """An expression that the error's message matches."""
    status: int | None = None
    """The error's status."""
    retried: bool = False
    """True if the failure is temporary, so that the call makes all of its three attempts."""

    @property
    def attempts(self) -> int:
        """The number of attempts that the call makes."""
        return 3 if self.retried else 1

    @property
    def requests(self) -> int:
        """The number of requests that the server receives."""
        return self.attempts if self.answer else 0


def lent_session(hazard: Hazard, *, passes: bool) -> aiohttp.ClientSession:
    """Return a session to lend to the client, with the hazard's DNS, which trusts `CA`.

    If the hazard `passes`, look-ups succeed after those of the hazard.
    """
    answers = (*hazard.dns, *(None,) * passes) or (None,)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=Resolver(*answers), use_dns_cache=False, ssl=TRUSTING
        )
    )


@asynccontextmanager
async def world(
    hazard: Hazard, *later: Answer | Script
) -> AsyncIterator[tuple[WireServer, RaydocsClient]]:
    """Start a server with the hazard, and a client of it.

    With answers for `later` requests, the hazard hits only the first one.
    """
    answers = (*((hazard.answer,) if hazard.answer else ()), *later) or (good,)
    server = WireServer(
        *answers, greetings=(hazard.greeting, ()) if later else (hazard.greeting,), tls=hazard.tls
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        url = stack.enter_context(hazard.elsewhere()) if hazard.elsewhere else server.url
        options: dict[str, Any] = {}
        if hazard.dns:
            url, options["allow_http"] = url.replace("127.0.0.1", "api.localhost"), True
        if hazard.dns or hazard.tls:
            options["http_session"] = session = lent_session(hazard, passes=bool(later))
            await stack.enter_async_context(session)
        client = client_for(
            url,
            retry=THRICE,
            timeout=hazard.timeout,
            attempt_timeout=ATTEMPT_TIMEOUT,
            max_response_bytes=10**6,
            **options,
        )
        yield server, await stack.enter_async_context(client)
