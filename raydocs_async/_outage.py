"""Outage or bad id: the cause of a temporary failure in a bulk job.

One failure does not show its cause: a gateway answers 502 for a session that is too large, and for
every session while the service restarts. Only other requests distinguish the two:

- A request that got an answer, an error of the service included, *proves* that the service worked
  after that request was sent. A failed attempt counts against its id only if such a request was
  sent after the attempt. A slow answer to an older request proves nothing, because the service may
  have broken in between.
- *Nothing gets through* if several consecutive failures, of more than one id, were all sent after
  the newest proof. That is an outage, and counts against no id.

Before the first answer, the job may have begun in an outage, or with bad ids. More different ids
have to fail then.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from attrs import define, field

K = TypeVar("K", bound=Hashable)

FAILURES = 5
"""Consecutive failures that make an outage."""
DIFFERENT_IDS = 2
"""Ids that have to be among them, the known good one included."""
IDS_IN_DOUBT = 4
"""Ids that have to be among them before the first answer."""
SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds between two attempts in an outage; the pause doubles from the shortest to the longest."""

_SHORTEST_REST = 0.05
"""Seconds of `max_wait` that are worth one more attempt; a timer can fire a little early."""
_REMEMBERED = 64
"""Failures that are kept, so that an outage of hours takes no more memory than a short one."""


def _remembered(failures: Iterable[tuple[float, K]] = ()) -> deque[tuple[float, K]]:
    return deque(failures, maxlen=_REMEMBERED)


@define(eq=False)
class Health(Generic[K]):
    """Health of the service by the requests of one stream; times in the event loop's seconds.

    `K` is an id in any form, because the rules do not depend on the kind of resource.
    """

    known_good: K | None = None
    """The id that a probe fetches again: the last one that was found or, before the first such, the
    last one that got another answer."""
    proven_at: float = -math.inf
    """When the newest request that was answered was sent."""
    since: float | None = None
    """When the outage began; ``None`` while there is none."""
    _found: bool = False
    _pauses: int = 0
    _next_attempt_at: float = -math.inf
    _failures: deque[tuple[float, K]] = field(factory=_remembered)
    """When each failed attempt after the proof was sent, and for which id."""

    @property
    def down(self) -> bool:
        """True while nothing gets through."""
        return self.since is not None

    @property
    def in_doubt(self) -> bool:
        """True if attempts have failed, and no request was ever answered."""
        return self.known_good is None and bool(self._failures)

    def proves(self, sent_at: float) -> bool:
        """Return True if the service worked after an attempt was sent at `sent_at`."""
        return self.proven_at > sent_at

    def record_answer(self, key: K, sent_at: float, *, found: bool) -> None:
        """Record an answer: the resource, if it was `found`, or another final answer."""
        # An id with a resource is the better probe; until there is one, any answered id will do.
        if found or not self._found:
            self.known_good, self._found = key, found
        self.proven_at = max(self.proven_at, sent_at)
        if self._failures:
            newer = (each for each in self._failures if each[0] > self.proven_at)
            self._failures = _remembered(newer)
        if not self._nothing_gets_through():
            self.since, self._pauses = None, 0

    def record_failure(self, key: K, sent_at: float, now: float, *, final: bool = False) -> None:
        """Record a temporary failure.

        Args:
            key: The id of the failed request.
            sent_at: When the request was sent.
            now: The current time.
            final: True if the id gets no more attempts, because its Retry-After is longer than a
                call waits. This one failure then counts as all that make an outage.
        """
        if not self.proves(sent_at):
            self._failures.extend([(sent_at, key)] * (FAILURES if final else 1))
        if self.since is None and self._nothing_gets_through():
            self.since = now

    def down_for(self, now: float) -> float | None:
        """Return the seconds since the outage began; ``None`` while there is none."""
        return None if self.since is None else now - self.since

    def next_pause(self, after: float | None, now: float, max_wait: float) -> float | None:
        """Return the seconds before the next attempt in an outage.

        Args:
            after: Retry-After of the last attempt, if it had one.
            now: The current time.
            max_wait: Seconds that the outage may take. The last attempt is made at their end.

        Returns:
            The pause, or ``None`` if the outage has taken too long, or by Retry-After will.
        """
        left = max_wait - (self.down_for(now) or 0.0)
        asked = after or 0.0
        if left < _SHORTEST_REST or asked > left:
            return None
        usual = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(self._pauses, 10))
        return max(asked, min(usual, left))

    def record_pause(self, until: float) -> None:
        """Record that a pause begins, so that the next one is longer."""
        self._pauses += 1
        self._next_attempt_at = until

    def next_attempt_in(self, now: float) -> float | None:
        """Return the seconds until the pause is over; ``None`` outside of an outage's pauses."""
        is_pausing = self.down and self._next_attempt_at > now
        return self._next_attempt_at - now if is_pausing else None

    def _nothing_gets_through(self) -> bool:
        different = len({key for _, key in self._failures})
        enough = IDS_IN_DOUBT if self.known_good is None else DIFFERENT_IDS
        return len(self._failures) >= FAILURES and different >= enough
