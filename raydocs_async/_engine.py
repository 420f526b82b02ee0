"""The order of one call, from its request to a model or an error.

::

    admit → send → settle → classify → decode ─ Done ──→ the model
      ↑                        │  │
      └── Throttled ───────────┘  ├─ Retry ──→ tenacity: sleep, and once more from the top
                                  └─ Permanent ─→ the error, with the history of its attempts

Errors are values up to the last line of `Engine.call`, which raises them. So no foreign exception
is in their context, and no part of a reply is in the frames of their traceback.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import attrs
from attrs import define, field

from raydocs_async._affinity import Home, current_task, running_loop
from raydocs_async._call import Call
from raydocs_async._classify import (
    Done,
    Permanent,
    Retry,
    Throttled,
    classify,
    classify_invalid,
    classify_wait,
    observe,
)
from raydocs_async._converter import decode
from raydocs_async._deadlines import Deadlines
from raydocs_async._durations import in_seconds
from raydocs_async._endpoints import Endpoint
from raydocs_async._exchange import Failure, Request, Response, Transport
from raydocs_async._headers import Unseen
from raydocs_async._hook import Announcer
from raydocs_async._journal import Journal
from raydocs_async._limits import Limiter
from raydocs_async._limits._unlimited import UNLIMITED
from raydocs_async._limits._values import Lane, Ticket, Wait
from raydocs_async._outcome import CallResult
from raydocs_async._redact import Redactor
from raydocs_async._retry import (
    FailedAttempt,
    Patience,
    Retries,
    RetryPolicy,
    RetryQuota,
    Sleep,
    silence,
)
from raydocs_async.errors import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    ClientClosedError,
    ConfigurationError,
)
from raydocs_async.events import Hook

M = TypeVar("M")

CLOSE_TIMEOUT = 5.0
"""Seconds that `Engine.close` waits for cancelled calls, which normally end at once."""


@define
class _Decoded:
    """The model of a valid reply."""

    model: Any = field(repr=False)


_Verdict: TypeAlias = _Decoded | Retry | Permanent


class Engine:
    """Carries out calls.

    Args:
        transport: Makes the exchanges.
        limiter: Decides when a request may be sent.
        deadlines: Cancels calls and exchanges at their deadlines; shared with the transport.
        policy: Decides about retries.
        redactor: Hides the token in texts of replies.
        rand: Returns a random number, evenly distributed in [0, 1), for jitter.
        sleep: Waits for some seconds, as back-off.
        on_event: Receives the events; ``None`` without a hook.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        limiter: Limiter,
        deadlines: Deadlines,
        policy: RetryPolicy,
        redactor: Redactor,
        rand: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        on_event: Hook | None,
    ) -> None:
        self._transport = transport
        self._limiter = limiter
        self._deadlines = deadlines
        self._policy = policy
        self.redactor = redactor
        self._rand = rand
        self._sleep = sleep
        self._announce = None if on_event is None else Announcer(on_event)
        self._calls = 0
        self._home = Home()
        self._quota = RetryQuota()
        self.closed = False

    async def call(
        self, endpoint: Endpoint[M], request: Request, *, timeout: float | None, lane: Lane
    ) -> M:
        """Make `request` as `complete` does, and raise the error.

        Raises:
            RaydocsError: the call failed; the error has the history of its attempts.
        """
        completed = await self.complete(endpoint, request, timeout=timeout, lane=lane)
        if completed.error is not None:
            raise completed.error
        assert completed.model is not None
        return completed.model

    async def complete(
        self,
        endpoint: Endpoint[M],
        request: Request,
        *,
        timeout: float | None,
        lane: Lane,
        patience: Patience | None = None,
    ) -> CallResult[M]:
        """Make `request` until there is a model or no attempt left.

        Args:
            endpoint: The kind of resource.
            request: The request, made by `endpoint`.
            timeout: Seconds for queueing, attempts and waits together; ``None`` for no limit.
            lane: Priority in the rate limit's queue.
            patience: Decides about retries; by default the policy and the retry quota do.

        Raises:
            ClientClosedError: the engine is closed.
            ConfigurationError: the engine was opened in another event loop or process.
        """
        self.check_usable()
        self._calls += 1
        journal = Journal(self._calls, request, self._announce, running_loop().time)
        deadline = math.inf if timeout is None else journal.started + timeout
        # A signed URL leads to a storage, whose requests the API's throttle never sees.
        limiter = self._limiter if request.url is None else UNLIMITED
        call = Call(request, endpoint, lane, deadline, patience, journal, limiter)
        verdict = await self._run_with_events(call)
        history, sent_at = tuple(journal.attempts), call.sent_at
        if isinstance(verdict, _Decoded):
            if patience is None:
                self._quota.refund(self._now())
            return CallResult(model=verdict.model, attempts=history, sent_at=sent_at)
        error = attrs.evolve(
            verdict.error,
            message=endpoint.message_of(verdict.error, request),
            resource=request.resource,
            resource_id=str(request.id),
            attempts=history,
        )
        transient = isinstance(verdict, Retry)
        return CallResult(error=error, transient=transient, attempts=history, sent_at=sent_at)

    async def sleep_between_calls(self, seconds: float) -> None:
        """Sleep for some seconds; raise `ClientClosedError` if the engine is closed meanwhile."""
        try:
            with self._deadlines.until(math.inf):
                await asyncio.sleep(seconds)
        except TimeoutError:
            raise ClientClosedError("the client was closed between two polls") from None

    def check_usable(self) -> None:
        """Refuse to work when closed, in another event loop, after a fork, or without asyncio.

        Raises:
            ClientClosedError: The engine is closed.
            ConfigurationError: The engine was opened in another event loop or process, or no
                asyncio event loop is running.
        """
        current_task()
        if self.closed:
            raise ClientClosedError("this client is closed")
        self._home.check()

    async def close(self) -> None:
        """End every call with `ClientClosedError`, then close the connections. Idempotent."""
        current_task()
        self._home.check(closing=True)
        if self._deadlines.cover_current_task:
            raise ConfigurationError("a client cannot be closed from within one of its own calls")
        self.closed = True
        self._deadlines.cancel_all()
        await self._deadlines.wait_until_empty(CLOSE_TIMEOUT)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._transport.close()

    async def _run_with_events(self, call: Call) -> _Verdict:
        """Run the call between the events of its start and its end."""
        error: str | None = None
        try:
            call.journal.start(bulk=call.lane is Lane.BULK)
            verdict = await self._run_until_deadline(call)
            if not isinstance(verdict, _Decoded):
                error = type(verdict.error).__name__
            return verdict
        except BaseException as exc:
            error = type(exc).__name__
            raise
        finally:
            call.journal.end(error)

    async def _run_until_deadline(self, call: Call) -> _Verdict:
        """Run the call, and return an error if its deadline passes or the client is closed."""
        scope = self._deadlines.until(call.deadline)
        try:
            with scope:
                verdict = await self._attempt(call)
                return await self._retry(call, verdict) if isinstance(verdict, Retry) else verdict
        except TimeoutError:
            if not scope.cancelled:
                raise
        except BaseException:
            # An interrupt can come between any two lines, so the ticket may be unsettled. Settling
            # it twice has no effect.
            if isinstance(call.ticket, Ticket):
                call.limiter.settle(call.ticket, Unseen())
            raise
        finally:
            self._deadlines.remove(scope)  # again, because an interrupt can hit the block's end
        if self.closed:
            return Permanent(ClientClosedError(f"the client was closed while {call.phase}"))
        time = in_seconds(call.deadline - call.journal.started)
        return Permanent(APITimeoutError(f"no answer within {time}; still {call.phase}"))

    async def _retry(self, call: Call, verdict: Retry) -> _Verdict:
        """Make the attempts after the first one."""

        async def sleep(seconds: float) -> None:
            call.phase = "backing off"
            call.journal.schedule_retry(seconds)
            await self._sleep(seconds)

        if call.patience is None:
            return await self._retry_by_policy(call, verdict, sleep)
        return await self._retry_patiently(call, verdict, call.patience, sleep)

    async def _retry_by_policy(self, call: Call, verdict: Retry, sleep: Sleep) -> _Verdict:
        """Hand the first verdict to tenacity; a call that succeeds at once never needs it."""
        first: list[_Verdict] = [verdict]

        async def attempt() -> _Verdict:
            return first.pop() if first else await self._attempt(call)

        retries = Retries(self._policy, self._quota, self._rand, self._now, call.deadline, sleep)
        last: _Verdict = await retries.run(attempt)
        return last

    async def _retry_patiently(
        self, call: Call, verdict: Retry, patience: Patience, sleep: Sleep
    ) -> _Verdict:
        call.phase = "backing off"
        while await patience(FailedAttempt(call.sent_at, verdict.after), sleep):
            following = await self._attempt(call)
            if not isinstance(following, Retry):
                return following
            verdict, call.phase = following, "backing off"
        return verdict

    async def _attempt(self, call: Call) -> _Verdict:
        """Make one attempt as the retry policy counts them; after a 429 it sends again."""
        while True:
            call.phase = "waiting for the rate limit"
            call.ticket = await call.limiter.acquire(call.lane, call.deadline)
            if isinstance(call.ticket, Wait):
                opens_in = call.ticket.until - self._now()
                return classify_wait(opens_in, call.journal.last_status)
            reply = await self._exchange(call, call.ticket)
            verdict = await self._evaluate(call, reply)
            status = reply.status if isinstance(reply, Response) else None
            error = None if isinstance(verdict, _Decoded) else verdict.error.message
            call.journal.end_attempt(call.sent_at, status=status, error=error)
            if not isinstance(verdict, Throttled):
                return verdict
            if call.limiter is UNLIMITED:
                # It would not wait, so the storage would get one request after the other.
                return Retry(verdict.error, verdict.after)

    async def _exchange(self, call: Call, ticket: Ticket) -> Response | Failure:
        """Send the request, and settle its ticket in every case."""
        try:
            call.phase, call.sent_at = "waiting for the reply", ticket.sent_at
            call.journal.start_attempt(ticket.sent_at)
            reply = await self._transport.send(call.request, call.deadline)
        except BaseException:
            call.limiter.settle(ticket, Unseen())
            call.journal.end_attempt(ticket.sent_at, error="interrupted")
            raise
        for event in call.limiter.settle(ticket, observe(reply), self._pause):
            call.journal.report_rate_limit(event)
        return reply

    def _pause(self, refusals: int) -> float:
        """Return the seconds of silence after so many consecutive 429s without Retry-After."""
        return silence(self._policy, refusals, self._rand)

    async def _evaluate(
        self, call: Call, reply: Response | Failure
    ) -> _Decoded | Retry | Throttled | Permanent:
        verdict = classify(reply, self.redactor)
        if not isinstance(verdict, Done):
            return verdict
        read = self._read(call, verdict.response)
        if isinstance(read, _Decoded) and not call.endpoint.answers(read.model, call.request):
            # The server's late or stray reply to another request came on a pooled connection.
            await verdict.response.distrust()
            return Retry(APIConnectionError(f"the reply was about another {call.request.kind}"))
        return read

    def _read(self, call: Call, response: Response) -> _Verdict:
        # The sink has the body already, and has refused one that does not fit.
        if call.request.sink is not None:
            return _Decoded(response)
        try:
            return _Decoded(decode(response.body, call.endpoint.model))
        except APIResponseValidationError as exc:
            return classify_invalid(exc, response, self.redactor)

    @staticmethod
    def _now() -> float:
        return running_loop().time()
