"""Failures in bulk work: outages are waited out, and bad ids come to an end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from uuid import UUID

import pytest

from raydocs_async import (
    APIConnectionError,
    AuthenticationError,
    NotFoundError,
    RetryPolicy,
)
from raydocs_async._endpoints import SESSION
from raydocs_async._outage import LONGEST_PAUSE
from raydocs_async._patience import RetryingFetcher, Terms
from raydocs_async._retry import RetryQuota
from tests.support.jobs import (
    Reply,
    Stub,
    collect,
    collect_until_error,
    down,
    failed,
    found,
    number,
    numbers,
)
from tests.support.loops import now

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]

CONCURRENCY = pytest.mark.parametrize("concurrency", [1, 2, 8, 32])
ORDER = pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])


def down_between(begin: float, end: float) -> Callable[[UUID], Reply]:
    """A service with an outage."""
    return lambda sid: down() if begin <= now() < end else found(sid)


def bad(*indices: int) -> Callable[[UUID], Reply]:
    """A service that fails for some ids, for ever."""
    return lambda sid: down() if sid.int in indices else found(sid)


def lost(outcomes: Collection[object]) -> list[int]:
    """The ids that failed."""
    return sorted(UUID(o.id).int for o in outcomes if o.error is not None)  # type: ignore[attr-defined]


# -- outages ------------------------------------------------------------------------------------


@CONCURRENCY
@ORDER
@pytest.mark.parametrize("begin", [0, 3.5], ids=["from the start", "later"])
@pytest.mark.parametrize("seconds", [1, 3, 20, 200])
async def test_an_outage_loses_no_id(
    begin: float, seconds: float, concurrency: int, ordered: bool
) -> None:
    """E5: however long it takes, and however few the workers are, it is nobody's failure."""
    stub = Stub(answer=down_between(begin, begin + seconds))
    stream = stub.stream(numbers(60), concurrency=concurrency, ordered=ordered)
    outcomes = await collect(stream)
    assert (len(outcomes), lost(outcomes)) == (60, [])


async def test_an_outage_is_met_by_one_attempt_at_a_time() -> None:
    """E5: no ids are taken while it lasts, and attempts come alone, with growing pauses."""
    stub = Stub(answer=down_between(0, 120))
    stream = stub.stream(numbers(100))
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(119)
    assert (stub.in_flight <= 1, stream.progress.in_flight) == (True, 4)
    assert len(stub.asked) <= 8 + 8
    await first
    await stream.aclose()


async def test_ten_minutes_of_failures_are_met_by_few_requests() -> None:
    """E5: two requests a pause, the longest of which is half a minute."""
    stub = Stub(answer=down_between(5, 605), max_wait=3600)
    outcomes = await collect(stub.stream(numbers(100), concurrency=32))
    assert lost(outcomes) == []
    assert len(stub.asked) <= 100 + 32 + 2 * (5 + 600 / LONGEST_PAUSE)


@CONCURRENCY
@pytest.mark.parametrize("lasts", [40, 58])
async def test_a_shorter_outage_is_always_waited_out(lasts: float, concurrency: int) -> None:
    """The last attempt is made when `max_wait` ends, wherever the pauses before it ended."""
    stub = Stub(answer=down_between(5, 5 + lasts), max_wait=60)
    outcomes = await collect(stub.stream(numbers(100), concurrency=concurrency))
    assert lost(outcomes) == []


@CONCURRENCY
async def test_an_outage_that_is_too_long_ends_the_stream(concurrency: int) -> None:
    """Past `max_wait` the service's last error ends it, once, and nothing is called failed."""
    stub = Stub(answer=down_between(5, 9999), max_wait=100)
    stream = stub.stream(numbers(200), concurrency=concurrency)
    outcomes, error = await collect_until_error(stream)
    assert isinstance(error, APIConnectionError)
    assert (lost(outcomes), stream.progress.failed) == ([], 0)
    assert 105 <= now() <= 130
    assert await collect(stream) == []


async def test_all_go_on_when_something_gets_through() -> None:
    """A request that stood in the rate limit's queue, and gets through in a pause, ends it."""
    stub = Stub()
    terms = Terms(stub.policy, stub.quota, lambda: 0.5, max_wait=300)
    fetcher = RetryingFetcher(stub.fetch, terms, on_change=lambda: None)
    for index in range(5):
        fetcher.record_failure(SESSION.request(number(index)), -1.0, final=False)
    assert fetcher.health.down
    begun = now()
    pausing = asyncio.create_task(fetcher.pause(after=60.0))
    await fetcher.fetch(SESSION.request(number(7)))
    await pausing
    assert (fetcher.health.down, now() - begun) == (False, 1.0)


async def test_an_outage_costs_no_quota() -> None:
    """Pauses bound the attempts in it, and the quota is there for what comes after."""
    stub = Stub(answer=down_between(2.5, 200), quota=RetryQuota(per_second=1e-9))
    await collect(stub.stream(numbers(50), concurrency=4))
    assert stub.quota.tokens(now()) >= 500 - 5 * 8


# -- bad ids ------------------------------------------------------------------------------------


@CONCURRENCY
@ORDER
@pytest.mark.parametrize(
    "indices",
    [(0,), (0, 1, 2), (10,), (39,), (37, 38, 39), (0, 20, 39), range(10, 40)],
    ids=["first", "first 3", "one", "last", "last 3", "spread", "last 30"],
)
async def test_bad_ids_fail_and_the_others_do_not(
    indices: tuple[int, ...], concurrency: int, ordered: bool
) -> None:
    """H16: wherever they stand, with bounded requests, and each with its own error."""
    stub = Stub(answer=bad(*indices))
    stream = stub.stream(numbers(40), concurrency=concurrency, ordered=ordered)
    outcomes = await collect(stream)
    assert (len(outcomes), lost(outcomes)) == (40, sorted(indices))
    assert len(stub.asked) <= 40 + 25 * len(indices)


async def test_with_others_getting_through_an_id_has_its_attempts() -> None:
    """H16: it is asked for as often as the policy says, and no more."""
    stub = Stub(answer=bad(7), policy=RetryPolicy(attempts=3, initial=8))
    outcomes = await collect(stub.stream(numbers(100), concurrency=2))
    assert lost(outcomes) == [7]
    assert Counter(stub.asked)[UUID(number(7))] == 3


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_a_job_of_a_few_bad_ids_ends(count: int, concurrency: int) -> None:
    """H16: with nothing to compare with, each fails after twice its attempts."""
    stub = Stub(answer=lambda _: down())
    outcomes = await collect(stub.stream(numbers(count), concurrency=concurrency))
    assert lost(outcomes) == list(range(count))
    assert set(Counter(stub.asked).values()) == {10}


async def test_a_404_is_a_sign_of_life() -> None:
    """A service that answers anything at all is not down."""
    missing = failed(NotFoundError("x", status=404))
    stub = Stub(answer=lambda sid: down() if sid.int == 1 else missing)
    assert len(await collect(stub.stream(numbers(10)))) == 10


async def test_one_attempt_is_enough_if_others_get_through() -> None:
    """H16: a policy that never retries gives up at once where the service works."""
    stub = Stub(answer=bad(3), policy=RetryPolicy(attempts=1), seconds=lambda sid: 1 + sid.int / 10)
    outcomes = await collect(stub.stream(numbers(8), concurrency=2))
    assert lost(outcomes) == [3]
    assert Counter(stub.asked)[UUID(number(3))] == 1


async def test_bad_ids_do_not_spin() -> None:
    """E5: thirty bad ids are retried no faster than the quota and its refill pay for."""
    stub = Stub(answer=bad(*range(0, 60, 2)), quota=RetryQuota(capacity=10, per_second=5))
    stream = stub.stream(numbers(60), concurrency=8)
    await collect(stream)
    assert len(stub.asked) <= 60 + 2 + now() * 1 + 12 + 2 * now()


async def test_a_401_in_a_probe_ends_the_stream() -> None:
    """What fails every id does so for the id that is under way, too."""
    refused = failed(AuthenticationError("HTTP 401", status=401))
    stub = Stub(answer=lambda sid: refused if now() > 20 else bad(5)(sid))
    _, error = await collect_until_error(stub.stream(numbers(200), concurrency=1))
    assert isinstance(error, AuthenticationError)


# -- the quota ----------------------------------------------------------------------------------


async def test_the_quota_makes_an_id_wait_and_never_fail() -> None:
    """With nothing left in it, a retry waits until time has paid for it."""
    quota = RetryQuota(capacity=5, per_second=0.5)
    stub = Stub(answer=lambda sid: down() if sid.int in (1, 2) and now() < 6 else found(sid))
    stub.quota = quota
    outcomes = await collect(stub.stream(numbers(20), concurrency=4))
    assert lost(outcomes) == []
    assert now() >= 10


# -- Retry-After --------------------------------------------------------------------------------


@CONCURRENCY
@pytest.mark.parametrize("begin", [0, 5], ids=["from the start", "later"])
async def test_a_long_retry_after_is_an_outage(begin: float, concurrency: int) -> None:
    """R4: a service in maintenance that asks for more than `max_retry_after` is waited for."""
    stub = Stub(answer=lambda sid: down(200) if begin <= now() < begin + 150 else found(sid))
    outcomes = await collect(stub.stream(numbers(40), concurrency=concurrency))
    assert (len(outcomes), lost(outcomes)) == (40, [])
    assert len(stub.asked) <= 40 + 32 + 5


@CONCURRENCY
@pytest.mark.parametrize("begin", [0, 5], ids=["from the start", "later"])
async def test_a_retry_after_past_max_wait_ends_the_stream(begin: float, concurrency: int) -> None:
    """R4: an outage that will take too long is given up at once, as nobody's failure."""
    stub = Stub(answer=lambda sid: down(86_400) if now() >= begin else found(sid))
    outcomes, error = await collect_until_error(stub.stream(numbers(400), concurrency=concurrency))
    assert (lost(outcomes), error.retry_after) == ([], 86_400)
    assert now() <= begin + 60


@CONCURRENCY
async def test_a_long_retry_after_for_one_id_is_its_own(concurrency: int) -> None:
    """R4: where others get through it fails at once, as a single call does."""
    stub = Stub(answer=lambda sid: down(86_400) if sid.int == 7 else found(sid))
    outcomes = await collect(stub.stream(numbers(40), concurrency=concurrency))
    assert lost(outcomes) == [7]
    assert Counter(stub.asked)[UUID(number(7))] == 1


async def test_a_long_retry_after_for_the_only_id_is_its_own() -> None:
    """R4: with nothing to compare with, it fails without another request."""
    stub = Stub(answer=lambda _: down(86_400))
    outcomes = await collect(stub.stream(numbers(1)))
    assert (lost(outcomes), len(stub.asked)) == ([0], 1)
    assert now() <= 31
