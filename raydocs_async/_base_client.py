"""The client's foundation: its construction, its life cycle, and calls of any endpoint.

It chooses the clock, the randomness and the defaults. The methods for each resource are in the
modules above it.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from enum import Enum
from types import TracebackType
from typing import Final, NoReturn, Self, TypeVar

from raydocs_async import _settings
from raydocs_async._affinity import running_loop
from raydocs_async._aiohttp import AiohttpTransport, ClientSession, ConnectionOptions, TraceConfig
from raydocs_async._bulk import StreamSpec
from raydocs_async._deadlines import Deadlines
from raydocs_async._endpoints import Endpoint
from raydocs_async._engine import Engine
from raydocs_async._exchange import Request, Transport
from raydocs_async._ids import Ids
from raydocs_async._limits import Limiter
from raydocs_async._limits._queue import MAX_IN_FLIGHT, RateLimiter
from raydocs_async._limits._values import Lane, RateLimit, RateLimitStatus
from raydocs_async._model import HasId
from raydocs_async._outcome import CallResult
from raydocs_async._pages import Listed, PageCursor
from raydocs_async._patience import RetryingFetcher, Terms
from raydocs_async._redact import Redactor
from raydocs_async._retry import Patience, RetryPolicy, RetryQuota
from raydocs_async._secret import Secret
from raydocs_async._stream import Stream, open_stream
from raydocs_async._version import __version__
from raydocs_async.events import Hook

M = TypeVar("M")
Item = TypeVar("Item", bound=HasId)

BASE_URL: Final = "https://api.raydocs.com"
MAX_RESPONSE_BYTES: Final = 16 * 1024 * 1024


class Default(Enum):
    """Stands for the client's own setting in the arguments of a call."""

    CLIENT = "the client's"

    def __repr__(self) -> str:
        return f"<{self.value}>"


class BaseClient:
    """Life cycle of a client, and calls of any endpoint."""

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = 120.0,
        attempt_timeout: float = 60.0,
        retry: RetryPolicy = RetryPolicy(),
        rate_limit: RateLimit | RateLimiter | None = RateLimit(),
        http_session: ClientSession | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_connections: int = MAX_IN_FLIGHT,
        allow_http: bool = False,
        trace_configs: Sequence[TraceConfig] = (),
        transport: Transport | None = None,
        on_event: Hook | None = None,
    ) -> None:
        token = _hidden(token)
        self._connection = ConnectionOptions(
            base_url=base_url or os.environ.get("RAYDOCS_BASE_URL") or BASE_URL,
            http_session=http_session,
            allow_http=allow_http,
            max_response_bytes=max_response_bytes,
            max_connections=max_connections,
            attempt_timeout=attempt_timeout,
            trace_configs=trace_configs,
        )
        self._timeout = _settings.optional_seconds("timeout", timeout)
        self._limiter = _limiter(rate_limit, max_connections)
        self._bulk_terms = Terms(retry, RetryQuota(), random.random, self._limiter.max_wait)
        self._engine = _engine(
            self._connection, token, self._limiter, retry, transport=transport, on_event=on_event
        )

    def __repr__(self) -> str:
        engine = getattr(self, "_engine", None)  # missing if an argument was rejected
        if engine is None:
            return f"<{type(self).__name__}, not built>"
        state = "closed" if engine.closed else "open"
        return f"<{type(self).__name__} for {self._connection.url}, {state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be pickled or copied; build one in each process"
        )

    async def __aenter__(self) -> Self:
        self._engine.check_usable()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End calls in flight with `ClientClosedError`, and close all connections.

        Closing twice, also at the same time, has no effect. A borrowed ``http_session`` stays open.
        If the client's event loop is closed already, any other event loop may close the client.

        Raises:
            ConfigurationError: the client was opened in another process, or in another event loop
                that is still open; no asyncio event loop is running; or `close` runs within one of
                the client's own calls (in a trace callback).
        """
        await self._engine.close()
        await self._limiter.close()

    @property
    def rate_limit_status(self) -> RateLimitStatus:
        """A snapshot of the rate limit; read it inside the event loop.

        Raises:
            ConfigurationError: No asyncio event loop is running here.
        """
        return self._limiter.status(running_loop().time())

    def _fetch(
        self,
        endpoint: Endpoint[M],
        value: object,
        timeout: float | Default | None = Default.CLIENT,
    ) -> Awaitable[M]:
        """Fetch the resource with the id `value`, as a single call."""
        return self._call(endpoint, endpoint.request(value, self._engine.redactor), timeout)

    def _pages(
        self, endpoint: Endpoint[Listed[Item]], value: object, timeout: float | Default | None
    ) -> AsyncIterator[Item]:
        """Iterate over a list of the resource with the id `value`, page by page."""
        # Outside of the generator, so that an invalid id is refused where it is given.
        cursor = PageCursor[Item](endpoint.request(value, self._engine.redactor))

        async def iterate() -> AsyncIterator[Item]:
            while cursor.request is not None:
                for item in cursor.take(await self._call(endpoint, cursor.request, timeout)):
                    yield item

        return iterate()

    async def _call(
        self, endpoint: Endpoint[M], request: Request, timeout: float | Default | None
    ) -> M:
        if isinstance(timeout, Default):
            seconds = self._timeout
        else:
            seconds = _settings.optional_seconds("timeout", timeout)
        return await self._engine.call(endpoint, request, timeout=seconds, lane=Lane.SINGLE)

    def _stream(
        self, endpoint: Endpoint[M], ids: Ids, *, concurrency: int, ordered: bool
    ) -> Stream[M]:
        """Open a stream of bulk calls; attempts and ``max_wait`` bound them, not a deadline."""

        def fetch(request: Request, patience: Patience) -> Awaitable[CallResult[M]]:
            return self._engine.complete(
                endpoint, request, timeout=None, lane=Lane.BULK, patience=patience
            )

        spec = StreamSpec(
            endpoint,
            lambda value: endpoint.request(value, self._engine.redactor),
            lambda on_change: RetryingFetcher(fetch, self._bulk_terms, on_change),
            lambda: self.rate_limit_status,
        )
        return open_stream(ids, spec, concurrency=concurrency, ordered=ordered)


def _limiter(configured: RateLimit | RateLimiter | None, max_in_flight: int) -> RateLimiter:
    if isinstance(configured, RateLimiter):
        return configured
    _settings.instance("rate_limit", configured, RateLimit | RateLimiter | None)
    return RateLimiter(configured, max_in_flight=max_in_flight)


def _engine(
    connection: ConnectionOptions,
    token: Secret,
    limiter: Limiter,
    policy: RetryPolicy,
    *,
    transport: Transport | None,
    on_event: Hook | None,
) -> Engine:
    _settings.instance("retry", policy, RetryPolicy)
    _settings.hook("on_event", on_event)
    deadlines = Deadlines()
    if transport is None:
        user_agent = f"raydocs-async/{__version__}"
        transport = AiohttpTransport(connection, _settings.token(token), deadlines, user_agent)
    return Engine(
        transport=transport,
        limiter=limiter,
        deadlines=deadlines,
        policy=policy,
        redactor=Redactor(token),
        rand=random.random,
        sleep=asyncio.sleep,
        on_event=on_event,
    )


def _hidden(token: object) -> Secret:
    """Return the configured token as a `Secret`; empty if it is missing or not a string.

    The client calls this first, so that no traceback of a later error shows the token in a local
    variable.
    """
    found = os.environ.get("RAYDOCS_API_TOKEN") if token is None else token
    return Secret(found if isinstance(found, str) else "")
