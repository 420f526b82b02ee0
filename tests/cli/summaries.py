"""Summaries, as `fetch --summary` writes them."""

from typing import Any


def summary(**changes: Any) -> dict[str, Any]:
    """Return a summary."""
    return {
        "started": "2026-11-25T22:14:03Z",
        "seconds": 12.3,
        "exit_code": 75,
        "sessions": {"completed": 5, "pending": 1},
        "failures": {"NotFoundError": 2},
        "unfinished": 1,
        "left": 3,
        "requests": 10,
        "rate_limited": 1,
        "retries": 1,
        "windows": 2,
        "timeline": {"seconds_per_bucket": 1.0, "requests": [6, 0, 4], "rate_limited": [0, 0, 1]},
        "latency": {"p50": 0.12, "p95": 0.3, "max": 1.9},
        "resume": "raydocs-async fetch -i ids.txt -o out.jsonl --resume",
        **changes,
    }
