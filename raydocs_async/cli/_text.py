"""Words for people; pure."""

import math

from raydocs_async import Progress, RateLimitStatus


def duration(seconds: float) -> str:
    """A length of time in the two units that matter: ``2 min 5 s``."""
    left = math.ceil(seconds)
    if left < 60:
        return f"{left} s"
    minutes, left = divmod(left, 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def window(status: RateLimitStatus) -> str:
    """What the rate limit allows just now: ``window open, 12 left``, ``window opens in 23 s``.

    Empty while nothing is known and nothing is on the way to tell it.
    """
    if status.remaining:
        return f"window open, {status.remaining} left"
    if status.resets_in:
        return f"window opens in {duration(status.resets_in)}"
    return "window opening" if status.in_flight else ""


def to_go(progress: Progress) -> str:
    """How long it will take yet, by the rate limit's arithmetic; empty where that is unknown."""
    return f"about {duration(progress.eta)} to go" if progress.eta else ""


def counts(progress: Progress) -> str:
    """How far it is: ``120 of 300 sessions``."""
    if progress.total is None:
        return plural(progress.done, "session")
    return f"{progress.done} of {plural(progress.total, 'session')}"


def rate(progress: Progress, seconds: float) -> str:
    """How fast it goes: ``98 a minute``."""
    return f"{60 * progress.done / seconds:.0f} a minute" if seconds >= 1 else ""


def fit(progress: Progress, seconds: float, columns: int) -> tuple[int, str]:
    """A bar's length and the words behind it, shortened in steps until both fit in `columns`."""
    done = counts(progress)
    count = done.partition(" session")[0].replace(" of ", "/")
    failed = f"{progress.failed} failed" if progress.failed else ""
    opens, end = window(progress.rate_limit), to_go(progress) or rate(progress, seconds)
    when, soon = opens.removeprefix("window "), end.removeprefix("about ")
    steps = (
        (20, (done, failed, opens, end)),
        (10, (done, failed, when, soon)),
        (10, (count, failed, when, soon)),
        (0, (count, failed, when, soon)),
        (0, (count, failed, soon)),
        (0, (count, failed)),
    )
    for bar, parts in steps:
        words = " ".join(filter(None, parts))
        if (bar and bar + 1) + len(words) <= columns:
            return bar, words
    return 0, count[: max(columns, 0)]


def line(progress: Progress, seconds: float) -> str:
    """All of it in one line, for a log."""
    failed = f"{progress.failed} failed" if progress.failed else ""
    parts = (
        counts(progress),
        failed,
        rate(progress, seconds),
        window(progress.rate_limit),
        to_go(progress),
    )
    return ", ".join(filter(None, parts))
