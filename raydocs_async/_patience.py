"""Retries of bulk work: what happens between two attempts for an id.

`Health` distinguishes an outage from a bad id, and this module waits. An id has failed when
`RetryPolicy.attempts` of its attempts failed while the service worked. A failure is in doubt until
`Health` knows its cause. Failures in doubt do not count, but outside of outages an id gets at most
twice `RetryPolicy.attempts`, so that each id ends. After a failed attempt:

- The call backs off: by the policy, by Retry-After, and by the retry quota, which makes a bulk call
  wait and never makes it fail.
- If the attempts are used up and still in doubt, the call probes: it fetches an id again that got
  an answer before.
- In an outage all calls wait, and one of them at a time probes: it pauses, makes its own attempt,
  fetches the known good id, and lets another call probe. As soon as a request is answered, all
  calls continue.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import frozen

from raydocs_async._exchange import Request
from raydocs_async._outage import LONGEST_PAUSE, Health
from raydocs_async._outcome import CallResult
from raydocs_async._retry import (
    FailedAttempt,
    Patience,
    RetryPolicy,
    RetryQuota,
    Sleep,
    backoff,
    never,
)

M = TypeVar("M")

_log = logging.getLogger("raydocs_async")

Fetch: TypeAlias = Callable[[Request, Patience], Awaitable[CallResult[M]]]
"""Fetches a resource; the patience decides about the retries."""


@frozen
class Terms:
    """Bounds of the retries in bulk work."""

    policy: RetryPolicy
    quota: RetryQuota
    """Shared by all bulk work of a client. Single calls have their own, because bulk work can use
    this one up."""
    rand: Callable[[], float]
    """Returns a random number in [0, 1), for jitter."""
    max_wait: float
    """Seconds that an outage may take."""


class RetryingFetcher(Generic[M]):
    """Fetches the resources of one stream, and retries by the service's health.

    Args:
        fetch: Fetches one resource, with retries as the patience decides.
        terms: The number of attempts, and the waits between them.
        on_change: Called when `health` may have changed.
    """

    def __init__(self, fetch: Fetch[M], terms: Terms, on_change: Callable[[], None]) -> None:
        self.health = Health[Request]()
        self.terms = terms
        self.gave_up = False
        """True if an outage has taken more than `max_wait`."""
        self.probing = asyncio.Lock()
        """Held by the call that probes: one attempt at a time is enough to notice the service's
        return, and more would burden a service that is down."""
        self._fetch = fetch
        self._on_change = on_change
        self._up = asyncio.Event()

    async def fetch(self, request: Request) -> CallResult[M]:
        """Fetch a resource. A temporary failure is the id's own, unless `gave_up` is set."""
        patience = _IdPatience(self, request)
        try:
            return await self._fetch_and_record(request, patience)
        finally:
            patience.stop_probing()

    async def probe(self) -> None:
        """Fetch a resource once that was found before, if there is one."""
        if (good := self.health.known_good) is not None:
            completed = await self._fetch_and_record(good, never)
            if completed.transient:
                self.record_failure(good, completed.sent_at, final=False)

    async def probe_unless_proven(self, sent_at: float) -> None:
        """Probe, unless the service is known to have worked after `sent_at`."""
        async with self.probing:
            if not self.health.down and not self.health.proves(sent_at):
                await self.probe()

    def record_failure(self, request: Request, sent_at: float, *, final: bool) -> None:
        """Record a temporary failure; see `Health.record_failure`."""
        now = asyncio.get_running_loop().time()
        self.health.record_failure(request, sent_at, now, final=final)
        self._changed()

    async def pause(self, after: float | None) -> None:
        """Wait in an outage, until a request is answered or the next attempt is due."""
        now = asyncio.get_running_loop().time()
        pause = self.health.next_pause(after, now, self.terms.max_wait)
        if pause is None:
            self.gave_up = True
        else:
            self.health.record_pause(now + pause)
            _log.info("nothing gets through: the next attempt is in %.1f s", pause)
            await _wait_for(self._up, pause)

    async def _fetch_and_record(self, request: Request, patience: Patience) -> CallResult[M]:
        completed = await self._fetch(request, patience)
        if completed.answered:
            found = completed.model is not None
            now = asyncio.get_running_loop().time()
            down_for = self.health.down_for(now)
            self.health.record_answer(request, completed.sent_at, found=found)
            if found:
                self.terms.quota.refund(now)
            if down_for is not None:
                self._changed()
            if down_for is not None and not self.health.down:
                _log.info("requests get through again, after %.1f s", down_for)
        return completed

    def _changed(self) -> None:
        if self.health.down:
            self._up.clear()
        else:
            self._up.set()
        self._on_change()


class _IdPatience:
    """The `Patience` with one id: counts its failures, and waits before the next attempt."""

    def __init__(self, fetcher: RetryingFetcher[Any], request: Request) -> None:
        self._fetcher = fetcher
        self._request = request
        self._counted = 0
        """Failures that count: those while the service worked."""
        self._since_outage = 0
        """Failures since the last outage, those in doubt included."""
        self._is_probing = False

    async def __call__(self, failed: FailedAttempt, sleep: Sleep) -> bool:
        """Wait until the next attempt may be made; return False when the id has failed."""
        # Each step can tell more about the cause of the failure, so that the order counts: first
        # record it, then probe, back off, probe in doubt, and at last decide.
        fetcher, policy = self._fetcher, self._fetcher.terms.policy
        final = (failed.after or 0.0) > policy.max_retry_after
        self._since_outage += 1
        fetcher.record_failure(self._request, failed.sent_at, final=final)
        health = fetcher.health
        if self._is_probing:
            await fetcher.probe()
            self.stop_probing()
        if health.proves(failed.sent_at) and (final or self._counted + 1 >= policy.attempts):
            return False
        if not health.down:
            await self._back_off(failed, sleep, final=final)
        if not health.down and (final or self._since_outage >= policy.attempts):
            await fetcher.probe_unless_proven(failed.sent_at)
        if health.down:
            return await self._wait_out_outage(failed)
        self._counted += health.proves(failed.sent_at)
        return (
            not final
            and self._counted < policy.attempts
            and self._since_outage < 2 * policy.attempts
        )

    def stop_probing(self) -> None:
        """Let another call probe, if this one does."""
        if self._is_probing:
            self._is_probing = False
            self._fetcher.probing.release()

    async def _back_off(self, failed: FailedAttempt, sleep: Sleep, *, final: bool) -> None:
        terms, now = self._fetcher.terms, asyncio.get_running_loop().time()
        if not final:
            # Attempts in doubt may be twice as many, but their waits need not be longer.
            failures = max(1, min(self._since_outage, terms.policy.attempts - 1))
            delay = backoff(terms.policy, failures, terms.rand)
            await sleep(max(delay, failed.after or 0.0, terms.quota.reserve(now)))
        elif self._fetcher.health.known_good is None:
            # No id can be probed. Meanwhile other ids may show if the service works.
            await asyncio.sleep(LONGEST_PAUSE)

    async def _wait_out_outage(self, failed: FailedAttempt) -> bool:
        """Wait for the outage's end, or until this call may probe."""
        fetcher = self._fetcher
        self._since_outage = 0
        await fetcher.probing.acquire()
        self._is_probing = True
        if fetcher.health.down:
            await fetcher.pause(failed.after)
        if not fetcher.health.down:
            self.stop_probing()
        self._counted += fetcher.health.proves(failed.sent_at)
        return not fetcher.gave_up and self._counted < fetcher.terms.policy.attempts


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
