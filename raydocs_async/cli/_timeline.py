"""Requests over time, in a bounded number of buckets; pure."""

from typing import Final

from attrs import define, field

MAX_BUCKETS: Final = 240


@define
class Timeline:
    """Counts of requests and of 429s, in buckets of equal width from the start of a job.

    When all buckets are used, each two neighbours become one, so that the width doubles. So a job
    of a minute has a bucket for each second, and one of a week takes no more memory.
    """

    seconds_per_bucket: float = 1.0
    """A power of two, so that a quotient by it is exact."""
    requests: list[int] = field(factory=list)
    """Requests that were sent."""
    rate_limited: list[int] = field(factory=list)
    """Those of them that were refused by a 429."""

    def add_request(self, at: float) -> None:
        """Count a request that was sent `at` seconds after the start."""
        index = self._reach(at)  # before the list is read, which it can replace
        self.requests[index] += 1

    def add_refusal(self, at: float) -> None:
        """Count a 429 to a request that was sent `at` seconds after the start."""
        index = self._reach(at)
        self.rate_limited[index] += 1

    def _reach(self, at: float) -> int:
        """Return the index of the bucket for a time; make it if it is missing."""
        while at >= MAX_BUCKETS * self.seconds_per_bucket:
            self.requests = merge_neighbours(self.requests)
            self.rate_limited = merge_neighbours(self.rate_limited)
            self.seconds_per_bucket *= 2
        index = int(at / self.seconds_per_bucket)
        missing = index + 1 - len(self.requests)  # below 0, nothing is added
        self.requests += [0] * missing
        self.rate_limited += [0] * missing
        return index


def merge_neighbours(counts: list[int]) -> list[int]:
    """Return the sums of each two neighbours; the last one may stay alone."""
    return [sum(counts[first : first + 2]) for first in range(0, len(counts), 2)]
