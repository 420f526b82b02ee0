"""One exchange with the server, on aiohttp: a `Request` in, a `Response` or a `Failure` out.

No other part of the client knows aiohttp. No exception and no response object of aiohttp leaves
this package, and no status that aiohttp invents for a reply that it cannot parse.
"""

import asyncio
import math
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any

import aiohttp
from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    TraceConfig,
)
from multidict import CIMultiDict
from yarl import URL

from raydocs_async._affinity import current_task
from raydocs_async._aiohttp._failures import (
    READABLE_ENCODINGS,
    CallerError,
    EncodingError,
    ExposureError,
    TooLargeError,
    WireError,
    reason,
    translate,
)
from raydocs_async._aiohttp._options import ConnectionOptions
from raydocs_async._aiohttp._pool import Connector, LoopbackResolver, Pool
from raydocs_async._aiohttp._reply import Reply, read_error
from raydocs_async._aiohttp._traces import mark_exceptions
from raydocs_async._base_url import REMEDY
from raydocs_async._deadlines import Deadlines
from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async._secret import Secret

# The client needs aiohttp's two types for its annotations.
__all__ = ["AiohttpTransport", "ClientSession", "ConnectionOptions", "TraceConfig"]

CONNECT_TIMEOUT = 10.0
"""Seconds to reach the server, TLS handshake included."""
SUSPICIOUS_SILENCE = 1.0
"""Seconds without a reply after which a cancelled exchange makes the pooled connections suspect."""
# After these failures the other idle connections may be broken in the same way, and each of them
# would cost a retry. A firewall that forgets connections drops their packets silently, so that
# they end in a time-out.
_DISTRUSTED = frozenset({FailureKind.DISCONNECT, FailureKind.PROTOCOL, FailureKind.TIMEOUT})

_STORAGE_HEADERS = frozenset({"Host", "Accept", "Accept-Encoding", "User-Agent"})
_UNDERSTOOD = frozenset({*READABLE_ENCODINGS, "identity", ""})


async def one_exchange(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Send one request by `handler`, and keep aiohttp from sending it again; see `WireError`."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent, and aiohttp does not send it again
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise WireError(reason(exc)) from None


async def _send_plainly(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Remove a borrowed session's own headers, cookies and auth; an aiohttp middleware.

    A storage gets the signed URL alone. It refuses a second kind of credentials, too.
    """
    for name in [*request.headers]:
        if name.title() not in _STORAGE_HEADERS:
            request.headers.popall(name, None)
    return await one_exchange(request, handler)


class AiohttpTransport:
    """Makes exchanges; owns its connections, or borrows a `ClientSession`.

    It opens at the first exchange.

    Args:
        options: How and where to connect.
        token: Sent as bearer token.
        deadlines: Cancels exchanges at their deadline.
        user_agent: Sent with every request.
    """

    def __init__(
        self, options: ConnectionOptions, token: Secret, deadlines: Deadlines, user_agent: str
    ) -> None:
        self._options = options
        self._on_loopback_only = options.url.startswith("http:") and not options.allow_http
        self._authorization = Secret(f"Bearer {token!s}")
        self._headers = CIMultiDict[str](
            {
                # The framework answers errors in HTML unless JSON is the first type.
                "Accept": "application/json",
                "Accept-Encoding": ", ".join(READABLE_ENCODINGS),
                "User-Agent": user_agent,
            }
        )
        self._base = URL(options.url)
        self._borrowed = options.http_session
        self._overrides = {} if self._borrowed is None else self._overrides_for_borrowed()
        self._deadlines = deadlines
        self._pool: Pool | None = None
        self._retired: set[Pool] = set()
        self._closing = 0

    def __repr__(self) -> str:
        return f"<AiohttpTransport to {self._options.url}>"

    async def send(self, request: Request, deadline: float = math.inf) -> Response | Failure:
        """Make one exchange, by `deadline` at the latest; failures are returned, too.

        Raises:
            Exception: any exception of the request's sink, or of a trace callback.
        """
        task, pool = current_task(), self._current_pool()
        clock = task.get_loop().time
        began = clock()
        # A file may take long. For files aiohttp ends an attempt after a silence instead.
        longest = math.inf if request.sink else self._options.attempt_timeout
        scope = self._deadlines.until(min(deadline, began + longest))
        try:
            pool.users.add(task)
            with scope:
                return await self._exchange(pool, request, scope.until)
        except CallerError as exc:
            of_caller = exc.error
        except Exception as exc:
            failure = translate(exc)
            if failure is None:
                raise
            if failure.sent and failure.kind in _DISTRUSTED:
                self._retire(pool)
            return failure
        except asyncio.CancelledError:
            # By the caller or the call's deadline. The next call must not wait on the same silence.
            if clock() - began >= SUSPICIOUS_SILENCE:
                self._retire(pool)
            raise
        finally:
            self._deadlines.remove(scope)  # again, because an interrupt can hit the block's end
            pool.users.discard(task)
            if self._retired:
                await self._tidy(pool)
        raise of_caller  # here, where the other exceptions are not its context

    async def close(self) -> None:
        """Close all connections; no exchange may be in flight."""
        pools = [pool for pool in (self._pool, *self._retired) if pool is not None]
        self._pool = None
        self._retired.clear()
        for pool in pools:
            if pool.session is not self._borrowed:
                await pool.session.close()

    async def _exchange(self, pool: Pool, request: Request, until: float) -> Response:
        reply = await self._start(pool, request)
        if reply.response.status != 200:
            # A storage's error can quote the signed URL, which must not get into an error.
            body = b"" if request.url else await read_error(reply, until)
        elif request.sink is not None:
            body = await reply.save(request.sink)
        else:
            body = await self._read(reply)
        reply.response.release()
        return Response(
            reply.response.status, reply.response.headers, body, partial(self._distrust, pool)
        )

    async def _start(self, pool: Pool, request: Request) -> Reply:
        """Send the request, and return its reply when the headers are there."""
        options = self._overrides_for(request)
        try:
            return Reply(
                await pool.session.request(
                    "GET", self._url_of(request), allow_redirects=False, **options
                )
            )
        except BaseException as exc:
            if request.url is None:
                raise
            # Local variables of aiohttp's frames show the signed URL.
            raise exc.with_traceback(None)  # noqa: B904  (it is the same exception)

    def _url_of(self, request: Request) -> URL:
        if request.url or "?" in request.path:
            return URL(request.url or self._options.url + request.path, encoded=True)
        # A quarter of the time that parsing the whole URL takes.
        path = self._base.raw_path.removesuffix("/") + request.path
        return self._base.with_path(path, encoded=True)

    def _authorize(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> Awaitable[ClientResponse]:
        """Set the token, in the place of a borrowed session's own; an aiohttp middleware."""
        if self._on_loopback_only and request.proxy is not None:
            raise ExposureError(
                "base_url is plain http, and http_session goes through a proxy (by proxy=, or "
                f"by trust_env=True and the environment), which would see the token; {REMEDY}"
            )
        request.headers["Authorization"] = self._authorization
        return one_exchange(request, handler)

    def _next_overrides(self) -> Mapping[str, Any]:
        if not self._closing:
            return self._overrides
        self._closing -= 1
        return {**self._overrides, "headers": {**self._headers, "Connection": "close"}}

    def _overrides_for_borrowed(self) -> Mapping[str, Any]:
        """Return options that replace a borrowed session's own settings."""
        return {
            "headers": self._headers,
            "auto_decompress": True,
            "middlewares": (self._authorize,),
            "raise_for_status": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        }

    def _overrides_for(self, request: Request) -> Mapping[str, Any]:
        """Return the request's own options for aiohttp, which replace the session's."""
        # A request to a storage uses none of the connections that `_closing` is about.
        options = self._overrides if request.url else self._next_overrides()
        if request.sink is None:
            return options
        silence = self._options.attempt_timeout
        limits = aiohttp.ClientTimeout(None, sock_connect=CONNECT_TIMEOUT, sock_read=silence)
        headers = {**options.get("headers", self._headers), "Accept-Encoding": "identity"}
        if request.url is None:
            return {**options, "timeout": limits, "headers": headers}
        return {
            **options,
            "timeout": limits,
            "middlewares": (_send_plainly,),
            "headers": {**headers, "Accept": "*/*"},
            "auto_decompress": False,
        }

    async def _read(self, reply: Reply) -> bytes:
        limit = self._options.max_response_bytes
        if reply.response.headers.get("Content-Encoding", "identity").lower() not in _UNDERSTOOD:
            reply.response.close()
            raise EncodingError
        if (reply.response.content_length or 0) > limit:
            reply.response.close()
            raise TooLargeError
        await reply.read_up_to(limit)
        if reply.size > limit:
            raise TooLargeError
        return reply.body

    async def _distrust(self, pool: Pool) -> None:
        """Stop using the idle connections of `pool`: one delivered a reply to another request.

        The transport cannot close a borrowed session's connections directly. So it sends the next
        requests with ``Connection: close``, one for each connection that may be idle.
        """
        self._retire(pool)
        await self._tidy(pool)
        self._closing = self._options.max_connections if self._borrowed else 0

    def _current_pool(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(self._borrowed or self._open())
        return self._pool

    async def _tidy(self, pool: Pool) -> None:
        """Close the idle connections of a retired pool, and all of it after its last exchange."""
        if pool not in self._retired:
            return
        assert isinstance(pool.session.connector, Connector)
        pool.session.connector.close_idle()
        if pool.is_unused:
            self._retired.discard(pool)
            await pool.session.close()

    def _retire(self, pool: Pool) -> None:
        """Take the pool out of use; `_tidy` closes it after its last exchange.

        If it were closed earlier, that exchange would hang. A borrowed session cannot be replaced.
        """
        if pool is self._pool and pool.session is not self._borrowed:
            self._retired.add(pool)
            self._pool = None

    def _open(self) -> ClientSession:
        resolver = LoopbackResolver() if self._on_loopback_only else None
        return ClientSession(
            connector=Connector(self._options.max_connections, resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            middlewares=(self._authorize,),
            # `Deadlines` ends the whole exchange; a timer of aiohttp's would cost time for nothing.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            trace_configs=[mark_exceptions(each) for each in self._options.trace_configs],
        )
