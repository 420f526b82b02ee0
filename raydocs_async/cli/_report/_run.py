"""The part of the page about the latest run: its requests over time, and its numbers; pure."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from raydocs_async.cli._report._text import MOST_CHARS, escape, time
from raydocs_async.cli._report._totals import number
from raydocs_async.cli._summary import Counts, Latency, Summary, Timeline
from raydocs_async.cli._text import duration, plural

_MOST_BARS: Final = 200
_MOST_NAMES: Final = 30


def pieces(summary: Summary) -> dict[str, str]:
    """Return the texts of the part, by their names in its template."""
    timeline = _coarser(summary.timeline)
    return {
        "started": time(summary.started),
        "duration": duration(summary.seconds),
        "facts": "".join(
            f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in _facts(summary)
        ),
        "columns": str(max(len(timeline.requests), 1)),
        "most": str(max((*timeline.requests, 1))),
        "accepted": bars(timeline.requests),
        "refused": bars(timeline.rate_limited),
        "bucket": _seconds(timeline.seconds_per_bucket),
        "end": duration(timeline.seconds_per_bucket * len(timeline.requests)),
        "picture": _describe(timeline),
        "resume": _resume(summary),
    }


def bars(counts: Sequence[int]) -> str:
    """Return the path of a bar chart whose columns are 1 wide, upwards from 0."""
    drawn = ((place, count) for place, count in enumerate(counts) if count)
    return "".join(f"M{place} 0v{-count}h1v{count}z" for place, count in drawn)


def _coarser(timeline: Timeline) -> Timeline:
    """Return a timeline with no more bars than a narrow screen shows."""
    size = -(-len(timeline.requests) // _MOST_BARS) or 1
    return Timeline(
        timeline.seconds_per_bucket * size,
        list(_sums(timeline.requests, size)),
        list(_sums(timeline.rate_limited, size)),
    )


def _sums(counts: Sequence[int], size: int) -> Iterator[int]:
    return (sum(counts[start : start + size]) for start in range(0, len(counts), size))


def _describe(timeline: Timeline) -> str:
    """Return the picture in words, for those who do not see it."""
    requests = plural(sum(timeline.requests), "request")
    refused = sum(timeline.rate_limited)
    most = max(timeline.requests, default=0)
    return f"{requests}, at most {most} in {_seconds(timeline.seconds_per_bucket)}; " + (
        f"{refused} refused by the rate limit, in red." if refused else "none refused."
    )


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "Requests", number(summary.requests)
    yield "Rate-limit windows", number(summary.windows)
    yield "Refused by the limit (429)", number(summary.rate_limited)
    yield "Retries", number(summary.retries)
    yield from _latencies(summary.latency)
    yield "Sessions", _list(summary.sessions)
    yield "Failures", _list(summary.failures)
    yield "Not finished", number(summary.unfinished)
    yield "Left to fetch", "unknown" if summary.left is None else number(summary.left)
    yield "Exit code", str(summary.exit_code)


def _latencies(latency: Latency) -> Iterator[tuple[str, str]]:
    named = (("Median", latency.p50), ("95 %", latency.p95), ("Longest", latency.max))
    for name, seconds in named:
        yield f"{name} reply", "–" if seconds is None else _seconds(seconds)


def _list(counts: Counts) -> str:
    listed = (f"{number(count)} {name}" for name, count in islice(counts.items(), _MOST_NAMES))
    return ", ".join(listed) or "none"


def _resume(summary: Summary) -> str:
    if summary.resume is None:
        return ""
    command = escape(summary.resume, MOST_CHARS)
    return f"<p>Go on with <code>{command}</code></p>"


def _seconds(seconds: float) -> str:
    """Return a short time: milliseconds below a second."""
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.4g} s"
