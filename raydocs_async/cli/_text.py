"""Numbers and states in words; pure."""

import difflib
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


def remind(unfinished: int) -> str:
    """Return the end of a summary, so that half-done work is not taken for all of it."""
    if not unfinished:
        return ""
    are, them = ("is", "it") if unfinished == 1 else ("are", "them")
    sessions = plural(unfinished, "session")
    return f"; {sessions} {are} not finished: complete {them} by `fetch --resume --wait`"


def name_some(names: Iterable[str]) -> str:
    """Return a list of names, with the first of them if there are many."""
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def name_choices(names: Iterable[str], wrong: str) -> str:
    """Return a list of names, with a hint at the one that is nearest to a wrong one."""
    choices = list(names)
    # Regardless of case, which is a frequent mistake, and would make most letters differ.
    by_key = {name.casefold(): name for name in choices}
    nearest = difflib.get_close_matches(wrong.casefold(), by_key, n=1)
    hint = f" (did you mean {by_key[nearest[0]]}?)" if nearest else ""
    return f"{name_some(choices)}{hint}"


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
    """Return who else uses the limit: ``3 processes, 40 used by others``; empty for nobody."""
    processes = status.processes or 1
    shared = f"{processes} processes" if processes > 1 else ""
    foreign = f"{status.foreign} used by others" if status.foreign else ""
    return join(shared, foreign)


def join(*parts: str) -> str:
    """Return the parts that are not empty, with commas between them."""
    return ", ".join(filter(None, parts))


def outage(snapshot: Snapshot, *, whole: bool = True) -> str:
    """Return the state of an outage: ``answers 503, next in 8 s, giving up in 4 min 0 s``.

    Args:
        snapshot: A snapshot in an outage.
        whole: Say also when the job gives up.
    """
    status, following = snapshot.last_status, snapshot.progress.next_attempt
    gives_up_in = snapshot.gives_up_in if whole else None
    return join(
        "does not answer" if status is None else f"answers {status}",
        "trying again" if following is None else f"next try in {duration(following)}",
        "" if gives_up_in is None else f"giving up in {duration(gives_up_in)}",
    )


def service(snapshot: Snapshot) -> tuple[str, str, str]:
    """Return the state of the service or, while it works, of the rate limit: in three lengths."""
    if snapshot.progress.outage is None:
        state = window(snapshot.progress.rate_limit)
        short = state.removeprefix("window ")
        return state, short, short
    state = outage(snapshot)
    return f"service {state}", state, outage(snapshot, whole=False)


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
    return join(failed, unfinished)


def retries(snapshot: Snapshot) -> str:
    """Return the number of requests that were sent again: ``4 retries``; empty for none."""
    if not snapshot.retries:
        return ""
    return "1 retry" if snapshot.retries == 1 else f"{snapshot.retries} retries"


def speed(snapshot: Snapshot) -> str:
    """Return the average speed, ``98 a minute``; empty in the first second."""
    done, seconds = snapshot.progress.done, snapshot.seconds
    return f"{60 * done / seconds:.0f} a minute" if seconds >= 1 else ""


def fit_bar(snapshot: Snapshot, columns: int) -> tuple[int, str]:
    """Return a bar's length, and the words behind it, so that both fit in `columns`.

    The words are shortened in steps, and the least important ones are dropped first.
    """
    progress = snapshot.progress
    done, failed = counts(progress), outcomes(snapshot)
    count = done.partition(" session")[0].replace(" of ", "/")
    state, short, shortest = service(snapshot)
    end = time_left(progress) or speed(snapshot)
    soon = end.removeprefix("about ")
    if progress.outage is not None:  # nothing is known of the end
        end = soon = ""
    more = join(retries(snapshot), sharing(progress.rate_limit))
    steps = (
        (20, (done, failed, state, more, end)),
        (20, (done, failed, state, end)),
        (10, (done, failed, state, end)),
        (10, (done, failed, short, soon)),
        (10, (count, failed, short, soon)),
        (0, (count, failed, short, soon)),
        (0, (count, failed, soon or shortest)),
        (0, (count, failed)),
        (0, (count,)),
    )
    for bar, parts in steps:
        words = join(*parts)
        if (bar and bar + 1) + len(words) <= columns:
            return bar, words
    return 0, count[: max(columns, 0)]


def progress_line(snapshot: Snapshot) -> str:
    """Return the whole progress in one line, for a log."""
    progress = snapshot.progress
    line = join(
        counts(progress),
        outcomes(snapshot),
        speed(snapshot),
        retries(snapshot),
        "" if progress.outage is not None else window(progress.rate_limit),
        sharing(progress.rate_limit),
        time_left(progress),
    )
    return line if progress.outage is None else f"{line}; the service {outage(snapshot)}"
