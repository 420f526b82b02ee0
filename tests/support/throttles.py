"""Throttles of every store, and requests to them."""

from hypothesis import strategies as st

from raydocs_async.sandbox import Store, Throttle

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
    """Check and count a request, as the server does; return whether it was accepted."""
    if throttle.refuses(now):
        return False
    throttle.hit(now)
    return True


def exhausted(limit: int = 2, window: float = 60.0, store: Store = "redis") -> Throttle:
    """Return a throttle without a hit left, in a window that opened at `T0`."""
    throttle = Throttle(limit, window, store)
    for _ in range(limit):
        throttle.hit(T0)
    return throttle


def times(gaps: list[float]) -> list[float]:
    """Return the times of requests with these gaps, in seconds."""
    now = T0
    return [now := now + gap for gap in gaps]


def retry_after(throttle: Throttle, now: float) -> int:
    """Return the Retry-After of a 429 at `now`."""
    return int(throttle.refused_headers(now)["Retry-After"])
