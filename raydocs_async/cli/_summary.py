"""The summary of a run of ``fetch``, which `--summary` writes and `report` reads; pure."""

import operator
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from raydocs_async.cli._exit import CannotStart

MAX_BYTES: Final = 16 << 20
"""A longer file is not a summary."""

Count = Annotated[int, Meta(ge=0, lt=10**15)]
Seconds = Annotated[float, Meta(ge=0, lt=1e9)]
Counts = dict[str, Count]


class Timeline(msgspec.Struct):
    """Requests over time, in buckets of one length."""

    seconds_per_bucket: Annotated[float, Meta(gt=0, lt=1e9)]
    requests: list[Count]
    rate_limited: list[Count]
    """Those of the requests that got a 429."""


class Latency(msgspec.Struct):
    """How long the replies took; ``None`` without any."""

    p50: Seconds | None
    p95: Seconds | None
    max: Seconds | None


class Summary(msgspec.Struct, kw_only=True):
    """How a run ended."""

    started: Annotated[datetime, Meta(tz=True)]
    seconds: Seconds
    exit_code: Count
    sessions: Counts
    """Sessions in the output by status, those of earlier runs included."""
    failures: Counts
    """Failed ids by the name of the exception; with an errors file, those of earlier runs, too."""
    unfinished: Count
    """Sessions that the service is still working on."""
    left: Count | None
    """Sessions to fetch, or to fetch again; ``None`` if the input was not read to its end."""
    requests: Count
    rate_limited: Count
    """429s."""
    retries: Count
    windows: Count
    timeline: Timeline
    latency: Latency
    resume: str | None
    """The command that continues the job; ``None`` if nothing is left."""


def read_summary(content: bytes, name: str) -> Summary:
    """Return the summary in a file.

    Raises:
        CannotStart: the content is anything else.
    """
    if len(content) > MAX_BYTES:
        raise _refusal(name, "it is too long")
    try:
        summary = msgspec.json.decode(content, type=Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _refusal(name, str(exc)) from None
    timeline = summary.timeline
    if len(timeline.requests) != len(timeline.rate_limited):
        raise _refusal(name, "the series of its timeline are of different lengths")
    if any(map(operator.lt, timeline.requests, timeline.rate_limited)):
        raise _refusal(name, "its timeline has more 429s than requests")
    return summary


def _refusal(name: str, reason: str) -> CannotStart:
    return CannotStart(f"{name} is not a summary: {reason}; name the file of `fetch --summary`")
