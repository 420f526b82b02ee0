"""``demo``: ``fetch`` at work, on a sandbox of its own."""

import tempfile
from pathlib import Path

from raydocs_async import RateLimit, RaydocsClient
from raydocs_async.cli._exit import CannotStart, Exit
from raydocs_async.cli._fetch import Job, fetch, perform
from raydocs_async.cli._output import JsonLines
from raydocs_async.cli._progress import choose
from raydocs_async.cli._sandbox import FAULTS
from raydocs_async.cli._scan import SessionLine
from raydocs_async.cli._streams import say
from raydocs_async.sandbox import Chaos, Sandbox

SESSIONS = 300
LIMIT = 60
WINDOW = 3.0


def run(*, output: str | None, quiet: bool) -> Exit:
    """Fetch a few hundred sessions, and tell what came of it."""
    if output and Path(output).is_file():
        raise CannotStart(f"{output} is there already; move it away")
    path = output or str(Path(tempfile.mkdtemp(prefix="raydocs-async-"), "sessions.jsonl"))
    job = Job(JsonLines.open(path, SessionLine), None, choose(quiet=quiet))
    api = Sandbox(LIMIT, WINDOW, latency=0.03, chaos=Chaos(rate=0.04, faults=FAULTS, seed=1))
    if not quiet:
        say(
            f"A stand-in for the API on this machine: {LIMIT} requests in {WINDOW:g} s, "
            "and some go wrong."
        )
    return perform(_fetch_all(api, job, quiet=quiet), job, quiet=quiet)


async def _fetch_all(api: Sandbox, job: Job, *, quiet: bool) -> None:
    told = RateLimit(requests=LIMIT, per=WINDOW)
    async with api:
        client = RaydocsClient(api.token, base_url=api.url, rate_limit=told)
        await fetch(client, api.ids(SESSIONS), job)
    if not quiet:
        floor = (api.stats.accepted - 1) // LIMIT * WINDOW
        say(
            f"{api.stats.requests} requests; {api.stats.faults} went wrong and were repeated, "
            f"{api.stats.throttled} met the rate limit."
        )
        say(f"That limit alone takes {floor:g} s.")
