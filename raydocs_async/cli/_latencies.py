"""The distribution of latencies in bounded memory; pure."""

import math
from typing import Final

from attrs import define, field

_SHORTEST: Final = 0.001
"""Seconds up to which latencies are not distinguished."""
_GROWTH: Final = 1.05
"""The ratio of two neighbouring bounds, and so the relative error of a quantile."""
_BUCKETS: Final = 300
"""The last bound is 36 min, which no attempt takes."""


@define
class Latencies:
    """A histogram whose bounds grow by a constant ratio."""

    max: float | None = None
    """The longest latency in seconds; ``None`` before the first one."""
    _counts: list[int] = field(factory=lambda: [0] * _BUCKETS)

    def add(self, seconds: float) -> None:
        """Count a latency."""
        steps = math.log(max(seconds / _SHORTEST, 1.0), _GROWTH)
        self._counts[min(math.ceil(steps), _BUCKETS - 1)] += 1
        self.max = seconds if self.max is None else max(self.max, seconds)

    def quantile(self, share: float) -> float | None:
        """Return the seconds that `share` of the latencies do not exceed, at most 5 % too many.

        ``None`` before the first one.
        """
        if self.max is None:
            return None
        wanted, index = share * sum(self._counts), 0
        below = self._counts[0]
        while below < wanted:
            index += 1
            below += self._counts[index]
        return min(_SHORTEST * _GROWTH**index, self.max)
