"""Requests over time, in a bounded number of buckets."""

import math

from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.cli._timeline import MAX_BUCKETS, Timeline, merge_neighbours

TIMES = st.lists(st.floats(0, 1e8), max_size=50)


@given(TIMES, TIMES)
def test_nothing_is_lost(sent: list[float], refused: list[float]) -> None:
    """Whatever the times and their order, each request is in one of at most 240 buckets."""
    timeline = Timeline()
    for at in sent:
        timeline.add_request(at)
    for at in refused:
        timeline.add_refusal(at)
    assert (sum(timeline.requests), sum(timeline.rate_limited)) == (len(sent), len(refused))
    assert len(timeline.requests) == len(timeline.rate_limited) <= MAX_BUCKETS


@given(TIMES)
def test_each_bucket_has_its_times(sent: list[float]) -> None:
    """A bucket counts the requests of its time, however often the width has doubled."""
    timeline = Timeline()
    for at in sent:
        timeline.add_request(at)
    width = timeline.seconds_per_bucket
    for index, count in enumerate(timeline.requests):
        assert count == sum(int(at / width) == index for at in sent)


@given(TIMES)
def test_the_width_is_the_smallest(sent: list[float]) -> None:
    """The width doubles from a second until all times fit, and not further."""
    timeline = Timeline()
    for at in sent:
        timeline.add_request(at)
    last, width = max(sent, default=0.0), timeline.seconds_per_bucket
    assert last < MAX_BUCKETS * width
    assert width == 1.0 or last >= MAX_BUCKETS * width / 2


@given(st.lists(st.integers(0, 9)))
def test_merged_neighbours(counts: list[int]) -> None:
    """Half as many buckets have the same sum."""
    merged = merge_neighbours(counts)
    assert sum(merged) == sum(counts)
    assert len(merged) == (len(counts) + 1) // 2


def test_counts_by_the_second() -> None:
    """Requests and refusals of one second are in one bucket; seconds without any are empty."""
    timeline = Timeline()
    for at in (0.0, 0.9, 3.0, 2.0):
        timeline.add_request(at)
    for at in (2.1, 2.2):
        timeline.add_refusal(at)
    assert timeline == Timeline(1.0, [2, 0, 1, 1], [0, 0, 2, 0])


def test_the_width_doubles_when_all_buckets_are_used() -> None:
    """The first time that does not fit makes each two neighbours one, for both counts."""
    timeline = Timeline()
    for at in range(240):
        timeline.add_request(at)
        timeline.add_refusal(at)
    assert timeline.seconds_per_bucket == 1.0
    timeline.add_request(240.0)
    assert timeline == Timeline(2.0, [2] * 120 + [1], [2] * 120 + [0])
    timeline.add_request(1000.0)
    assert timeline.seconds_per_bucket == 8.0
    assert len(timeline.requests) == 126


def test_a_time_just_below_a_bound() -> None:
    """The last time that fits is in the last bucket."""
    width = 2.0**20
    timeline = Timeline(width)
    timeline.add_request(math.nextafter(MAX_BUCKETS * width, 0))
    assert (timeline.seconds_per_bucket, len(timeline.requests)) == (width, MAX_BUCKETS)
