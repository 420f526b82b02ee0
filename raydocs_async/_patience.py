"""Retries of bulk work: what happens between two attempts for an id.

`Health` judges, and this module waits. An id has failed when `RetryPolicy.attempts` of its attempts
failed while the service worked. An attempt whose cause is in doubt does not count, but there are
at most twice as many outside of outages, so that each id comes to an end:

- First the call backs off: by the policy, by Retry-After, and by the retry quota, which makes a
  bulk call wait and never makes it fail.
- If its attempts are used up and still in doubt, an id that got through before is asked for again.
- In an outage all wait. One call has the turn: it pauses, makes its attempt, asks for the known
  good id, and passes the turn on. As soon as anything gets through, all go on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import frozen

from raydocs_async._exchange import Request
from raydocs_async._outage import LONGEST_PAUSE, Health
from raydocs_async._outcome import Completed
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

Fetch: TypeAlias = Callable[[Request, Patience], Awaitable[Completed[M]]]


@frozen
class Terms:
    """Bounds of the retries in bulk work."""

    policy: RetryPolicy
    quota: RetryQuota
    """Shared by all bulk work of a client, and by nothing else: bulk work can use it up."""
    rand: Callable[[], float]
    max_wait: float
    """Seconds that an outage may take."""


class Watch(Generic[M]):
    """The requests of one stream, and the service's health by their replies.

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
        self.turn = asyncio.Lock()
        """Held by the call that makes attempts in an outage, and by a probe."""
        self._fetch = fetch
        self._on_change = on_change
        self._up = asyncio.Event()

    async def fetch(self, request: Request) -> Completed[M]:
        """Fetch a resource. A temporary failure is the id's own, unless `gave_up` is set."""
        trial = _Trial(self, request)
        try:
            return await self._noted(request, trial)
        finally:
            trial.pass_on()

    async def probe(self) -> None:
        """Ask once for a resource that was found before, if there is one."""
        if (good := self.health.known_good) is not None:
            completed = await self._noted(good, never)
            if completed.transient:
                self.failed(good, completed.sent_at, for_long=False)

    async def probe_unless_proven(self, sent_at: float) -> None:
        """Probe, one call at a time, unless the service is known to have worked after `sent_at`."""
        async with self.turn:
            if not self.health.down and not self.health.proves(sent_at):
                await self.probe()

    def failed(self, request: Request, sent_at: float, *, for_long: bool) -> None:
        """Note a temporary failure."""
        now = asyncio.get_running_loop().time()
        self.health.failed(request, sent_at, now, for_long=for_long)
        self._changed()

    async def pause(self, after: float | None) -> None:
        """Wait in an outage, until something gets through or the next attempt is due."""
        now = asyncio.get_running_loop().time()
        pause = self.health.next_pause(after, now, self.terms.max_wait)
        if pause is None:
            self.gave_up = True
        else:
            self.health.pause()
            _log.info("nothing gets through: the next attempt is in %.1f s", pause)
            await _wait_for(self._up, pause)

    async def _noted(self, request: Request, patience: Patience) -> Completed[M]:
        completed = await self._fetch(request, patience)
        if completed.answered:
            found = completed.model is not None
            down_for = self.health.down_for(asyncio.get_running_loop().time())
            self.health.answered(request, completed.sent_at, found=found)
            if down_for is not None and not self.health.down:
                _log.info("requests get through again, after %.1f s", down_for)
            if found:
                self.terms.quota.refund(asyncio.get_running_loop().time())
            self._changed()
        return completed

    def _changed(self) -> None:
        if self.health.down:
            self._up.clear()
        else:
            self._up.set()
        self._on_change()


class _Trial:
    """The patience with one id: counts its attempts, and waits between them."""

    def __init__(self, watch: Watch[Any], request: Request) -> None:
        self._watch = watch
        self._request = request
        self._own = 0
        """Failed attempts while the service worked."""
        self._made = 0
        """Failed attempts since the last outage."""
        self._has_turn = False

    async def __call__(self, failed: FailedAttempt, sleep: Sleep) -> bool:
        """Wait until the next attempt may be made; return False when the id has failed."""
        # In this order: count, learn from the turn's probe, back off, probe in doubt, judge.
        watch, policy = self._watch, self._watch.terms.policy
        barred = (failed.after or 0.0) > policy.max_retry_after
        self._made += 1
        watch.failed(self._request, failed.sent_at, for_long=barred)
        if self._has_turn:
            await watch.probe()
            self.pass_on()
        if watch.health.proves(failed.sent_at) and (barred or self._own + 1 >= policy.attempts):
            return False
        if not watch.health.down:
            await self._back_off(failed, sleep, barred=barred)
        if not watch.health.down and (barred or self._made >= policy.attempts):
            await watch.probe_unless_proven(failed.sent_at)
        if watch.health.down:
            return await self._outlast(failed)
        self._own += watch.health.proves(failed.sent_at)
        return not barred and self._own < policy.attempts and self._made < 2 * policy.attempts

    def pass_on(self) -> None:
        """Let another call have the turn."""
        if self._has_turn:
            self._has_turn = False
            self._watch.turn.release()

    async def _back_off(self, failed: FailedAttempt, sleep: Sleep, *, barred: bool) -> None:
        terms, now = self._watch.terms, asyncio.get_running_loop().time()
        if not barred:
            # Attempts in doubt may be twice as many, but their waits need not be longer.
            failures = max(1, min(self._made, terms.policy.attempts - 1))
            delay = backoff(terms.policy, failures, terms.rand)
            await sleep(max(delay, failed.after or 0.0, terms.quota.reserve(now)))
        elif self._watch.health.known_good is None:
            await asyncio.sleep(LONGEST_PAUSE)  # meanwhile other ids may tell

    async def _outlast(self, failed: FailedAttempt) -> bool:
        """Wait for the outage's end, or for the turn to make an attempt in it."""
        watch = self._watch
        self._made = 0
        await watch.turn.acquire()
        self._has_turn = True
        if watch.health.down:
            await watch.pause(failed.after)
        if not watch.health.down:
            self.pass_on()
        self._own += watch.health.proves(failed.sent_at)
        return not watch.gave_up and self._own < watch.terms.policy.attempts


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
