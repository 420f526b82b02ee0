"""The sandbox as a transport: no socket, and so fit for a virtual clock."""

import asyncio
from collections.abc import Mapping

from multidict import CIMultiDict

from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async.sandbox._base import BaseSandbox
from raydocs_async.sandbox._faults import Kind
from raydocs_async.sandbox._replies import JSON, Reply
from raydocs_async.sandbox._requests import ServerRequest
from raydocs_async.sandbox._signing import FILES

_STALL = 60.0
"""Seconds that a stall lasts: the client's default time-out of one attempt."""

_BASE_URL = "https://sandbox.invalid"
"""The URL of files. It is one of https, because clients refuse other URLs of foreign hosts."""

_FAILURES: Mapping[Kind, Failure] = {
    Kind.CUT: Failure(FailureKind.CUT, "as the test asked for"),
    Kind.RESET: Failure(FailureKind.DISCONNECT, "as the test asked for"),
    Kind.STALL: Failure(FailureKind.TIMEOUT, "as the test asked for"),
}


class FakeTransport(BaseSandbox):
    """The `raydocs_async.sandbox.Sandbox` without a socket: its sessions, throttle and faults.

    ::

        fake = FakeTransport()
        client = RaydocsClient(fake.token, transport=fake)

    It follows the event loop's clock, also a virtual one. The client's ``base_url``, its token and
    its limits on sizes and connections have no effect.

    Args:
        limit: Requests in a window; ``None`` means no throttle and none of its headers.
        window: Length of the throttle's window, in seconds.
        store: The store of the throttle's counts, which decides when a window really ends; see
            `raydocs_async.sandbox.Throttle`.
        sessions: The number of built-in sessions; ``None`` is one for every UUID of version 4
            or 5.
        finish_within: Seconds from the first request until all built-in sessions are finished; each
            finishes at a time of its own. By default all are finished from the start.
        shapes: The shapes of chunks, lists and single documents: ``"newest"``, ``"older"`` or
            ``"oldest"``.
        per_page: The number of documents or results on one page of a list.
        latency: Duration of each accepted request, in seconds.
        chaos: Random faults.
        token: The value of `token`; the transport accepts any.
        log_size: The number of latest requests to keep in `log`; 0 keeps none.

    Raises:
        ValueError: An argument is out of its range.
    """

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Answer one request; the client itself keeps the `deadline`."""
        clock = self._clock
        # A test's own event loop brings its own clock; the clock of an earlier loop has stopped.
        if clock is None or not clock.is_running:
            clock = self._start_clock()
        with self._exchange(self._read(request), clock) as exchange:
            reply = await self._answer(exchange, clock)
            kind = exchange.fault.kind
            if kind is Kind.STALL:
                await asyncio.sleep(_STALL)
            if kind in _FAILURES:
                return _FAILURES[kind]
            exchange.status = reply.status
        # As aiohttp's, the names of headers are found in any letter case.
        headers = CIMultiDict(self._headers(reply, clock.now()))
        return Response(reply.status, headers, await _take_body(request, reply, headers))

    def _read(self, request: Request) -> ServerRequest:
        path, _, query = (request.url or request.path).removeprefix(_BASE_URL).partition("?")
        # As a client's own transport, it sends no token to the storage.
        authorization = "" if path.startswith(FILES) else f"Bearer {self.token}"
        return ServerRequest("GET", path, authorization, JSON, base_url=_BASE_URL, query=query)

    async def close(self) -> None:
        """Do nothing: there is no connection, and other clients may use the transport later."""


async def _take_body(request: Request, reply: Reply, headers: Mapping[str, str]) -> bytes:
    """Return the body, or hand it to the request's sink, as a client's own transport does."""
    if request.sink is None or reply.status != 200:
        return b"" if request.url else reply.body
    media_type = headers.get("Content-Type", "").partition(";")[0]
    await request.sink.begin(len(reply.body), media_type, is_delimited=True)
    await request.sink.write(reply.body)
    return b""
