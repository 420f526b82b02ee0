"""Help for your own tests: the service on loopback, the service without sockets, and sessions.

In a ``conftest.py``::

    pytest_plugins = ["raydocs_async.testing"]

and every test can ask for the fixture `raydocs_sandbox`. `FakeTransport` is for tests that need
no HTTP, or run on a virtual clock; `build_session` is for those that need no client.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from multidict import CIMultiDict

from raydocs_async._converter import converter
from raydocs_async._exchange import Failure, FailureKind, Request, Response
from raydocs_async.models import Session
from raydocs_async.sandbox import Chaos, Sandbox, Store, Throttle
from raydocs_async.sandbox._api import Api
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._faults import Kind
from raydocs_async.sandbox._replies import JSON, Reply
from raydocs_async.sandbox._service import Accepted, Call
from raydocs_async.sandbox._sessions import build_session as build_wire

__all__ = ["FakeTransport", "build_session", "build_session_json", "raydocs_sandbox"]

_STALL = 60.0
"""Seconds after which a client gives up an attempt, unless it is told otherwise."""

_FAILURES: Mapping[Kind, Failure] = {
    Kind.CUT: Failure(FailureKind.CUT, "as the test asked for"),
    Kind.RESET: Failure(FailureKind.DISCONNECT, "as the test asked for"),
    Kind.STALL: Failure(FailureKind.TIMEOUT, "as the test asked for"),
}


class FakeTransport(Api):
    """The `raydocs_async.sandbox.Sandbox` without a socket: its sessions, throttle and faults.

    ::

        fake = FakeTransport()
        client = RaydocsClient(fake.token, transport=fake)

    It follows the event loop's clock, also a virtual one. The client's ``base_url`` and token,
    and its limits on sizes and connections, play no part.

    Args:
        limit: As for the sandbox, and so are the others.
        window: Seconds.
        store: Decides when a window really ends.
        sessions: How many exist.
        latency: Seconds.
        chaos: Faults at random.
        token: Any will do.

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
        """Answer; `deadline` is the client's to keep."""
        clock = self._clock = self._clock or Clock()
        call = Call("GET", request.path, f"Bearer {self.token}", JSON)
        self.stats.requests += 1
        refusal = self._service.refuse(call, clock.now())
        answer = refusal or await self._answer(call, self._service.accept(call, clock.now()), clock)
        if isinstance(answer, Failure):
            return answer
        self.stats.statuses[answer.status] += 1
        headers = CIMultiDict(self._headers(answer, clock.now()))
        return Response(answer.status, headers, answer.body)

    async def _answer(self, call: Call, accepted: Accepted, clock: Clock) -> Reply | Failure:
        fault = accepted.fault
        stall = _STALL if fault.kind is Kind.STALL else 0.0
        await asyncio.sleep(self.latency + fault.seconds + stall)
        return _FAILURES.get(fault.kind) or self._service.reply(call, accepted, clock.now())

    async def close(self) -> None:
        """There is nothing to close; the next client may use it."""
        self._clock = None


def build_session_json(
    session_id: str | UUID | None = None,
    *,
    data: Iterable[Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """A finished session as the service sends it, for the `put` of a sandbox or a fake.

    Args:
        session_id: Its id; by default a new one. The same id gives the same content.
        data: What was extracted: one result for each item; by default two results with invoices.
        changes: Top-level keys to add or replace, ``status="processing"`` for one.

    Raises:
        ValueError: `session_id` is no UUID.
    """
    session = build_wire(str(session_id or uuid4()))
    if data is not None:
        sample = session["results"][0]
        session["results"] = [
            {**sample, "id": _nth_id(session["id"], n), "data": each, "audit_data": None}
            for n, each in enumerate(data)
        ]
    return session | changes


def _nth_id(session_id: str, n: int) -> str:
    return str(uuid5(UUID(session_id), f"built-{n}"))


def build_session(
    session_id: str | UUID | None = None,
    *,
    data: Iterable[Any] | None = None,
    **changes: Any,
) -> Session:
    """A `raydocs_async.Session` for tests that need no client; see `build_session_json`.

    Raises:
        APIResponseValidationError: the changes do not fit the model.
        ValueError: `session_id` is no UUID.
    """
    return converter.structure(build_session_json(session_id, data=data, **changes), Session)


@pytest.fixture
def raydocs_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running `Sandbox`; ``RaydocsClient()`` finds it by itself.

    ``$RAYDOCS_BASE_URL`` and ``$RAYDOCS_API_TOKEN`` lead to it while the test runs. It runs in a
    thread, so that a test of any kind can use it: async with any plugin, or not async at all.
    """
    with _in_a_thread(Sandbox()) as api:
        monkeypatch.setenv("RAYDOCS_BASE_URL", api.url)
        monkeypatch.setenv("RAYDOCS_API_TOKEN", api.token)
        yield api


@contextmanager
def _in_a_thread(sandbox: Sandbox) -> Iterator[Sandbox]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="raydocs-sandbox", daemon=True)
    thread.start()

    def run(step: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result()

    try:
        run(sandbox.__aenter__())
        yield sandbox
        run(sandbox.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
