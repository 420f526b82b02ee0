"""A bulk job on a stand-in for the client, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import attrs
import pytest
from attrs import Factory, define

from raydocs_async import (
    APIConnectionError,
    Attempt,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    PermissionDeniedError,
    RateLimitError,
    RateLimitStatus,
    RaydocsError,
    RetryPolicy,
    Session,
    Stream,
    converter,
)
from raydocs_async._bulk import StreamSpec
from raydocs_async._endpoints import SESSION
from raydocs_async._exchange import Request
from raydocs_async._outcome import CallResult, Outcome
from raydocs_async._patience import RetryingFetcher, Terms
from raydocs_async._retry import FailedAttempt, Patience, RetryQuota
from raydocs_async._stream import open_stream
from raydocs_async.sandbox._sessions import build_session
from tests.support.loops import now

Reply = CallResult[Session]
Outcomes = list[Outcome[Session]]

OPEN = RateLimitStatus(
    limit=100, per=60.0, remaining=10, resets_in=30.0, in_flight=0, waiting=0, foreign=0
)
FATAL = [
    AuthenticationError("HTTP 401", status=401),
    PermissionDeniedError("HTTP 403", status=403),
    RateLimitError("shut", retry_after=86_400),
    ClientClosedError("closed"),
    ConfigurationError("elsewhere"),
]
"""The errors that would hit every id, and so end a stream."""


def number(index: int) -> str:
    """Return the session id with that number."""
    return str(UUID(int=index))


def numbers(count: int) -> list[str]:
    """Return the first session ids."""
    return [number(index) for index in range(count)]


def found(session_id: UUID) -> Reply:
    """Return a reply with a session."""
    template = build_session(number(0)) | {"id": str(session_id), "documents": [], "results": []}
    return CallResult(model=converter.structure(template, Session))


def failed(error: RaydocsError) -> Reply:
    """Return a final error for one id."""
    return CallResult(error=error)


def down(after: float | None = None) -> Reply:
    """Return a temporary failure."""
    error = APIConnectionError("the connection was lost", retry_after=after)
    return CallResult(error=error, transient=True)


@define
class Stub:
    """A stand-in for client and service: a second a request; counts the requests."""

    answer: Callable[[UUID], Reply] = found
    seconds: Callable[[UUID], float] = lambda _: 1.0
    max_wait: float = 300.0
    policy: RetryPolicy = Factory(RetryPolicy)
    quota: RetryQuota = Factory(RetryQuota)
    asked: list[UUID] = Factory(list)
    in_flight: int = 0
    peak: int = 0

    async def fetch(self, request: Request, patience: Patience) -> Reply:
        """Answer after a while; repeat the request while `patience` allows it."""
        attempts: list[Attempt] = []
        while True:
            sent_at = now()
            reply = await self.attempt(request.id)
            status = 200 if reply.error is None else reply.error.status
            attempts.append(Attempt(at=sent_at, status=status))
            if reply.transient:
                assert reply.error is not None
                failure = FailedAttempt(sent_at, reply.error.retry_after)
                if await patience(failure, asyncio.sleep):
                    continue
            return attrs.evolve(reply, attempts=tuple(attempts), sent_at=sent_at)

    async def attempt(self, session_id: UUID) -> Reply:
        """Make one request."""
        self.asked.append(session_id)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self.seconds(session_id))
        finally:
            self.in_flight -= 1
        return self.answer(session_id)

    def stream(self, ids: Any, *, concurrency: int = 4, ordered: bool = False) -> Stream[Session]:
        """Return a stream on this stand-in."""
        terms = Terms(self.policy, self.quota, lambda: 0.5, self.max_wait)
        spec = StreamSpec(
            SESSION,
            SESSION.request,
            lambda on_change: RetryingFetcher(self.fetch, terms, on_change),
            lambda: OPEN,
        )
        return open_stream(ids, spec, concurrency=concurrency, ordered=ordered)


async def collect(stream: Stream[Session]) -> Outcomes:
    """Return all outcomes."""
    return [outcome async for outcome in stream]


async def collect_until_error(
    stream: Stream[Session],
) -> tuple[list[Outcome[Session]], RaydocsError]:
    """Return all outcomes, and the error with which the stream ends."""
    outcomes: list[Outcome[Session]] = []

    async def drain() -> None:
        async for outcome in stream:
            outcomes.append(outcome)  # noqa: PERF401  (kept when it raises)

    with pytest.raises(RaydocsError) as caught:
        await drain()
    return outcomes, caught.value
