"""The sandbox as an HTTP server on loopback.

It uses aiohttp's low-level server, without aiohttp's router and middlewares, because it has to be
cheap beside the client that it tests.
"""

import asyncio
import os
import socket
import struct
from types import TracebackType
from typing import Self

from aiohttp import web

from raydocs_async.sandbox._base import BaseSandbox
from raydocs_async.sandbox._chunks import Shapes
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._faults import Chaos, Kind
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._requests import ServerRequest
from raydocs_async.sandbox._throttle import PEER, Store

_BACKLOG = 1024
_GRACE = 0.05
"""Seconds that replies in progress have left when the sandbox closes."""
_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_BROKEN = frozenset({Kind.CUT, Kind.RESET, Kind.STALL})


class Sandbox(BaseSandbox):
    """The Raydocs API on loopback, as an async context manager.

    It reads the wall clock once, at the start, and from then on follows the event loop's clock,
    also a virtual one. A wall clock that jumps, or that a test replaces (freezegun, time-machine),
    has no effect. Leaving the context resets the connections with a request in flight.

    Args:
        limit: Requests in a window, 100 as documented; ``None`` means no throttle and none of its
            headers.
        window: Length of the throttle's window, in seconds, 60 as documented.
        store: The store of the throttle's counts, which decides when a window really ends; see
            `Throttle`.
        sessions: The number of built-in sessions; ``None`` is one for every UUID of version 4
            or 5.
        finish_within: Seconds from the first start until all built-in sessions are finished; each
            finishes at a time of its own. By default all are finished from the start.
        shapes: The shapes of chunks, lists and single documents, of which the API's documentation
            shows several: ``"newest"``, ``"older"`` or ``"oldest"``.
        per_page: The number of documents or results on one page of a list.
        latency: Duration of each accepted request, in seconds; see also `Sandbox.latency`.
        chaos: Random faults.
        token: The bearer token that the sandbox accepts.
        log_size: The number of latest requests to keep in `log`; 0 keeps none.
        host: The address to listen on.
        port: The port to listen on; 0 is any free port.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(
        self,
        limit: int | None = 100,
        window: float = 60.0,
        *,
        store: Store = "redis",
        sessions: int | None = 1000,
        finish_within: float | None = None,
        shapes: Shapes = "newest",
        per_page: int = 15,
        latency: float = 0.0,
        chaos: Chaos | None = None,
        token: str = "sandbox-token",
        log_size: int = 10_000,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        super().__init__(
            limit,
            window,
            store=store,
            sessions=sessions,
            finish_within=finish_within,
            shapes=shapes,
            per_page=per_page,
            latency=latency,
            chaos=chaos,
            token=token,
            log_size=log_size,
        )
        self._address = (host, port)
        self._active: set[asyncio.Transport] = set()
        self._runner: web.ServerRunner | None = None

    def __repr__(self) -> str:
        where = self.url if self._runner else "not running"
        return f"<{type(self).__name__} {where}, {self.throttle}>"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        self._start_clock()
        # Without the cancellation, a stalled request would outlive its client.
        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE)
        await runner.setup()
        await web.TCPSite(runner, *self._address, backlog=_BACKLOG).start()
        self._runner = runner
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for transport in self._active:
            # This cancels the request's handler; a stalled one would never end by itself.
            transport.abort()
        await self._running().cleanup()
        self._runner = None

    @property
    def url(self) -> str:
        """The URL that it listens on, which is the base URL for clients.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        host, port = self._running().addresses[0][:2]
        return _url(host, port)

    @property
    def now(self) -> float:
        """The server's time, in seconds since the epoch, for the methods of `throttle`.

        Raises:
            RuntimeError: The sandbox is not running.
        """
        self._running()
        return self._time().now()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = _transport(request)
        self._active.add(transport)
        try:
            with self._exchange(_read(request), self._time()) as exchange:
                reply = await self._answer(exchange, self._time())
                if exchange.fault.kind in _BROKEN:
                    await self._break(request, reply, exchange.fault.kind)
                exchange.status = reply.status
        finally:
            self._active.remove(transport)
        return self._with_headers(web.Response(status=reply.status, body=reply.body), reply)

    async def _break(self, request: web.BaseRequest, reply: Reply, kind: Kind) -> None:
        """Break the connection, and never return: its end cancels this handler."""
        transport = _transport(request)
        match kind:
            case Kind.CUT:
                await self._send_half(request, reply)
                transport.close()
            case Kind.RESET:
                # A linger time of zero makes the kernel send a RST; by default it sends a FIN, and
                # the client would see an orderly end.
                tcp = transport.get_extra_info("socket")
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                transport.abort()
        await asyncio.get_running_loop().create_future()

    async def _send_half(self, request: web.BaseRequest, reply: Reply) -> None:
        response = self._with_headers(web.StreamResponse(status=reply.status), reply)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])

    def _with_headers(self, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
        """Add the headers of `reply`, and those that every reply has."""
        response.headers.update(self._headers(reply, self._time().now()))
        return response

    def _time(self) -> Clock:
        assert self._clock is not None  # it starts with the server
        return self._clock

    def _running(self) -> web.ServerRunner:
        if self._runner is None:
            raise RuntimeError("the sandbox is not running: enter it with `async with` first")
        return self._runner


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _read(request: web.BaseRequest) -> ServerRequest:
    headers = request.headers
    return ServerRequest(
        request.method,
        request.path,
        headers.get("Authorization", ""),
        headers.get("Accept", ""),
        request.remote or PEER,
        # Not `Sandbox.url`: signed URLs must lead back by the name under which the client came.
        f"http://{request.host}",
        request.rel_url.raw_query_string,
    )


def _transport(request: web.BaseRequest) -> asyncio.Transport:
    transport = request.transport
    assert transport is not None  # a handler is cancelled when its connection ends
    return transport
