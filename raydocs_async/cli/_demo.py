"""The job of ``demo``: ``fetch`` from a sandbox of its own."""

import tempfile
from pathlib import Path

from raydocs_async import RateLimit, RaydocsClient
from raydocs_async.cli._exit import CannotStart, ExitCode
from raydocs_async.cli._job import Job, Report, run_and_report
from raydocs_async.cli._output import JsonLinesFile
from raydocs_async.cli._progress import choose_reporter
from raydocs_async.cli._recorder import Recorder
from raydocs_async.cli._sandbox import FAULTS
from raydocs_async.cli._scan import SessionRecord
from raydocs_async.cli._streams import say
from raydocs_async.sandbox import Chaos, Sandbox

SESSIONS = 300
LIMIT = 60
WINDOW = 3.0
"""Seconds; short enough that a person sees several windows pass."""


def run(output: str | None, *, quiet: bool) -> ExitCode:
    """Fetch a few hundred sessions, and report how that went.

    Raises:
        CannotStart: the output exists already, or cannot be written.
    """
    # `JsonLinesFile` would refuse it, too, but recommend --resume, which this command lacks.
    if output and Path(output).is_file():
        raise CannotStart(f"{output} exists already; move it away")
    path = output or str(Path(tempfile.mkdtemp(prefix="raydocs-async-"), "sessions.jsonl"))
    file = JsonLinesFile.open(path, SessionRecord)
    recorder = Recorder(file, None, choose_reporter(quiet=quiet))
    api = Sandbox(LIMIT, WINDOW, latency=0.03, chaos=Chaos(rate=0.04, faults=FAULTS, seed=1))
    if not quiet:
        say(
            f"A stand-in for the API on this machine: {LIMIT} requests in {WINDOW:g} s, "
            "and some fail."
        )
    report = Report(quiet=quiet)
    return run_and_report(_fetch_sessions(api, recorder, quiet=quiet), recorder, report)


async def _fetch_sessions(api: Sandbox, recorder: Recorder, *, quiet: bool) -> None:
    limit = RateLimit(requests=LIMIT, per=WINDOW, shared="")
    async with api:
        client = RaydocsClient(api.token, base_url=api.url, rate_limit=limit)
        await Job(recorder).run(client, api.ids(SESSIONS))
    if not quiet:
        shortest = (api.stats.accepted - 1) // LIMIT * WINDOW
        say(
            f"{api.stats.requests} requests; {api.stats.faults} failed and were retried, "
            f"{api.stats.throttled} met the rate limit."
        )
        say(f"That limit alone takes {shortest:g} s.")
