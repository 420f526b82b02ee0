"""The throttle: what it counts, when its window ends, and what its headers say of it."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async.sandbox import Store, Throttle
from raydocs_async.sandbox._throttle import RACE, Window

T0 = 1_700_000_000.75
"""When the first hit comes: late in a second, where cut fractions matter most."""

CACHES: list[Store] = ["redis", "file", "database", "dynamodb"]
"""What the framework's own throttle can count in."""
STORES: list[Store] = [*CACHES, "redis-mw"]
SECONDS: list[Store] = ["file", "database", "dynamodb", "redis-mw"]
"""The stores whose windows end on a whole second."""


throttles = st.builds(
    Throttle,
    limit=st.integers(1, 5),
    window=st.sampled_from([1.0, 2.5, 3.0, 60.0]),
    store=st.sampled_from(STORES),
)
gaps = st.lists(st.floats(0, 4), min_size=1, max_size=60)


def request(throttle: Throttle, now: float) -> bool:
    """Check and count, as the server does; whether the request was accepted."""
    if throttle.refuses(now):
        return False
    throttle.hit(now)
    return True


def exhausted(limit: int = 2, window: float = 60.0, store: Store = "redis") -> Throttle:
    """A throttle with no hit left, in a window that opened at `T0`."""
    throttle = Throttle(limit, window, store)
    for _ in range(limit):
        throttle.hit(T0)
    return throttle


def times(gaps: list[float]) -> list[float]:
    """The moments of requests with so many seconds between them."""
    now = T0
    return [now := now + gap for gap in gaps]


def retry_after(throttle: Throttle, now: float) -> int:
    """What a 429 at `now` says."""
    return int(throttle.refused_headers(now)["Retry-After"])


def test_limit() -> None:
    """As many requests as the limit are accepted in a window, and not one more."""
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


def test_redis_ends_to_the_millisecond() -> None:
    """With Redis a window ends exactly its length after its first hit."""
    throttle = exhausted(window=60, store="redis")
    assert throttle.refuses(T0 + 59.999)
    assert not throttle.refuses(T0 + 60)


@pytest.mark.parametrize("store", SECONDS)
def test_window_ends_on_a_whole_second(store: Store) -> None:
    """Elsewhere it ends up to a second earlier, as the first hit's time is cut."""
    throttle = exhausted(window=60, store=store)
    assert throttle.refuses(math.floor(T0) + 59.999)
    assert not throttle.refuses(math.floor(T0) + 60)


@pytest.mark.parametrize("store", SECONDS)
def test_retry_after_is_exact_in_whole_seconds(store: Store) -> None:
    """Where a window ends on a whole second, a 429 never says 0, and what it says is enough."""
    throttle = exhausted(window=60, store=store)
    now = math.floor(T0) + 59.9
    assert throttle.refuses(now)
    assert retry_after(throttle, now) == 1
    assert not throttle.refuses(math.floor(now) + 1)


def test_dynamodb_counts_nothing_in_the_second_of_the_end() -> None:
    """With DynamoDB all pass in the second in which a window expires, and none is counted."""
    throttle = exhausted(limit=2, window=60, store="dynamodb")
    end = math.floor(T0) + 60
    for now in (end, end + 0.5, end + 0.999):
        assert [request(throttle, now) for _ in range(5)] == [True] * 5
        assert throttle.passed_headers(now)["X-RateLimit-Remaining"] == "2"
    assert (throttle.windows, throttle.number()) == (1, 1)
    assert [request(throttle, end + 1) for _ in range(3)] == [True, True, False]
    assert throttle.windows == 2


def test_redis_middleware_tells_what_it_let_in() -> None:
    """`ThrottleRequestsWithRedis` says what was left when it let a request in, and not below 0."""
    throttle = Throttle(2, store="redis-mw")
    counted = [throttle.hit(T0) for _ in range(3)]
    left = [throttle.passed_headers(T0, counted=n)["X-RateLimit-Remaining"] for n in counted]
    assert (counted, left) == ([1, 2, 3], ["1", "0", "0"])


@pytest.mark.parametrize("store", CACHES)
def test_remaining_is_from_after_the_handler(store: Store) -> None:
    """The framework's own throttle counts again when the handler is done."""
    throttle = Throttle(2, store=store)
    counted = throttle.hit(T0)
    throttle.hit(T0)
    assert throttle.passed_headers(T0, counted=counted)["X-RateLimit-Remaining"] == "0"


def test_peers_have_windows_of_their_own() -> None:
    """What one address did costs another nothing, and each window has its number."""
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


@pytest.mark.parametrize("store", ["redis", "database", "dynamodb"])
def test_workers_overrun_the_limit(store: Store) -> None:
    """Each worker beside one may let a request of a burst in, and `Remaining` tells of it."""
    throttle = Throttle(20, store=store, workers=12)
    assert sum(request(throttle, T0) for _ in range(100)) == 31
    assert throttle.passed_headers(T0)["X-RateLimit-Remaining"] == "-11"


def test_workers_see_what_is_old() -> None:
    """Hits that do not come at once are seen by every worker."""
    throttle = Throttle(20, store="redis", workers=12)
    assert sum(request(throttle, T0 + 2 * RACE * n) for n in range(100)) == 20


def test_file_loses_hits_in_a_burst() -> None:
    """With files a burst takes a third more than the limit, by hits that were overwritten."""
    throttle = Throttle(90, store="file", workers=2)
    assert sum(request(throttle, T0) for _ in range(200)) == 120 + 1
    assert throttle.hits(T0) == 91


def test_file_loses_nothing_one_by_one() -> None:
    """Requests that do not overlap are all counted in files, too."""
    throttle = Throttle(90, store="file", workers=2)
    assert sum(request(throttle, T0 + 2 * RACE * n) for n in range(200)) == 90


def test_redis_middleware_is_exact() -> None:
    """`ThrottleRequestsWithRedis` checks and counts in one step, however many workers there are."""
    throttle = Throttle(20, store="redis-mw", workers=12)
    assert sum(request(throttle, T0) for _ in range(100)) == 20


def test_bad_workers() -> None:
    """There is one worker at least."""
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


def test_passed_headers() -> None:
    """A passed reply tells the limit and what is left, and nothing about the window's end."""
    throttle = Throttle(100)
    throttle.hit(T0)
    assert throttle.passed_headers(T0) == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "99",
    }


def test_remaining_includes_later_hits() -> None:
    """Hits made while a handler runs are in its `Remaining`."""
    throttle = Throttle(100)
    for now in (T0, T0 + 0.1, T0 + 0.2):
        throttle.hit(now)
    assert throttle.passed_headers(T0 + 0.3)["X-RateLimit-Remaining"] == "97"


def test_remaining_after_the_window() -> None:
    """A handler that outlasts its window finds no hits, so `Remaining` equals the limit."""
    throttle = exhausted(limit=2)
    assert throttle.passed_headers(T0 + 61)["X-RateLimit-Remaining"] == "2"


def test_refused_headers() -> None:
    """A 429 tells the wait in whole seconds, from cut times, and the time that makes."""
    assert exhausted(limit=2, window=60).refused_headers(T0 + 10.5) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "Retry-After": "49",
        "X-RateLimit-Reset": str(math.floor(T0) + 60),
    }


def test_retry_after_reads_zero_while_refusing() -> None:
    """With Redis, the last fraction of a second is refused with a wait of nothing."""
    throttle = exhausted(window=60, store="redis")
    now = math.floor(T0) + 60.1
    assert throttle.refuses(now)
    assert retry_after(throttle, now) == 0


def test_retry_after_of_a_fractional_window() -> None:
    """A window that is not whole seconds is rounded up, so that one second more is enough."""
    throttle = exhausted(window=2.5)
    now = math.floor(T0) + 1.0
    assert retry_after(throttle, now) == 2
    assert not throttle.refuses(now + 2 + 1)


def test_retry_after_is_never_negative() -> None:
    """Asked too late, it is 0."""
    assert retry_after(exhausted(), T0 + 1000) == 0


def test_no_limit() -> None:
    """Without a limit nothing is refused, nothing is said, and hits count on."""
    throttle = Throttle(None)
    assert all(request(throttle, T0) for _ in range(1000))
    assert throttle.passed_headers(T0) == {}
    assert throttle.hits(T0) == 1000


def test_lowered_limit() -> None:
    """A limit lowered below what was accepted refuses at once, and leaves less than nothing."""
    throttle = Throttle(100)
    for _ in range(50):
        throttle.hit(T0)
    throttle.limit = 10
    assert throttle.refuses(T0)
    assert throttle.passed_headers(T0)["X-RateLimit-Remaining"] == "-40"


def test_raised_limit() -> None:
    """A raised limit lets more through in the window that is open."""
    throttle = exhausted(limit=2)
    throttle.limit = 3
    assert request(throttle, T0)
    assert not request(throttle, T0)


@pytest.mark.parametrize("limit", [0, -1])
def test_bad_limit(limit: int) -> None:
    """A limit of nothing is refused, when it is changed as well."""
    with pytest.raises(ValueError, match="limit"):
        Throttle(limit)
    throttle = Throttle(1)
    with pytest.raises(ValueError, match="limit"):
        throttle.limit = limit


@pytest.mark.parametrize("window", [0.0, -1.0, math.nan, math.inf])
def test_bad_window(window: float) -> None:
    """A window that is no length of time is refused."""
    with pytest.raises(ValueError, match="window"):
        Throttle(1, window)


@pytest.mark.parametrize("store", SECONDS)
def test_whole_seconds(store: Store) -> None:
    """A store of whole seconds cannot keep a window shorter than its resolution."""
    with pytest.raises(ValueError, match=f"{store} store keeps whole seconds"):
        Throttle(1, 0.5, store)


def test_file_keeps_a_second() -> None:
    """The shortest window that a file store can keep is one second long."""
    throttle = Throttle(1, 1, "file")
    throttle.hit(0.0)
    assert (throttle.refuses(0.9), throttle.refuses(1.0)) == (True, False)


def test_bad_store() -> None:
    """There are five stores."""
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
    """A window opens its length after the last one did, less the cut fraction at most."""
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
    """However often it refuses, the window ends when it would have, and the next one is whole."""
    for _ in range(throttle.limit or 0):
        throttle.hit(math.floor(T0))
    for offset in offsets:
        assert not request(throttle, math.floor(T0) + offset)
    end = math.floor(T0) + throttle.window
    assert [request(throttle, end) for _ in range(throttle.limit or 0)] == [True] * (
        throttle.limit or 0
    )


@given(throttles, st.floats(0, 1), st.floats(0, 60))
def test_one_second_more_is_enough(throttle: Throttle, start: float, wait: float) -> None:
    """Whoever waits a second longer than a 429 says is accepted."""
    throttle.limit = 1
    throttle.hit(math.floor(T0) + start)
    now = math.floor(T0) + start + wait
    if throttle.refuses(now):
        now += retry_after(throttle, now) + 1
    assert request(throttle, now)


@given(st.integers(1, 120), st.floats(0, 1), st.floats(0, 120))
def test_understated_by_a_second_at_most(window: int, start: float, wait: float) -> None:
    """A 429 says up to a second too little, and never a second too much."""
    throttle = Throttle(1, window)
    opened = math.floor(T0) + start
    throttle.hit(opened)
    now = opened + min(wait, window - 1e-3)
    missing = opened + window - now - retry_after(throttle, now)
    assert -1 < missing < 1 + 1e-6


def test_a_hit_is_seen_after_the_race() -> None:
    """A request that is checked `RACE` seconds after a hit sees it."""
    window = Window(recent=(0.0,))
    assert [window.unseen(0.5 * RACE), window.unseen(RACE)] == [1, 0]


def test_a_short_window_with_redis() -> None:
    """Only stores of whole seconds need a window of a second."""
    assert Throttle(1, 0.5).window == 0.5


def test_each_peer_has_its_own_count() -> None:
    """A hit is counted for its peer, and returns that peer's count."""
    throttle = Throttle(100, 60)
    assert [throttle.hit(T0), throttle.hit(T0), throttle.hit(T0, "10.0.0.2")] == [1, 2, 1]
