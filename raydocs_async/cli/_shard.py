"""Shards: disjoint parts of the ids, for several machines; pure.

The hash of an id alone decides on its shard. So the machines need not talk to each other, and the
ids in an output file show which shard wrote it.
"""

import math
import zlib
from typing import Final, NamedTuple

_CERTAIN_IDS: Final = 16
"""Ids after which their hashes prove the number of shards."""
_MAX_TOTAL: Final = 1000
"""An inferred number of shards above this one is a coincidence of a few hashes."""


class Shard(NamedTuple):
    """One of `total` shards, with a `number` from 1."""

    number: int
    total: int

    def includes(self, session_id: str) -> bool:
        """Return True if an id, in lower case, belongs to this shard."""
        return _hash(session_id) % self.total == self.number - 1

    def describe(self) -> str:
        """Return the option that selects this shard, as part of a sentence."""
        if self == UNKNOWN_SHARD:
            return "with another --shard"
        return "without --shard" if self.total == 1 else f"with --shard {self.number}/{self.total}"


ALL_IDS: Final = Shard(1, 1)
UNKNOWN_SHARD: Final = Shard(0, 0)
"""Another shard than the configured one; the ids do not show which."""


class ShardEvidence:
    """Evidence that the ids of a file give about the shard which they were selected with.

    An id belongs to a shard by its hash modulo the number of shards. So all differences of the
    hashes are multiples of that number, and with a dozen ids their greatest common divisor is
    that number itself. With two ids it is only their difference, which proves nothing.
    """

    def __init__(self) -> None:
        self._first: int | None = None
        """Hash of the first id."""
        self._divisor = 0
        """Greatest common divisor of the differences; 0 until two different ids are known."""

    @property
    def is_empty(self) -> bool:
        """True before the first id."""
        return self._first is None

    def add(self, session_id: str) -> None:
        """Add an id, in lower case."""
        found = _hash(session_id)
        if self._first is None:
            self._first = found
        self._divisor = math.gcd(self._divisor, found - self._first)

    def find_conflict(self, shard: Shard, ids: int) -> Shard | None:
        """Return the shard that the file was begun with, if that is not `shard`.

        Without an id of another shard, the file is accepted unless there is less than one chance
        in 10 000 that `shard` is right.

        Args:
            shard: The configured one.
            ids: How many different ids were added.
        """
        if self._first is None:
            return None
        if self._divisor % shard.total == 0 and self._first % shard.total == shard.number - 1:
            # k random multiples of the total have a divisor of r * total or more with a chance
            # of about r ** (1 - k). k is one less than the ids, and k = 1 would give a chance of
            # 1: two ids must never refuse a file.
            if not self._divisor or (shard.total / self._divisor) ** (ids - 2) > 1e-4:
                return None
            return self._infer(self._divisor)
        is_certain = ids >= _CERTAIN_IDS or self._divisor % shard.total
        return self._infer(self._divisor if is_certain else shard.total)

    def _infer(self, total: int) -> Shard:
        assert self._first is not None
        return Shard(self._first % total + 1, total) if total <= _MAX_TOTAL else UNKNOWN_SHARD


def _hash(session_id: str) -> int:
    # `hash` differs from process to process, and so would the machines' shards.
    return zlib.crc32(session_id.encode("utf-8", "backslashreplace"))
