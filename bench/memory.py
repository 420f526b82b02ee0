"""Memory: a million ids through a stream, and a hundred thousand calls that wait.

    python bench/memory.py
    python bench/memory.py --waiting

Nothing is sent: the transport is replaced by one that answers at once, so that what is measured
is the library's own.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec
from multidict import CIMultiDict

from raydocs_async import RateLimit, RaydocsClient
from raydocs_async._exchange import Request, Response
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_session

IDS = 1_000_000
WARM_UP = 10_000
CALLS = 100_000
PAGE = resource.getpagesize()

_TEMPLATE = {**build_session(session_id(0)), "documents": [], "results": []}


def resident() -> float:
    """Megabytes of memory in use now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE / 1e6


class Answering:
    """A transport that has every session at once, and no headers."""

    def __init__(self) -> None:
        self._before, self._after = msgspec.json.encode(_TEMPLATE).split(session_id(0).encode(), 1)

    async def send(self, request: Request, deadline: float) -> Response:
        """The session asked for, after one turn of the event loop."""
        await asyncio.sleep(0)
        body = self._before + str(request.id).encode() + self._after
        return Response(200, CIMultiDict[str](), body)

    async def close(self) -> None:
        """There is nothing to close."""


def client(rate_limit: RateLimit | None) -> RaydocsClient:
    """A client on the stand-in."""
    return RaydocsClient("bench-token", transport=Answering(), rate_limit=rate_limit)


def ids() -> Iterator[UUID]:
    """A million ids, one after the other."""
    return (UUID(int=number) for number in range(IDS))


async def stream() -> None:
    """A million ids from a generator: growth after the first ten thousand."""
    started, done, base, tasks = time.perf_counter(), 0, 0.0, 0
    async for _ in client(None).stream_sessions(ids()):
        done += 1
        if done == WARM_UP:
            base = resident()
        if done % 100_000 == 0:
            tasks = max(tasks, len(asyncio.all_tasks()))
    seconds = time.perf_counter() - started
    print(
        f"{done} sessions streamed in {seconds:.0f} s: {resident() - base:+.1f} MB "
        f"after the first {WARM_UP}, never more than {tasks} tasks"
    )


async def waiting() -> None:
    """A hundred thousand calls at a time, all but a few of which wait for the next window."""
    limited = client(RateLimit(requests=10, per=3600, max_wait=7200))
    base = resident()
    calls = [
        asyncio.create_task(limited.get_session(UUID(int=number), timeout=None))
        for number in range(CALLS)
    ]
    await asyncio.sleep(1)
    waiting = limited.rate_limit_status.waiting
    print(f"{waiting} calls waiting: {(resident() - base) * 1e6 / CALLS:.0f} bytes a call")
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    print(f"cancelled: {limited.rate_limit_status.waiting} waiting")


if __name__ == "__main__":
    asyncio.run(waiting() if "--waiting" in sys.argv else stream())
