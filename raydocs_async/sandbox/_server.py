"""The sandbox itself: one HTTP server on loopback, and the handle that tests hold.

It is built on aiohttp's bare server, without an application's routes and middlewares, as it has to
be cheap beside the client that it tests.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Self

from aiohttp import web

from raydocs_async.sandbox._api import Api
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._faults import Chaos, Kind
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._service import NOTHING_WRONG, Accepted, Call
from raydocs_async.sandbox._stats import Seen
from raydocs_async.sandbox._throttle import PEER, Store, Throttle

_BACKLOG = 1024
_GRACE = 0.05
"""Seconds for what is still being written when the sandbox closes."""
_LINGER_ZERO = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_SPOILED = frozenset({Kind.CUT, Kind.RESET, Kind.STALL})


class Sandbox(Api):
    """The Raydocs API on loopback, as an async context manager.

    It keeps its own time: the wall clock is read once, at the start, and from then on the event
    loop's clock moves it. A wall clock that jumps, or that a test replaces (freezegun,
    time-machine), has no effect, and a virtual loop clock is followed. Leaving the context resets
    the connections with a request in flight.

    Args:
        limit: Requests in a window, 100 as documented; ``None`` means no throttle and none of its
            headers.
        window: Length of the throttle's window, in seconds, 60 as documented.
        store: Where the throttle keeps its counts, which decides when a window really ends; see
            `Throttle`.
        sessions: How many built-in sessions exist; ``None`` is one for every UUID.
        latency: How long each accepted request takes, in seconds; see also `Sandbox.latency`.
        chaos: Faults at random.
        token: The bearer token that it accepts.
        host: The address to listen on.
        port: The port to listen on; 0 is any that is free.
        log_size: How many requests `log` remembers, the latest; 0 keeps none.

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
        latency: float = 0.0,
        chaos: Chaos | None = None,
        token: str = "sandbox-token",
        host: str = "127.0.0.1",
        port: int = 0,
        log_size: int = 10_000,
    ) -> None:
        super().__init__(
            Throttle(limit, window, store),
            sessions=sessions,
            latency=latency,
            chaos=chaos,
            token=token,
        )
        self.log: deque[Seen] = deque(maxlen=log_size)
        """The latest requests that it is done with, oldest first."""
        self._address = (host, port)
        self._active: set[asyncio.Transport] = set()
        self._runner: web.ServerRunner | None = None

    def __repr__(self) -> str:
        where = self.url if self._runner else "not running"
        return f"<{type(self).__name__} {where}, {self.throttle}>"

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        self._clock = Clock()
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
            transport.abort()  # which cancels the handlers, the stalled ones included
        await self._running().cleanup()
        self._runner = None

    @property
    def url(self) -> str:
        """Where it listens, which is what to give a client as its base URL.

        Raises:
            RuntimeError: It is not running.
        """
        host, port = self._running().addresses[0][:2]
        return _url(host, port)

    @property
    def now(self) -> float:
        """The server's clock, in seconds since the epoch; what `throttle` asks for.

        Raises:
            RuntimeError: It is not running.
        """
        self._running()
        return self._clock.now()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, and keep the books."""
        call = _read(request)
        arrived = self._clock.now()
        refusal = self._service.refuse(call, arrived)
        accepted = NOTHING_WRONG if refusal else self._service.accept(call, arrived)
        window = self.throttle.number(call.peer)
        status: int | None = None
        transport = self._enter(request)
        try:
            reply = refusal or await self._handle(request, call, accepted)
            status = reply.status
        finally:
            self._active.remove(transport)
            target = call.session_id or call.path
            self.log.append(Seen(arrived - self._clock.started_at, target, status, window))
        self.stats.statuses[reply.status] += 1
        return self._dressed(web.Response(status=reply.status, body=reply.body), reply)

    def _enter(self, request: web.BaseRequest) -> asyncio.Transport:
        transport = _transport(request)
        self._active.add(transport)
        self.stats.requests += 1
        self.stats.peak_in_flight = max(self.stats.peak_in_flight, len(self._active))
        return transport

    async def _handle(self, request: web.BaseRequest, call: Call, accepted: Accepted) -> Reply:
        fault = accepted.fault
        if seconds := self.latency + fault.seconds:
            await asyncio.sleep(seconds)
        reply = self._service.reply(call, accepted, self._clock.now())
        if fault.kind in _SPOILED:
            await self._spoil(request, reply, fault.kind)
        return reply

    async def _spoil(self, request: web.BaseRequest, reply: Reply, kind: Kind) -> None:
        """Never returns: the end of the connection cancels it."""
        transport = _transport(request)
        match kind:
            case Kind.CUT:
                await self._send_half(request, reply)
                transport.close()
            case Kind.RESET:
                # Closing with nothing to linger for is what makes the kernel send a RST.
                tcp = transport.get_extra_info("socket")
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                transport.abort()
        await asyncio.get_running_loop().create_future()

    async def _send_half(self, request: web.BaseRequest, reply: Reply) -> None:
        response = self._dressed(web.StreamResponse(status=reply.status), reply)
        response.content_length = len(reply.body)
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])

    def _dressed(self, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
        """The response, with the headers that every reply has, and those of this one."""
        response.headers.update(self._headers(reply, self._clock.now()))
        return response

    def _running(self) -> web.ServerRunner:
        if self._runner is None:
            raise RuntimeError("the sandbox is not running: enter it with `async with` first")
        return self._runner


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _read(request: web.BaseRequest) -> Call:
    headers = request.headers
    return Call(
        request.method,
        request.path,
        headers.get("Authorization", ""),
        headers.get("Accept", ""),
        request.remote or PEER,
        request.host,
    )


def _transport(request: web.BaseRequest) -> asyncio.Transport:
    transport = request.transport
    assert transport is not None  # a handler is cancelled when its connection ends
    return transport
