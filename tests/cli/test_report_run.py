"""The part of the report about a run of `fetch`."""

import json
import re
from typing import Any

import pytest

from raydocs_async.cli._report._run import bars, pieces
from raydocs_async.cli._summary import read_summary
from tests.cli.summaries import summary
from tests.support.markup import ATTACK


def build(**changes: Any) -> dict[str, str]:
    """Return the texts of the part."""
    return pieces(read_summary(json.dumps(summary(**changes)).encode(), "s.json"))


def timeline(requests: list[int], refused: list[int] | None = None) -> dict[str, Any]:
    """Return a timeline in steps of half a second."""
    refused = refused or [0] * len(requests)
    return {"seconds_per_bucket": 0.5, "requests": requests, "rate_limited": refused}


def test_the_picture() -> None:
    """The picture has a bar for each step with requests, and the refused ones in front."""
    texts = build()
    assert (texts["columns"], texts["most"], texts["end"]) == ("3", "6", "3 s")
    assert texts["accepted"] == "M0 0v-6h1v6zM2 0v-4h1v4z"
    assert texts["refused"] == "M2 0v-1h1v1z"
    assert texts["bucket"] == "1 s"
    assert texts["picture"] == (
        "10 requests, at most 6 in 1 s; 1 refused by the rate limit, in red."
    )


def test_a_long_run() -> None:
    """The steps of a long run are joined, and no request is lost."""
    texts = build(timeline=timeline([1] * 1001))
    assert (texts["columns"], texts["most"]) == ("167", "6")
    assert texts["bucket"] == "3 s"
    assert sum(map(int, re.findall(r"v-(\d+)", texts["accepted"]))) == 1001
    assert texts["picture"] == "1001 requests, at most 6 in 3 s; none refused."


def test_no_request() -> None:
    """A run without a request has an empty picture."""
    texts = build(timeline=timeline([]))
    assert (texts["columns"], texts["most"], texts["accepted"]) == ("1", "1", "")
    assert texts["picture"] == "0 requests, at most 0 in 500 ms; none refused."


def test_the_facts() -> None:
    """Each number of the summary is named."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", build()["facts"])
    assert found == [
        ("Requests", "10"),
        ("Rate-limit windows", "2"),
        ("Refused by the limit (429)", "1"),
        ("Retries", "1"),
        ("Median reply", "120 ms"),
        ("95 % reply", "300 ms"),
        ("Longest reply", "1.9 s"),
        ("Sessions", "5 completed, 1 pending"),
        ("Failures", "2 NotFoundError"),
        ("Not finished", "1"),
        ("Left to fetch", "3"),
        ("Exit code", "75"),
    ]


def test_no_reply() -> None:
    """A run without a reply has no latency, and one without sessions says so."""
    facts = build(latency=dict.fromkeys(("p50", "p95", "max")), sessions={})["facts"]
    assert facts.count("<dd>–</dd>") == 3
    assert "<dt>Sessions</dt><dd>none</dd>" in facts


def test_going_on() -> None:
    """The command that goes on is shown, if there is one."""
    assert "<code>raydocs-async fetch -i ids.txt" in build()["resume"]
    assert build(resume=None)["resume"] == ""


def test_an_attack() -> None:
    """No text of a summary becomes markup."""
    texts = build(sessions={ATTACK: 1}, failures={ATTACK: 1}, resume=ATTACK)
    assert set(re.findall(r"<(\w+)", texts["facts"])) == {"div", "dt", "dd"}
    assert re.findall(r"<(\w+)", texts["resume"]) == ["p", "code"]


@pytest.mark.parametrize(
    ("counts", "path"), [([], ""), ([0, 2], "M1 0v-2h1v2z")], ids=["none", "one"]
)
def test_bars(counts: list[int], path: str) -> None:
    """A bar stands on the axis at its place."""
    assert bars(counts) == path
