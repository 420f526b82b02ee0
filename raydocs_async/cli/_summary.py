"""The summary of a bulk job, in words for a person and as JSON for a program; pure."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from raydocs_async.cli._meter import Meter


@frozen(kw_only=True)
class Summary:
    """How a job ended."""

    started: str
    """The time in ISO 8601."""
    seconds: float
    exit_code: int
    sessions: Mapping[str, int]
    """Sessions in the output by status, those of earlier runs included."""
    failures: Mapping[str, int]
    """Failed ids by the name of the exception; with an errors file, those of earlier runs, too."""
    unfinished: int
    """Sessions that the service is still working on."""
    left: int | None
    """Sessions to fetch, or to fetch again; ``None`` if the input was not read to its end."""
    resume: str | None
    """The command that continues the job; ``None`` if nothing is left."""


def to_json(summary: Summary, meter: Meter) -> dict[str, Any]:
    """Return the content of the file of ``--summary``."""
    timeline, latencies = meter.timeline, meter.latencies
    return {
        "started": summary.started,
        "seconds": round(summary.seconds, 3),
        "exit_code": int(summary.exit_code),
        "sessions": dict(summary.sessions),
        "failures": dict(summary.failures),
        "unfinished": summary.unfinished,
        "left": summary.left,
        "requests": meter.requests,
        "rate_limited": meter.rate_limited,
        "retries": meter.retries,
        "windows": meter.windows,
        "timeline": {
            "seconds_per_bucket": timeline.seconds_per_bucket,
            "requests": timeline.requests,
            "rate_limited": timeline.rate_limited,
        },
        "latency": {
            "p50": latencies.quantile(0.5),
            "p95": latencies.quantile(0.95),
            "max": latencies.max,
        },
        "resume": summary.resume,
    }
