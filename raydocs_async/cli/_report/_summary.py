"""What `fetch --summary` has written, read strictly; pure."""

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

    def __post_init__(self) -> None:
        """Refuse a series of 429s that is not a part of the requests."""
        if len(self.requests) != len(self.rate_limited):
            raise ValueError("the series are of different lengths")
        if any(part > whole for whole, part in zip(self.requests, self.rate_limited, strict=True)):
            raise ValueError("there are more 429s than requests")


class Latency(msgspec.Struct):
    """How long the replies took; ``None`` without any."""

    p50: Seconds | None
    p95: Seconds | None
    max: Seconds | None


class Summary(msgspec.Struct):
    """The course of one run of ``fetch``."""

    started: Annotated[datetime, Meta(tz=True)]
    seconds: Seconds
    exit_code: Count
    sessions: Counts
    failures: Counts
    unfinished: Count
    left: Count | None
    """Sessions to fetch; ``None`` if the input was not read to its end."""
    requests: Count
    rate_limited: Count
    retries: Count
    windows: Count
    timeline: Timeline
    latency: Latency
    resume: str | None
    """The command that goes on."""


def read_summary(content: bytes, name: str) -> Summary:
    """Return the summary in a file.

    Raises:
        CannotStart: the content is anything else.
    """
    if len(content) > MAX_BYTES:
        raise _refusal(name, "it is too long")
    try:
        return msgspec.json.decode(content, type=Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise _refusal(name, str(exc)) from None


def _refusal(name: str, reason: str) -> CannotStart:
    return CannotStart(f"{name} is not a summary: {reason}; name the file of `fetch --summary`")
