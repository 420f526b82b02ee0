"""The place where the processes of an address keep their shared record; pure.

A store settles claims one after another. All decisions are those of `_ledger.transact`, a pure
function of the record; a store reads the record, lets it decide, and writes the result, so that no
other process can write in between.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol, TypeAlias

from attrs import evolve

from raydocs_async._limits._claim import Claim, Grant


class StoreError(Exception):
    """The store cannot be used; the text gives the reason."""


Answer: TypeAlias = Callable[[Claim, "Grant | StoreError | None", float], None]
"""Takes a claim, its grant (``None``: the store is locked) and the time. If the claim only looked,
`Claim.looks` is still true."""


class Store(Protocol):
    """Keeps the shared record."""

    name: str
    """Its kind and place, for messages; without a password."""
    pending: bool
    """True while the answer to a claim is on its way. No other claim may be submitted then."""
    looks_every: float
    """Seconds between two looks, at least."""

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Settle a claim, and call `answer` once: at once, or in a later turn of the event loop.

        A claim that looks is settled only if hits would be granted; else it changes nothing.
        """
        ...

    async def wait(self) -> None:
        """Wait for the answer on its way."""
        ...

    async def close(self) -> None:
        """Wait for the answer on its way, and close the connection; a claim opens it again."""
        ...


class LocalStore(Store):
    """A store that answers at once."""

    pending = False
    looks_every = 0.0

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Settle a claim at once; see `Store`."""
        grant: Grant | StoreError | None
        try:
            grant = self.look(claim, now) if claim.looks else None
            if grant is None or grant.hits:
                claim = evolve(claim, looks=False)
                grant = self.transact(claim, now)
        except StoreError as error:
            grant = error
        answer(claim, grant, now)

    async def wait(self) -> None:
        """Do nothing, because every claim is answered at once."""

    async def close(self) -> None:
        """Do nothing, because nothing is open between two claims."""

    @abstractmethod
    def transact(self, claim: Claim, now: float) -> Grant | None:
        """Settle a claim, or return ``None`` if the store is locked.

        Raises:
            StoreError: the store cannot be used.
        """

    @abstractmethod
    def look(self, claim: Claim, now: float) -> Grant | None:
        """Return what `transact` would grant now, without a lock; ``None`` if there is no record.

        Raises:
            StoreError: the store cannot be used.
        """
