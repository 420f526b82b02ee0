"""Numbers and states in words; pure."""

import math
from collections.abc import Iterable
from typing import Final

from raydocs_async import Progress, RateLimitStatus
from raydocs_async.cli._snapshot import Snapshot

_SHOWN: Final = 30
"""Names that a message lists."""


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, rounded up: ``2 min 5 s``."""
    left = math.ceil(seconds)
    if left < 60:
        return f"{left} s"
    minutes, left = divmod(left, 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """Return ``1 session``, ``2 sessions``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def name_some(names: Iterable[str]) -> str:
    """Return a list of names, with the first of them if there are many."""
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def window(status: RateLimitStatus) -> str:
    """Return the rate limit's state: ``window open, 12 left``, ``window opens in 23 s``.

    Empty while the state is unknown and no request is in flight that will show it.
    """
    if status.remaining:
        return f"window open, {status.remaining} left"
    if status.resets_in:
        return f"window opens in {duration(status.resets_in)}"
    return "window opening" if status.in_flight else ""


def sharing(status: RateLimitStatus) -> str:
    """Return how many processes share the limit: ``3 processes``; empty for one alone."""
    shared = status.processes is not None and status.processes > 1
    return f"{status.processes} processes" if shared else ""


def service(progress: Progress) -> str:
    """Return the rate limit's state, or in an outage ``service not answering for 12 s``."""
    if progress.outage is not None:
        return f"service not answering for {duration(progress.outage)}"
    return window(progress.rate_limit)


def time_left(progress: Progress) -> str:
    """Return the time that the rate limit still takes: ``about 5 s to go``.

    Empty if it is unknown, as the end of an outage is.
    """
    if not progress.eta or progress.outage is not None:
        return ""
    return f"about {duration(progress.eta)} to go"


def counts(progress: Progress) -> str:
    """Return the number of sessions: ``120 of 300 sessions``."""
    if progress.total is None:
        return plural(progress.done, "session")
    return f"{progress.done} of {plural(progress.total, 'session')}"


def outcomes(snapshot: Snapshot) -> str:
    """Return the numbers of sessions that are not completed: ``2 failed, 3 unfinished``."""
    failed = f"{snapshot.failed} failed" if snapshot.failed else ""
    unfinished = f"{snapshot.unfinished} unfinished" if snapshot.unfinished else ""
    return ", ".join(filter(None, (failed, unfinished)))


def speed(snapshot: Snapshot) -> str:
    """Return the average speed, ``98 a minute``; empty in the first second."""
    done, seconds = snapshot.progress.done, snapshot.seconds
    return f"{60 * done / seconds:.0f} a minute" if seconds >= 1 else ""


def fit_bar(snapshot: Snapshot, columns: int) -> tuple[int, str]:
    """Return a bar's length, and the words behind it, so that both fit in `columns`.

    The words are shortened in steps, and the least important ones are dropped first.
    """
    progress = snapshot.progress
    done = counts(progress)
    count = done.partition(" session")[0].replace(" of ", "/")
    failed = outcomes(snapshot)
    state, end = service(progress), time_left(progress) or speed(snapshot)
    when, soon = state.removeprefix("window ").removeprefix("service "), end.removeprefix("about ")
    least = soon if progress.outage is None else when
    steps = (
        (20, (done, failed, state, sharing(progress.rate_limit), end)),
        (20, (done, failed, state, end)),
        (10, (done, failed, state, end)),
        (10, (done, failed, when, soon)),
        (10, (count, failed, when, soon)),
        (0, (count, failed, when, soon)),
        (0, (count, failed, least)),
        (0, (count, failed)),
        (0, (count,)),
    )
    for bar, parts in steps:
        words = ", ".join(filter(None, parts))
        if (bar and bar + 1) + len(words) <= columns:
            return bar, words
    return 0, count[: max(columns, 0)]


def progress_line(snapshot: Snapshot) -> str:
    """Return the whole progress in one line, for a log."""
    progress = snapshot.progress
    parts = (
        counts(progress),
        outcomes(snapshot),
        speed(snapshot),
        service(progress),
        sharing(progress.rate_limit),
        time_left(progress),
    )
    return ", ".join(filter(None, parts))
