"""The shape of a summary, which is read strictly."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._summary import MAX_BYTES, Latency, read_summary
from tests.cli.summaries import summary


def test_a_summary() -> None:
    """Each number is read, and a key of a later release is no obstacle."""
    raw = summary(new=1, latency=dict.fromkeys(("p50", "p95", "max")), resume=None)
    read = read_summary(json.dumps(raw).encode(), "s.json")
    assert (read.started, read.seconds) == (datetime(2026, 11, 25, 22, 14, 3, tzinfo=UTC), 12.3)
    assert (read.sessions, read.failures) == (raw["sessions"], raw["failures"])
    counted = (read.exit_code, read.unfinished, read.left, read.requests, read.rate_limited)
    assert (*counted, read.retries, read.windows) == (75, 1, 3, 10, 1, 1, 2)
    assert (read.timeline.requests, read.timeline.rate_limited) == ([6, 0, 4], [0, 0, 1])
    assert (read.latency, read.resume) == (Latency(None, None, None), None)


@pytest.mark.parametrize("name", list(summary()))
def test_a_missing_key(name: str) -> None:
    """A summary without one of its keys is refused, and the key is named."""
    raw = summary()
    del raw[name]
    with pytest.raises(CannotStart, match=f"s.json is not a summary: .*`{name}`; name the file of"):
        read_summary(json.dumps(raw).encode(), "s.json")


def timeline(**changes: Any) -> dict[str, Any]:
    """Return the changes that make another timeline of a summary's."""
    return {"timeline": summary()["timeline"] | changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"requests": "10"},
        {"requests": -1},
        {"requests": True},
        {"seconds": None},
        {"started": "2026-11-25T22:14:03"},
        {"sessions": {"completed": 1.5}},
        {"latency": {"p50": 1, "p95": 1}},
        timeline(requests=[1]),
        timeline(rate_limited=[7, 0, 0]),
        timeline(seconds_per_bucket=0),
        timeline(requests=[10**400, 0, 4]),
    ],
)
def test_other_values(changes: dict[str, Any]) -> None:
    """A value of another type, or one that cannot be, is refused."""
    with pytest.raises(CannotStart, match=r"s\.json is not a summary: "):
        read_summary(json.dumps(summary(**changes)).encode(), "s.json")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff\xfe{", b"[" * 100_000, b"{}\n{}", b" " * (MAX_BYTES + 1)]
)
def test_other_files(content: bytes) -> None:
    """A file of something else is refused."""
    with pytest.raises(CannotStart, match=r"^s\.json is not a summary: .*`fetch --summary`$"):
        read_summary(content, "s.json")
