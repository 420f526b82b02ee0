"""The server of the rate-limit benchmark: the sandbox, in a process of its own.

    python bench/ratelimit_server.py '{"limit": 100, "window": 3.0}'

It takes a `Setup` as JSON and prints its URL; when its standard input ends, it prints every
request that it has seen, as a list of `Hit`s.
"""

import asyncio
import json
import sys
from typing import NamedTuple

import attrs
from aiohttp import web

from raydocs_async.sandbox import Sandbox
from raydocs_async.sandbox._base import Exchange
from raydocs_async.sandbox._clock import Clock
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._replies import Reply

TOKEN = "sandbox-token"
SESSIONS = 1000
FOREIGN_ID = session_id(SESSIONS - 1)
"""The session that others ask for, by which their requests are told from the contender's."""
PHASE = 0.5
"""Where in a second of the server's clock a run starts; it decides how Retry-After is cut."""

_telling = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")


@attrs.frozen(kw_only=True)
class Setup:
    """What kind of server it is to be."""

    limit: int = 100
    """Hits in a window."""
    window: float = 3.0
    """Seconds that a window lasts."""
    latency: float = 0.03
    """Seconds that an accepted request takes."""
    phase: float = PHASE
    """See `PHASE`; with a window that was emptied before, where that window starts."""
    headers: bool = True
    """Whether replies tell of the limit; something in front of the service might not."""
    emptied: float | None = None
    """So many seconds ago, others have opened a window and taken all of it; ``None``: no."""
    change_after: int | None = None
    """With how many hits in all the limit becomes `changed`; ``None``: it stays."""
    changed: int = 40


class Hit(NamedTuple):
    """One request."""

    at: float
    """When it arrived, in seconds since the server started."""
    refused: bool
    window: int
    """The number of the window that was open then, or was opened by it."""
    foreign: bool
    """Whether it was one of the others'."""


class BenchSandbox(Sandbox):
    """The sandbox with what only this benchmark asks of it."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(
            setup.limit,
            setup.window,
            sessions=SESSIONS,
            latency=setup.latency,
            token=TOKEN,
            log_size=1_000_000,
        )
        self.setup = setup

    async def _answer(self, exchange: Exchange, clock: Clock) -> Reply:
        if self.stats.accepted == self.setup.change_after:
            self.throttle.limit = self.setup.changed
        return await super()._answer(exchange, clock)

    def _with_headers(self, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
        response = super()._with_headers(response, reply)
        if not self.setup.headers:
            for name in _telling:
                response.headers.popall(name, None)
        return response


async def prepare(api: Sandbox, setup: Setup) -> None:
    """Wait for the right fraction of a second; empty the first window if that is asked for."""
    await asyncio.sleep((setup.phase - api.now) % 1)
    if setup.emptied is not None:
        for _ in range(setup.limit):
            api.throttle.hit(api.now)
        await asyncio.sleep(setup.emptied)


def report(api: Sandbox) -> list[Hit]:
    """What was seen, in the order of arrival."""
    return sorted(
        Hit(entry.time, entry.status == 429, entry.window, entry.resource_id == FOREIGN_ID)
        for entry in api.log
    )


async def main(setup: Setup) -> None:
    """Serve until standard input ends."""
    async with BenchSandbox(setup) as api:
        await prepare(api, setup)
        print(api.url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        print(json.dumps(report(api)))


if __name__ == "__main__":
    asyncio.run(main(Setup(**json.loads(sys.argv[1]))))
