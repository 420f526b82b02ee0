"""One exchange with the server, on aiohttp: a `Request` in, a `Response` or a `Failure` out.

The only module of the client that knows aiohttp. Nothing of it gets out: no exception (they hold
the request's headers, token included), no response object, no status that aiohttp made up (each
of its parse errors claims to be an HTTP 400).
"""

import asyncio
import math
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    TraceConfig,
)
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import ContentEncodingError
from attrs import define, field
from multidict import CIMultiDict
from yarl import URL

from raydocs_async._affinity import Home, current_task, running_loop
from raydocs_async._base_url import REMEDY, is_loopback
from raydocs_async._deadlines import Deadlines
from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async._secret import Secret

# aiohttp's two types are for the client's annotations.
__all__ = ["AiohttpTransport", "ClientSession", "TraceConfig"]

CONNECT_TIMEOUT = 10.0
"""Seconds to reach the server, TLS handshake included."""
SUSPICIOUS_SILENCE = 1.0
"""Seconds of waiting for a reply, after which an exchange that is given up makes the pooled
connections suspect."""
READABLE_ENCODINGS = ("gzip", "deflate")
"""Those that the standard library decodes. aiohttp asks also for ``br`` and ``zstd`` when their
packages are installed, in whatever version, and fails at each reply if that one does not fit."""
ERROR_BODY_LIMIT = 64 * 1024
"""Bytes read of a body that only explains an error."""
ERROR_BODY_TIMEOUT = 5.0
"""Seconds given to such a body; the status is known already, and counts without it."""


class WireError(Exception):
    """A connection error that aiohttp must not see, since it would send the request once more.

    aiohttp repeats a GET, silently, on the two exceptions that this one replaces. The repetition
    counts at the server, and would escape the rate limiter and the retry policy.
    """


async def one_exchange(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """An aiohttp middleware by which one request is one request on the wire."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent, and aiohttp does not repeat it
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise WireError(_reason(exc)) from None


class TooLargeError(Exception):
    """A body over the cap."""


class ExposureError(Exception):
    """The token would leave this machine in clear; raised before anything is sent."""


class EncodingError(Exception):
    """A body in an encoding that was not asked for."""


# The first row that fits counts. A test fails when aiohttp has an exception that none fits.
_FAILURES: Sequence[tuple[type[Exception], FailureKind, bool]] = (
    (WireError, FailureKind.DISCONNECT, True),
    (TooLargeError, FailureKind.TOO_LARGE, True),
    (ExposureError, FailureKind.SETUP, False),
    (EncodingError, FailureKind.ENCODING, True),
    (aiohttp.ClientConnectorCertificateError, FailureKind.CERTIFICATE, False),
    (aiohttp.ServerFingerprintMismatch, FailureKind.CERTIFICATE, False),
    (aiohttp.ConnectionTimeoutError, FailureKind.TIMEOUT, False),
    (TimeoutError, FailureKind.TIMEOUT, True),
    (aiohttp.ClientConnectorError, FailureKind.CONNECT, False),
    (aiohttp.ClientPayloadError, FailureKind.CUT, True),
    (aiohttp.ClientResponseError, FailureKind.PROTOCOL, True),
    (aiohttp.ClientConnectionError, FailureKind.DISCONNECT, True),
    (aiohttp.ClientError, FailureKind.SETUP, False),
    (OSError, FailureKind.DISCONNECT, True),
    (ValueError, FailureKind.SETUP, False),
    (RuntimeError, FailureKind.SETUP, False),
)

# After these the other idle connections may be as dead, or as confused, as the one that failed. A
# time-out is among them: a firewall that forgets connections drops their packets silently.
_DISTRUSTED = frozenset({FailureKind.DISCONNECT, FailureKind.PROTOCOL, FailureKind.TIMEOUT})

# A proxy's refusals that may be over at the next attempt, as are all of its 5xx.
_TEMPORARY_REFUSALS = frozenset({408, 425, 429})


def translate(exc: Exception) -> Failure | None:
    """The failure that `exc` stands for; ``None`` for what no exchange should raise."""
    match exc:
        case aiohttp.ClientHttpProxyError(status=status):
            return _refusal(status)
        case aiohttp.ClientResponseError() if _is_undecodable(exc):
            return translate(EncodingError())  # aiohttp gives up at such a reply's headers
    for kind, failure, sent in _FAILURES:
        if isinstance(exc, kind):
            return Failure(failure, _reason(exc), sent)
    return None


def _is_undecodable(exc: BaseException | None) -> bool:
    while exc is not None and not isinstance(exc, ContentEncodingError):
        exc = exc.__cause__
    return exc is not None


def _refusal(status: int) -> Failure:
    """The failure for a proxy's answer to CONNECT, whose status really is one, unlike others'."""
    if status >= 500 or status in _TEMPORARY_REFUSALS:
        return Failure(FailureKind.CONNECT, f"the proxy answered HTTP {status}", sent=False)
    said = f"it answered HTTP {status}; check its address and credentials"
    return Failure(FailureKind.PROXY, said, sent=False)


def _reason(exc: Exception) -> str:
    """Return the failure in words of our own: the exception's can quote headers."""
    match exc:
        case WireError() | ExposureError():
            return str(exc)
        case TooLargeError():
            return "it was not read any further"
        case EncodingError():
            asked_for = " or ".join(READABLE_ENCODINGS)
            return f"its Content-Encoding is not {asked_for}, which is what was asked for"
        case TimeoutError() if type(exc) is TimeoutError:
            return "the attempt took too long"
        case OSError() if exc.strerror:
            return f"{type(exc).__name__}: {exc.strerror}"
        case RuntimeError() if not isinstance(exc, aiohttp.ClientError):
            return str(exc)  # such as that a borrowed session is closed
        case _:
            return type(exc).__name__


_UNDERSTOOD = frozenset({*READABLE_ENCODINGS, "identity", ""})


class LoopbackResolver(aiohttp.ThreadedResolver):
    """The system's look-up of names, for names that must lead to this machine.

    A name such as ``foo.localhost`` only says so; the connector connects to what is returned here.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look `host` up.

        Raises:
            ExposureError: it has an address that is not on loopback.
        """
        found = await super().resolve(host, port, family)
        for each in found:
            if not is_loopback(each["host"]):
                raise ExposureError(
                    f"base_url is plain http, and {host} leads to {each['host']}, which is not a "
                    f"loopback address; {REMEDY}"
                )
        return found


class Connector(aiohttp.TCPConnector):
    """A connector that can close its idle connections alone, while others are in use."""

    def __init__(self, limit: int, resolver: LoopbackResolver | None = None) -> None:
        super().__init__(limit=limit, resolver=resolver)
        self._idle = WeakSet[ResponseHandler]()

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """A connection, which counts as idle when it is given back."""
        connection = await super().connect(*args, **kwargs)
        assert connection.protocol is not None
        self._idle.discard(connection.protocol)
        connection.add_callback(partial(self._idle.add, connection.protocol))
        return connection

    def close_idle(self) -> None:
        """Close those that nobody uses."""
        while self._idle:
            self._idle.pop().close()


@define(eq=False)
class _Pool:
    """An aiohttp session and who is using it."""

    session: ClientSession = field(repr=False)
    users: set[asyncio.Task[Any]] = field(factory=set, repr=False)
    """Tasks, and not a number, because an interrupt can end one without a word."""

    @property
    def is_unused(self) -> bool:
        """True if no exchange is under way."""
        return all(task.done() for task in self.users)


class AiohttpTransport:
    """Makes exchanges; owns its connections, or borrows a `ClientSession`.

    It opens at the first exchange and belongs to that moment's event loop and process.

    Args:
        base_url: From `_base_url.parse_base_url`.
        token: Sent as bearer token.
        http_session: To borrow; never closed. Its own middlewares do not run.
        allow_http: As for `_base_url.parse_base_url`.
        max_response_bytes: The cap on a body, after decompression.
        max_connections: Open connections, at most.
        attempt_timeout: Seconds for one exchange, from connecting to the body's last byte.
        deadlines: Ends exchanges that take longer.
        trace_configs: Handed to aiohttp.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: Secret,
        http_session: ClientSession | None,
        allow_http: bool,
        max_response_bytes: int,
        max_connections: int,
        attempt_timeout: float,
        deadlines: Deadlines,
        trace_configs: Sequence[TraceConfig],
        user_agent: str,
    ) -> None:
        self._base_url = base_url
        self._on_loopback_only = base_url.startswith("http:") and not allow_http
        self._authorization = Secret(f"Bearer {token!s}")
        self._headers = CIMultiDict[str](
            {
                # Anything else in first place, and the framework answers errors in HTML.
                "Accept": "application/json",
                "Accept-Encoding": ", ".join(READABLE_ENCODINGS),
                "User-Agent": user_agent,
            }
        )
        self._borrowed = http_session
        self._overrides = {} if http_session is None else self._overrides_for_borrowed()
        self._max_response_bytes = max_response_bytes
        self._max_connections = max_connections
        self._attempt_timeout = attempt_timeout
        self._deadlines = deadlines
        self._trace_configs = list(trace_configs)
        self._pool: _Pool | None = None
        self._retired: set[_Pool] = set()
        self._closing = 0
        self._home = Home()

    def __repr__(self) -> str:
        return f"<AiohttpTransport to {self._base_url}>"

    def check_home(self, *, closing: bool = False) -> None:
        """Bind to the running event loop and this process at the first call, as `Home.check`.

        Raises:
            ConfigurationError: It was used in another event loop or process before, or no asyncio
                event loop is running.
        """
        self._home.check(closing=closing)

    async def send(self, request: Request, deadline: float = math.inf) -> Response | Failure:
        """Make one exchange, by `deadline` at the latest; whatever comes of it is returned."""
        task, pool, clock = current_task(), self._current_pool(), running_loop().time
        began = clock()
        scope = self._deadlines.until(min(deadline, began + self._attempt_timeout))
        try:
            pool.users.add(task)
            with scope:
                return await self._exchange(pool, request, scope.until)
        except Exception as exc:
            failure = translate(exc)
            if failure is None:
                raise
            if failure.sent and failure.kind in _DISTRUSTED:
                self._retire(pool)
            return failure
        except asyncio.CancelledError:
            # By the caller or the call's deadline. The next call must not meet the same silence.
            if clock() - began >= SUSPICIOUS_SILENCE:
                self._retire(pool)
            raise
        finally:
            self._deadlines.remove(scope)  # as the block did, unless an interrupt hit its very end
            pool.users.discard(task)
            await self._tidy(pool)

    async def distrust(self, response: Response) -> None:
        """Use the idle connections no more, one of which brought `response`.

        Those of a borrowed session can only be closed by using each of them once more.
        """
        assert isinstance(response.connection, _Pool)
        self._retire(response.connection)
        await self._tidy(response.connection)
        self._closing = self._max_connections if self._borrowed else 0

    async def close(self) -> None:
        """Close what is open; there must be no exchange under way."""
        pools = [pool for pool in (self._pool, *self._retired) if pool is not None]
        self._pool = None
        self._retired.clear()
        for pool in pools:
            if pool.session is not self._borrowed:
                await pool.session.close()

    async def _exchange(self, pool: _Pool, request: Request, until: float) -> Response:
        url = URL(self._base_url + request.path, encoded=True)
        reply = _Reply(
            await pool.session.request("GET", url, allow_redirects=False, **self._next_overrides())
        )
        if reply.response.status == 200:
            body = await self._read(reply)
        else:
            body = await _read_error(reply, until)
        reply.response.release()
        return Response(reply.response.status, reply.response.headers, body, pool)

    async def _authorize(
        self, request: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        """An aiohttp middleware that puts our token in the place of a borrowed session's own."""
        if self._on_loopback_only and request.proxy is not None:
            raise ExposureError(
                "base_url is plain http, and http_session goes through a proxy (its proxy=, or "
                f"trust_env=True and the environment), which would be sent the token; {REMEDY}"
            )
        request.headers["Authorization"] = self._authorization
        return await handler(request)

    def _next_overrides(self) -> Mapping[str, Any]:
        if not self._closing:
            return self._overrides
        self._closing -= 1
        return {**self._overrides, "headers": {**self._headers, "Connection": "close"}}

    def _overrides_for_borrowed(self) -> Mapping[str, Any]:
        """Return the request options that a borrowed session lacks, or must not impose."""
        return {
            "headers": self._headers,
            "auto_decompress": True,
            "middlewares": (self._authorize, one_exchange),
            "raise_for_status": False,
            "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        }

    async def _read(self, reply: "_Reply") -> bytes:
        limit = self._max_response_bytes
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

    def _current_pool(self) -> _Pool:
        if self._pool is None:
            self._pool = _Pool(self._borrowed or self._open())
        return self._pool

    async def _tidy(self, pool: _Pool) -> None:
        """Close what nobody uses any more of a retired pool."""
        if pool not in self._retired:
            return
        assert isinstance(pool.session.connector, Connector)
        pool.session.connector.close_idle()
        if pool.is_unused:
            self._retired.discard(pool)
            await pool.session.close()

    def _retire(self, pool: _Pool) -> None:
        """Take the pool out of use; `_tidy` closes it after its last exchange.

        Closing it earlier would hang that exchange. A borrowed session cannot be replaced.
        """
        if pool is self._pool and pool.session is not self._borrowed:
            self._retired.add(pool)
            self._pool = None

    def _open(self) -> ClientSession:
        return ClientSession(
            connector=Connector(
                self._max_connections, LoopbackResolver() if self._on_loopback_only else None
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            middlewares=(self._authorize, one_exchange),
            # The whole exchange has one timer, ours; aiohttp's would be one more for each request.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            trace_configs=self._trace_configs,
        )


@define(eq=False)
class _Reply:
    """A reply that is being read; its ``repr`` shows neither headers nor body.

    A cancellation in the middle of a body leaves through these frames, and a crash reporter shows
    their local variables.
    """

    response: ClientResponse = field(repr=False)
    chunks: list[bytes] = field(factory=list, repr=False)
    size: int = 0

    @property
    def body(self) -> bytes:
        """The bytes read so far."""
        return b"".join(self.chunks)

    async def read_up_to(self, limit: int) -> None:
        """Read the body, or somewhat more than `limit` bytes of it; then close the connection."""
        try:
            while self._add(await self.response.content.readany()):
                if self.size > limit:
                    self.response.close()
                    break
        except BaseException:
            self.response.close()  # what is left of the body must not be read as the next reply
            raise

    def _add(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        self.size += len(chunk)
        return bool(chunk)  # an empty one is the end


async def _read_error(reply: _Reply, until: float) -> bytes:
    """The beginning of an error's body, if it can be had; the status counts without it, too."""
    left = until - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(ERROR_BODY_TIMEOUT, left / 2)):
            await reply.read_up_to(ERROR_BODY_LIMIT)
    except (aiohttp.ClientError, TimeoutError):
        return b""
    return reply.body[:ERROR_BODY_LIMIT]
