"""The hits that one process may spend without asking the store; pure."""

import math
from typing import Final

from attrs import define

from raydocs_async._limits._claim import Grant
from raydocs_async._limits._values import Lane

QUICK: Final = 0.1
"""Seconds; if a lease is used up faster, the next one is larger."""
MAX_AHEAD: Final = 256
"""Hits that are leased ahead, at most."""


@define
class Lease:
    """Hits of the shared window that are this process's to spend."""

    single: int = 0
    """Hits for single calls alone."""
    any: int = 0
    """Hits for any call."""
    expires_at: float = -math.inf
    leased_at: float = -math.inf
    used: bool = False
    """True if a hit was spent since the last beat."""
    batch: int = 1
    """Hits to lease ahead of the need."""

    @property
    def left(self) -> int:
        """Hits that are not spent."""
        return self.single + self.any

    def renew(self, grant: Grant, now: float) -> None:
        """Take the hits of a grant instead of those that are left."""
        self.single, self.any = grant.single, grant.any
        self.expires_at, self.leased_at = grant.expires_at, now

    def drop(self) -> None:
        """Forget the hits that are left; the next claim gives them back."""
        self.single = self.any = 0

    def spend(self, lane: Lane, now: float) -> bool:
        """Take a hit, if there is one."""
        if now >= self.expires_at:
            self.drop()
        if lane is Lane.SINGLE and self.single:
            self.single -= 1
        elif self.any:
            self.any -= 1
        else:
            return False
        self.used = True
        return True

    def plan(self, now: float) -> int:
        """Return the hits to lease ahead; more and more while they are used up quickly."""
        if self.used and now < self.leased_at + QUICK:
            self.batch = min(2 * self.batch, MAX_AHEAD)
        return self.batch

    def beat(self) -> None:
        """Drop the hits that are left if none was spent since the last beat."""
        if not self.used and self.left:
            self.drop()
            self.batch = max(1, self.batch // 2)
        self.used = False
