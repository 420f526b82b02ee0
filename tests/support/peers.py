"""Processes at a store in Redis, and their claims."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from raydocs_async._limits import _address
from raydocs_async._limits._claim import Claim, Configuration, Grant
from raydocs_async._limits._redis import RedisStore
from raydocs_async._limits._store import StoreError
from tests.support.loops import now

JOIN = Claim(owner="a", single=1, joins=Configuration(100, 60.0))
KEY = "raydocs-async:{office}:limit"


@attrs.define
class Peer:
    """A process, and its claims."""

    url: str
    wakes: int = 0
    """Answers so far."""
    store: RedisStore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        address = _address.parse(self.url)
        assert address is not None
        self.store = RedisStore(address, self.wake)

    def wake(self) -> None:
        """Count an answer."""
        self.wakes += 1

    async def answer(self, claim: Claim) -> tuple[Claim, Grant | StoreError | None]:
        """Settle a claim, and wait for its answer."""
        answers: list[tuple[Claim, Grant | StoreError | None]] = []
        before = self.wakes
        self.store.submit(claim, now(), lambda claim, grant, at: answers.append((claim, grant)))
        assert self.store.pending
        await self.store.wait()
        assert self.wakes == before + 1
        (answer,) = answers
        return answer

    async def grant(self, claim: Claim = JOIN) -> Grant:
        """Settle a claim that must succeed."""
        _, grant = await self.answer(claim)
        assert isinstance(grant, Grant), grant
        return grant

    async def refusal(self, claim: Claim = JOIN) -> str:
        """Return why a claim has failed."""
        _, error = await self.answer(claim)
        assert isinstance(error, StoreError)
        return str(error)


@asynccontextmanager
async def peers(url: str, count: int = 1) -> AsyncIterator[list[Peer]]:
    """Return processes at a server, and close their connections afterwards."""
    made = [Peer(url) for _ in range(count)]
    yield made
    for each in made:
        await each.store.close()


def claim(owner: str, **values: object) -> Claim:
    """Return the claim of a process that has joined."""
    return attrs.evolve(JOIN, owner=owner, joins=None, **values)  # type: ignore[arg-type]
