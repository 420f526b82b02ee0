"""Outage or bad id: which of the two a temporary failure in a bulk job is.

An id's failure says nothing by itself: a gateway answers 502 for a session that is too large, and
for every session while the service restarts. Only other requests tell the two apart:

- A request that got an answer, whatever it was, *proves* that the service worked after it was
  sent. A failed attempt counts against its id only if such a request was sent after it. A slow
  answer to an older request proves nothing, because the service may have broken in between.
- *Nothing gets through* when several failures in a row, of more than one id, were all sent after
  the newest proof. That is an outage, and is nobody's failure.

Before anything at all got through, the job may have begun in an outage, or with bad ids. More
different ids have to fail then.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from attrs import define, field

K = TypeVar("K", bound=Hashable)

FAILURES = 5
"""Failures in a row that make an outage."""
DIFFERENT_IDS = 2
"""Ids that have to be among them, the known good one included."""
IDS_IN_DOUBT = 4
"""Ids that have to be among them while nothing has got through yet."""
SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
"""Seconds between two attempts in an outage; the pause doubles from one to the other."""

_SHORTEST_REST = 0.05
"""Seconds of `max_wait` that are worth one more attempt; a timer can fire a little early."""
_REMEMBERED = 64
"""Failures that are kept; an outage of hours has no more to tell than its last ones."""


def _remembered(failures: Iterable[tuple[float, K]] = ()) -> deque[tuple[float, K]]:
    return deque(failures, maxlen=_REMEMBERED)


@define(eq=False)
class Health(Generic[K]):
    """Health of the service by the requests of one stream; times in the event loop's seconds.

    `K` stands for an id in any form, so that the service's resources play no part.
    """

    known_good: K | None = None
    """The id that was answered last, if possible by its resource; a probe asks for it again."""
    proven_at: float = -math.inf
    """When the newest request that was answered was sent."""
    since: float | None = None
    """When the outage began; ``None`` while there is none."""
    _found: bool = False
    _pauses: int = 0
    _failures: deque[tuple[float, K]] = field(factory=_remembered)
    """When each failed attempt after the proof was sent, and for which id."""

    @property
    def down(self) -> bool:
        """True while nothing gets through."""
        return self.since is not None

    @property
    def in_doubt(self) -> bool:
        """True if attempts have failed, and nothing has ever got through."""
        return self.known_good is None and bool(self._failures)

    def proves(self, sent_at: float) -> bool:
        """Return True if the service worked after an attempt was sent at `sent_at`."""
        return self.proven_at > sent_at

    def answered(self, key: K, sent_at: float, *, found: bool) -> None:
        """Note an answer: the resource, if it was `found`, or another final answer."""
        if found or not self._found:
            self.known_good, self._found = key, found
        self.proven_at = max(self.proven_at, sent_at)
        if self._failures:
            newer = (each for each in self._failures if each[0] > self.proven_at)
            self._failures = _remembered(newer)
        if not self._nothing_gets_through():
            self.since, self._pauses = None, 0

    def failed(self, key: K, sent_at: float, now: float, *, for_long: bool = False) -> None:
        """Note a temporary failure.

        Args:
            key: The id of the failed request.
            sent_at: When the request was sent.
            now: When the failure is noted.
            for_long: True if the service asked to stay away for longer than a call waits. This id
                gets no more attempts then, so this one failure stands for all of them.
        """
        if not self.proves(sent_at):
            self._failures.extend([(sent_at, key)] * (FAILURES if for_long else 1))
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
            The pause, or ``None`` if the outage takes too long, or will by Retry-After.
        """
        left = max_wait - (self.down_for(now) or 0.0)
        asked = after or 0.0
        if left < _SHORTEST_REST or asked > left:
            return None
        usual = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(self._pauses, 10))
        return max(asked, min(usual, left))

    def pause(self) -> None:
        """Note that a pause begins, so that the next one is longer."""
        self._pauses += 1

    def _nothing_gets_through(self) -> bool:
        different = len({key for _, key in self._failures})
        enough = IDS_IN_DOUBT if self.known_good is None else DIFFERENT_IDS
        return len(self._failures) >= FAILURES and different >= enough
