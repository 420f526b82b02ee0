"""Stores of a shared limit in memory: one that answers at once, later, or when it is asked to."""

import asyncio
from collections.abc import Callable

import attrs

from raydocs_async._limits._claim import Claim, Grant
from raydocs_async._limits._ledger import transact
from raydocs_async._limits._record import Record, Stamped, decode, encode
from raydocs_async._limits._store import Answer, LocalStore, Store, StoreError


@attrs.define
class MemoryStore(LocalStore):
    """A store of bytes that can be made to fail."""

    name: str = "memory"
    data: bytes = b""
    failure: str | None = None
    """The reason why it cannot be used; ``None`` while it works."""
    locked: bool = False
    """True while a process that does not go on holds the lock."""
    transactions: int = 0

    def transact(self, claim: Claim, now: float) -> Grant | None:
        """Settle a claim; see `LocalStore`."""
        found = self._read()
        if self.locked:
            return None
        self.transactions += 1
        record, grant = transact(found, claim, now)
        self.data = encode(Stamped(clock="c", at=now, wall=now, record=record))
        return grant

    def look(self, claim: Claim, now: float) -> Grant | None:
        """Return what `transact` would grant; see `LocalStore`."""
        record = self._read()
        return None if record is None else transact(record, claim, now)[1]

    def _read(self) -> Record | None:
        if self.failure is not None:
            raise StoreError(self.failure)
        return self.record

    @property
    def record(self) -> Record | None:
        """A fresh copy of the record; ``None`` if there is none."""
        return decode(self.data).record if self.data else None


@attrs.define(eq=False)
class LaterStore(Store):
    """A store whose answers come in a later turn of the event loop."""

    store: MemoryStore
    wake: Callable[[], None]
    name: str = "later"
    looks_every: float = 0.0
    pending: bool = False
    closed: int = 0
    _answered: asyncio.Event = attrs.Factory(asyncio.Event)

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Settle a claim in the next turn."""

        def settle() -> None:
            self.pending = False
            self._answered.set()
            self.store.submit(claim, asyncio.get_running_loop().time(), answer)
            self.wake()

        self.pending = True
        self._answered.clear()
        asyncio.get_running_loop().call_soon(settle)

    async def wait(self) -> None:
        """Wait for the answer on its way."""
        while self.pending:
            await self._answered.wait()

    async def close(self) -> None:
        """Count this."""
        await self.wait()
        self.closed += 1


@attrs.define
class HeldStore(Store):
    """A store that answers when it is asked to."""

    store: MemoryStore = attrs.Factory(MemoryStore)
    name: str = "later"
    looks_every: float = 0.02
    pending: bool = False
    claims: list[Claim] = attrs.Factory(list)
    _answer: Answer | None = None

    async def wait(self) -> None:
        """Return at once."""

    async def close(self) -> None:
        """Return at once."""

    def submit(self, claim: Claim, now: float, answer: Answer) -> None:
        """Keep a claim."""
        assert not self.pending
        self.claims.append(claim)
        self.pending, self._answer = True, answer

    def answer(self, now: float, failure: str | None = None) -> None:
        """Settle the claim and answer it."""
        answer = self._answer
        assert answer is not None
        self.pending = False
        self.store.failure = failure
        self.store.submit(self.claims[-1], now, answer)
