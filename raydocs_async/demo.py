"""The library at work, on nothing but this machine: ``python -m raydocs_async.demo``.

Starts the sandbox, a stand-in for the API with its rate limit, and fetches sessions from it over
HTTP, through a few faults, as an application would.
"""

import asyncio
import contextlib
from collections.abc import Iterable

from raydocs_async import RateLimit, RaydocsClient, RaydocsError, Session
from raydocs_async.sandbox import Chaos, Fault, Sandbox

SESSIONS = 150
LIMIT = 50
WINDOW = 4.0
SHOWN = 3


async def main() -> None:
    """Fetch, and tell what came of it."""
    faults = Chaos(rate=0.04, faults=(Fault.status(503), Fault.reset(), Fault.cut()), seed=1)
    async with Sandbox(limit=LIMIT, window=WINDOW, latency=0.03, chaos=faults) as api:
        print(f"A stand-in for the Raydocs API is at {api.url}:")
        print(f"{LIMIT} requests in {WINDOW:g} s, and now and then a reply fails.\n")
        clock = asyncio.get_running_loop().time
        started = clock()
        told = RateLimit(requests=LIMIT, per=WINDOW)
        async with RaydocsClient(api.token, base_url=api.url, rate_limit=told) as client:
            sessions = await fetch(client, api.ids(SESSIONS))
        seconds = clock() - started
        show(sessions)
        floor = (api.stats.accepted - 1) // LIMIT * WINDOW
        print(
            f"\n{len(sessions)} of {SESSIONS} sessions in {seconds:.1f} s; "
            f"the limit allows no less than {floor:g} s."
        )
        print(
            f"{api.stats.requests} requests, of which {api.stats.faults} failed and were "
            f"repeated; {api.stats.throttled} were refused by the rate limit."
        )


async def fetch(client: RaydocsClient, ids: Iterable[str]) -> list[Session]:
    """All sessions, with a line of progress a second."""
    sessions: list[Session] = []

    async def fetch_one(session_id: str) -> None:
        """One session, or a line that says why not."""
        try:
            sessions.append(await client.get_session(session_id))
        except RaydocsError as error:
            print(f"  {error}")

    async with asyncio.TaskGroup() as tasks:
        progress = asyncio.create_task(report(client, sessions))
        for session_id in ids:
            tasks.create_task(fetch_one(session_id))
    progress.cancel()
    return sessions


async def report(client: RaydocsClient, sessions: list[Session]) -> None:
    """Say how far it is, every second."""
    while True:
        await asyncio.sleep(1)
        status = client.rate_limit_status
        opens = f"opens in {status.resets_in:.0f} s" if status.resets_in else "opening"
        print(f"  {len(sessions):4} fetched, {status.waiting} waiting, the window {opens}")


def show(sessions: list[Session]) -> None:
    """The first few sessions, as typed values."""
    print()
    for session in sessions[:SHOWN]:
        print(f"{session.id}  {session.status}  {session.name}")
        for document in session.documents:
            print(f"    {document.filename}  {document.status}")
        for result in session.results:
            print(f"    → {result.title or result.id}: {', '.join(result.data)}")
    print(f"… and {len(sessions) - SHOWN} more")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
