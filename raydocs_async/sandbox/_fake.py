"""The sandbox as a transport: no socket, and so fit for a virtual clock."""

import asyncio
from collections.abc import Mapping

from multidict import CIMultiDict

from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async.sandbox._application import Admission, ServerRequest
from raydocs_async.sandbox._base import BaseSandbox
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._faults import Chaos, Kind
from raydocs_async.sandbox._replies import JSON, Reply
from raydocs_async.sandbox._throttle import Store, Throttle

_STALL = 60.0
"""Seconds that a stall lasts: the client's default time-out of one attempt."""

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
        sessions: The number of built-in sessions; ``None`` is one for every UUID.
        latency: Duration of each accepted request, in seconds.
        chaos: Random faults.
        token: The value of `token`; the transport accepts any.

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
        token: str = "fake-token",
    ) -> None:
        throttle = Throttle(limit, window, store)
        super().__init__(throttle, sessions=sessions, latency=latency, chaos=chaos, token=token)
        self._clock: Clock | None = None

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Answer one request; the client itself keeps the `deadline`."""
        clock = self._clock = self._clock or Clock()
        received = ServerRequest("GET", request.path, f"Bearer {self.token}", JSON)
        self.stats.requests += 1
        admission = self._application.admit(received, clock.now())
        if isinstance(admission, Reply):
            answer: Reply | Failure = admission
        else:
            answer = await self._answer(received, admission, clock)
        if isinstance(answer, Failure):
            return answer
        self.stats.statuses[answer.status] += 1
        # As aiohttp's, the names of headers are found in any letter case.
        headers = CIMultiDict(self._headers(answer, clock.now()))
        return Response(answer.status, headers, answer.body)

    async def _answer(
        self, request: ServerRequest, admission: Admission, clock: Clock
    ) -> Reply | Failure:
        fault = admission.fault
        stall = _STALL if fault.kind is Kind.STALL else 0.0
        await asyncio.sleep(self.latency + fault.seconds + stall)
        failure = _FAILURES.get(fault.kind)
        return failure or self._application.respond(request, admission, clock.now())

    async def close(self) -> None:
        """Forget the event loop's clock, so that another client may use another loop."""
        self._clock = None
