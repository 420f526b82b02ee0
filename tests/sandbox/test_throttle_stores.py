"""The stores of the throttle: the end of a window, and the hits that workers lose in a race."""

import math

import pytest

from raydocs_async.sandbox import Store, Throttle
from raydocs_async.sandbox._throttle import RACE
from tests.support.throttles import CACHES, SECONDS, T0, exhausted, request


def test_redis_ends_to_the_millisecond() -> None:
    """With Redis a window ends exactly its length after its first hit."""
    throttle = exhausted(window=60, store="redis")
    assert throttle.refuses(T0 + 59.999)
    assert not throttle.refuses(T0 + 60)


@pytest.mark.parametrize("store", SECONDS)
def test_window_ends_on_a_whole_second(store: Store) -> None:
    """With other stores it ends up to a second earlier, because the first hit's time is cut."""
    throttle = exhausted(window=60, store=store)
    assert throttle.refuses(math.floor(T0) + 59.999)
    assert not throttle.refuses(math.floor(T0) + 60)


def test_dynamodb_counts_nothing_in_the_second_of_the_end() -> None:
    """With DynamoDB, requests in the second in which a window expires pass uncounted."""
    throttle = exhausted(limit=2, window=60, store="dynamodb")
    end = math.floor(T0) + 60
    for now in (end, end + 0.5, end + 0.999):
        assert [request(throttle, now) for _ in range(5)] == [True] * 5
        assert throttle.passed_headers(now)["X-RateLimit-Remaining"] == "2"
    assert (throttle.windows, throttle.number()) == (1, 1)
    assert [request(throttle, end + 1) for _ in range(3)] == [True, True, False]
    assert throttle.windows == 2


def test_redis_middleware_tells_what_it_let_in() -> None:
    """`ThrottleRequestsWithRedis` reports the `Remaining` from before the handler, at least 0."""
    throttle = Throttle(2, store="redis-mw")
    counted = [throttle.hit(T0) for _ in range(3)]
    left = [throttle.passed_headers(T0, counted=n)["X-RateLimit-Remaining"] for n in counted]
    assert (counted, left) == ([1, 2, 3], ["1", "0", "0"])


@pytest.mark.parametrize("store", CACHES)
def test_remaining_is_from_after_the_handler(store: Store) -> None:
    """The framework's own throttle reports the `Remaining` from after the handler."""
    throttle = Throttle(2, store=store)
    counted = throttle.hit(T0)
    throttle.hit(T0)
    assert throttle.passed_headers(T0, counted=counted)["X-RateLimit-Remaining"] == "0"


@pytest.mark.parametrize("store", ["redis", "database", "dynamodb"])
def test_workers_overrun_the_limit(store: Store) -> None:
    """Each further worker may accept one request of a burst, which `Remaining` shows."""
    throttle = Throttle(20, store=store, workers=12)
    assert sum(request(throttle, T0) for _ in range(100)) == 31
    assert throttle.passed_headers(T0)["X-RateLimit-Remaining"] == "-11"


def test_workers_see_what_is_old() -> None:
    """Every worker sees hits that do not come at once."""
    throttle = Throttle(20, store="redis", workers=12)
    assert sum(request(throttle, T0 + 2 * RACE * n) for n in range(100)) == 20


def test_file_loses_hits_in_a_burst() -> None:
    """With files, a burst overwrites hits, and a third more than the limit passes."""
    throttle = Throttle(90, store="file", workers=2)
    assert sum(request(throttle, T0) for _ in range(200)) == 120 + 1
    assert throttle.hits(T0) == 91


def test_file_loses_nothing_one_by_one() -> None:
    """With files, requests that do not overlap are all counted."""
    throttle = Throttle(90, store="file", workers=2)
    assert sum(request(throttle, T0 + 2 * RACE * n) for n in range(200)) == 90


def test_redis_middleware_is_exact() -> None:
    """`ThrottleRequestsWithRedis` checks and counts in one step, with any number of workers."""
    throttle = Throttle(20, store="redis-mw", workers=12)
    assert sum(request(throttle, T0) for _ in range(100)) == 20


@pytest.mark.parametrize("store", SECONDS)
def test_whole_seconds(store: Store) -> None:
    """A store of whole seconds refuses a window shorter than a second."""
    with pytest.raises(ValueError, match=f"{store} store keeps whole seconds"):
        Throttle(1, 0.5, store)


def test_file_keeps_a_second() -> None:
    """The shortest window that a file store can keep is one second long."""
    throttle = Throttle(1, 1, "file")
    throttle.hit(0.0)
    assert (throttle.refuses(0.9), throttle.refuses(1.0)) == (True, False)


def test_a_short_window_with_redis() -> None:
    """With Redis, a window may be shorter than a second."""
    assert Throttle(1, 0.5).window == 0.5
