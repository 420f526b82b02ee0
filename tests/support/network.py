"""Ways not to reach a server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.support.wire import End


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a port whose queue of connections is full, so that further ones hang."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for filler in fillers:
            filler.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def refused() -> Iterator[str]:
    """The URL of a port that is taken, so that nobody else gets it, and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class Resolver(AbstractResolver):
    """A DNS of our own: each look-up takes the next of its answers, the last one for ever.

    An answer is an exception, ``End.HANG`` for none at all, or ``None`` for 127.0.0.1.
    """

    def __init__(self, *answers: Exception | Literal[End.HANG] | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Look `host` up."""
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer is End.HANG:
            await asyncio.Event().wait()
        found = ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
        )
        return [found]

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def session_by(resolver: Resolver) -> AsyncIterator[aiohttp.ClientSession]:
    """A session to borrow that asks `resolver`."""
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session
