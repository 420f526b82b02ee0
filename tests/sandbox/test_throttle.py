"""The throttle's windows: how they open and end, and how many requests they count."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.sandbox import Throttle
from raydocs_async.sandbox._throttle import RACE, Window
from tests.support.throttles import T0, exhausted, gaps, request, throttles, times


def test_limit() -> None:
    """A window accepts as many requests as the limit, and not one more."""
    throttle = Throttle(3)
    assert [request(throttle, T0) for _ in range(5)] == [True, True, True, False, False]


def test_defaults() -> None:
    """A window lasts the documented minute, and ends to the millisecond."""
    assert Throttle(100) == Throttle(100, 60.0, "redis")


def test_window_opens_with_first_hit() -> None:
    """The first hit opens the window; neither the clock's minute nor a check does."""
    throttle = Throttle(1, 60)
    assert not throttle.refuses(T0 - 50)
    throttle.hit(T0)
    assert throttle.refuses(T0 + 59.9)


def test_peers_have_windows_of_their_own() -> None:
    """Each address has its own window, with a number."""
    throttle = Throttle(1)
    assert throttle.number("127.0.0.2") == 0
    throttle.hit(T0, "127.0.0.1")
    assert throttle.refuses(T0, "127.0.0.1")
    assert not throttle.refuses(T0, "127.0.0.2")
    assert throttle.hit(T0, "127.0.0.2") == 1
    assert (throttle.hits(T0), throttle.hits(T0, "127.0.0.2")) == (1, 1)
    assert (throttle.number(), throttle.number("127.0.0.2"), throttle.windows) == (1, 2, 2)
    assert throttle.passed_headers(T0, "127.0.0.3")["X-RateLimit-Remaining"] == "1"
    assert throttle.refused_headers(T0, "127.0.0.3")["Retry-After"] == "0"


def test_bad_workers() -> None:
    """A number of workers below one is refused."""
    with pytest.raises(ValueError, match="workers"):
        Throttle(1, workers=0)


def test_windows_are_numbered() -> None:
    """Windows are counted as they open, from 1."""
    throttle = Throttle(1, 60)
    assert throttle.windows == 0
    for now in (T0, T0 + 1, T0 + 60):
        request(throttle, now)
    assert throttle.windows == 2


def test_new_window_starts_from_nothing() -> None:
    """The hits of the last window do not count in the next."""
    throttle = exhausted(limit=2)
    throttle.hit(T0 + 60)
    assert throttle.hits(T0 + 60) == 1


def test_no_limit() -> None:
    """Without a limit nothing is refused, there are no headers, and hits count on."""
    throttle = Throttle(None)
    assert all(request(throttle, T0) for _ in range(1000))
    assert throttle.passed_headers(T0) == {}
    assert throttle.hits(T0) == 1000


def test_lowered_limit() -> None:
    """A limit lowered below the hits so far refuses at once, with a negative `Remaining`."""
    throttle = Throttle(100)
    for _ in range(50):
        throttle.hit(T0)
    throttle.limit = 10
    assert throttle.refuses(T0)
    assert throttle.passed_headers(T0)["X-RateLimit-Remaining"] == "-40"


def test_raised_limit() -> None:
    """A raised limit accepts more in the open window."""
    throttle = exhausted(limit=2)
    throttle.limit = 3
    assert request(throttle, T0)
    assert not request(throttle, T0)


@pytest.mark.parametrize("limit", [0, -1])
def test_bad_limit(limit: int) -> None:
    """A limit below one is refused, even as a change."""
    with pytest.raises(ValueError, match="limit"):
        Throttle(limit)
    throttle = Throttle(1)
    with pytest.raises(ValueError, match="limit"):
        throttle.limit = limit


@pytest.mark.parametrize("window", [0.0, -1.0, math.nan, math.inf])
def test_bad_window(window: float) -> None:
    """A window without a positive length is refused."""
    with pytest.raises(ValueError, match="window"):
        Throttle(1, window)


def test_bad_store() -> None:
    """An unknown store is refused."""
    with pytest.raises(ValueError, match="store"):
        Throttle(1, 60, "memcached")  # type: ignore[arg-type]


@given(throttles, gaps)
def test_never_over_the_limit(throttle: Throttle, gaps: list[float]) -> None:
    """No window counts more than the limit."""
    accepted: dict[int, int] = {}
    for now in times(gaps):
        if request(throttle, now) and throttle.hits(now):
            accepted[throttle.windows] = accepted.get(throttle.windows, 0) + 1
    assert max(accepted.values()) <= (throttle.limit or 0)


@given(throttles, gaps)
def test_windows_do_not_overlap(throttle: Throttle, gaps: list[float]) -> None:
    """A window opens at least its length after the last one, less the cut fraction."""
    opened: dict[int, float] = {}
    for now in times(gaps):
        request(throttle, now)
        opened.setdefault(throttle.windows, now)
    starts = list(opened.values())
    cut = 0.0 if throttle.store == "redis" else 1.0
    pairs = pairwise(starts)
    assert all(later - earlier >= throttle.window - cut - 1e-6 for earlier, later in pairs)


@given(throttles, st.lists(st.floats(0, 0.99), max_size=20))
def test_refused_requests_are_free(throttle: Throttle, offsets: list[float]) -> None:
    """Refused requests neither prolong the window nor count in the next one."""
    for _ in range(throttle.limit or 0):
        throttle.hit(math.floor(T0))
    for offset in offsets:
        assert not request(throttle, math.floor(T0) + offset)
    end = math.floor(T0) + throttle.window
    assert [request(throttle, end) for _ in range(throttle.limit or 0)] == [True] * (
        throttle.limit or 0
    )


def test_a_hit_is_seen_after_the_race() -> None:
    """A request that is checked `RACE` seconds after a hit sees it."""
    window = Window(recent=(0.0,))
    assert [window.unseen(0.5 * RACE), window.unseen(RACE)] == [1, 0]


def test_each_peer_has_its_own_count() -> None:
    """A hit is counted for its peer, and returns that peer's count."""
    throttle = Throttle(100, 60)
    assert [throttle.hit(T0), throttle.hit(T0), throttle.hit(T0, "10.0.0.2")] == [1, 2, 1]
