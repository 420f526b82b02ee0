"""A limiter whose window is shared: the promises of every limiter, and what is added to them.

Time is virtual, and the store is in memory; it answers at once, or later.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import looptime
import pytest

from raydocs_async import ConfigurationError, RateLimit, RateLimiter
from raydocs_async._headers import NotCounted, Passed, RateLimitHeaders
from raydocs_async._limits import _queue, _stores
from raydocs_async._limits._address import RedisAddress
from raydocs_async._limits._member import BEAT
from raydocs_async._limits._values import Lane, Wait
from raydocs_async.sandbox import Throttle
from tests.limits.promises import LimiterPromises, granted, now
from tests.support.stores import LaterStore, MemoryStore

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Let all limiters of a test share a store in memory."""
    store = MemoryStore()
    monkeypatch.setattr(_stores, "FileStore", lambda path: store)
    return store


def sharing(**settings: object) -> RateLimiter:
    """Return a limiter that stands for another process."""
    return RateLimiter(RateLimit(shared="/shared/limit", **settings))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def later(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> list[LaterStore]:
    """Let a server in memory stand for a server of Redis; return its clients."""
    made: list[LaterStore] = []

    def make(address: RedisAddress, wake: Callable[[], None]) -> LaterStore:
        made.append(LaterStore(store, wake))
        return made[-1]

    monkeypatch.setattr(_stores, "_redis_store", make)
    return made


def asking(**settings: object) -> RateLimiter:
    """Return a limiter that stands for another process, on another machine."""
    return RateLimiter(RateLimit(shared="redis://host", **settings))  # type: ignore[arg-type]


class TestPromises(LimiterPromises):
    """The promises that each backend keeps."""

    def make(self, max_wait: float) -> RateLimiter:
        """Return a process alone at its store."""
        return sharing(max_wait=max_wait)


class TestPromisesLater(LimiterPromises):
    """The same promises by a store whose answers come later."""

    def make(self, max_wait: float) -> RateLimiter:
        """Return a process alone at its store."""
        return asking(max_wait=max_wait)


class TestPromisesWithoutTheStore(LimiterPromises):
    """The same promises while the store cannot be used."""

    @pytest.fixture(autouse=True)
    def broken(self, store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
        """Let the store fail."""
        store.failure = "on fire"

    def make(self, max_wait: float) -> RateLimiter:
        """Return a process that cannot reach its store."""
        return sharing(max_wait=max_wait)


async def request(limiter: RateLimiter, throttle: Throttle, lane: Lane = Lane.SINGLE) -> None:
    """Make a call, which the server must not refuse."""
    ticket = await granted(limiter, lane)
    assert not throttle.refuses(now())
    throttle.hit(now())
    await asyncio.sleep(0.05)
    limiter.settle(ticket, Passed(RateLimitHeaders.parse(throttle.passed_headers(now()))))


async def test_two_processes_take_the_least_time_that_the_server_allows() -> None:
    """A thousand requests at a hundred a minute: no 429, and a moment a window over the floor."""
    first, second, throttle = sharing(), sharing(), Throttle(100)
    calls = [request(limiter, throttle) for limiter in (first, second) for _ in range(500)]
    await asyncio.gather(*calls)
    assert throttle.windows == 10
    assert now() <= 9 * 60.15 + 0.5


async def test_by_a_server_two_processes_take_the_least_time(later: list[LaterStore]) -> None:
    """Answers that come later cost no 429, and a moment a window."""
    first, second, throttle = asking(), asking(), Throttle(100)
    calls = [request(limiter, throttle) for limiter in (first, second) for _ in range(250)]
    await asyncio.gather(*calls)
    assert throttle.windows == 5
    assert now() <= 4 * 60.2 + 0.6


async def test_a_caller_with_a_near_deadline_is_told_by_the_answer(store: MemoryStore) -> None:
    """Callers wait for the answer of the store, which says that the window opens too late."""
    limiter, throttle = asking(requests=1), Throttle(1)
    await request(limiter, throttle)
    bulk = asyncio.create_task(limiter.acquire(Lane.BULK, now() + 100))
    await asyncio.sleep(5)
    wait = await limiter.acquire(Lane.SINGLE, now() + 1)
    assert isinstance(wait, Wait)
    assert now() < 6
    bulk.cancel()


@pytest.mark.parametrize("make", [sharing, asking])
async def test_closing_gives_the_hits_back(
    store: MemoryStore, later: list[LaterStore], make: Callable[[], RateLimiter]
) -> None:
    """A closed limiter holds no hit, and uses its store again if it is used again."""
    limiter, throttle = make(), Throttle(100)
    await asyncio.gather(*(request(limiter, throttle) for _ in range(5)))
    await limiter.close()
    assert store.record is not None
    assert [account.held for account in store.record.accounts.values()] == [0]
    assert [server.closed for server in later] in ([], [1])
    await request(limiter, throttle)


async def test_closing_waits_for_nobody(store: MemoryStore, later: list[LaterStore]) -> None:
    """While another client of the limiter makes calls, its store stays open."""
    limiter = asking()
    ticket = await granted(limiter)
    waiter = asyncio.create_task(limiter.acquire(Lane.SINGLE, now() + 100))
    await limiter.close()
    limiter.settle(ticket, NotCounted())
    await waiter
    await limiter.close()
    assert later[0].closed == 0


async def test_closing_without_a_store(later: list[LaterStore]) -> None:
    """A limiter that was not used, or shares nothing, has nothing to close."""
    await asking().close()
    limiter = RateLimiter()
    await request(limiter, Throttle(100))
    await limiter.close()
    assert later[0].closed == 0


async def test_the_status_tells_how_many_processes_there_are(store: MemoryStore) -> None:
    """The number of processes is unknown before the first request, and without the store."""
    first, second, throttle = sharing(), sharing(), Throttle(100)
    assert first.status(now()).processes is None
    await request(first, throttle)
    assert first.status(now()).processes == 1
    await request(second, throttle)
    status = second.status(now())
    assert (status.processes, status.limit, status.remaining) == (2, 100, 98)
    store.failure = "on fire"
    await asyncio.sleep(1)
    await request(second, throttle)
    assert second.status(now()).processes is None


async def test_a_process_that_ends_its_work_gives_its_hits_back(store: MemoryStore) -> None:
    """Beats go on until the process holds no hit, and leave no timer."""
    limiter, throttle = sharing(), Throttle(100)
    await asyncio.gather(*(request(limiter, throttle) for _ in range(5)))
    await asyncio.sleep(2)
    record = store.record
    assert record is not None
    assert [account.held for account in record.accounts.values()] == [0]
    before = store.transactions
    await asyncio.sleep(100)
    assert store.transactions == before


async def test_waiters_are_served_when_a_beat_brings_hits(store: MemoryStore) -> None:
    """Hits that another process gave back are used."""
    limiter, throttle = sharing(requests=3), Throttle(3)
    await request(limiter, throttle)
    other = sharing(requests=3)
    tickets = [await granted(other), await granted(other)]
    waiter = asyncio.create_task(request(limiter, throttle))
    await asyncio.sleep(0.1)
    for ticket in tickets:
        other.settle(ticket, NotCounted())
    await asyncio.sleep(2)
    assert waiter.done()


async def test_the_failure_of_the_store_is_logged_once(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning gives the reason, and what it means."""
    store.failure = "on fire"
    limiter, throttle = sharing(), Throttle(100)
    with caplog.at_level(logging.WARNING, "raydocs_async"):
        for _ in range(50):
            await request(limiter, throttle)
            await asyncio.sleep(0.2)
    (record,) = caplog.records
    assert record.message == (
        "the shared rate limit cannot be used, so this process goes on by the server's headers "
        "alone: on fire"
    )


async def test_the_environment_names_the_shared_limit(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names the shared limit if the configuration does not."""
    monkeypatch.setenv("RAYDOCS_SHARED_LIMIT", "limit")
    for configured in (RateLimit(), None):
        limiter = RateLimiter(configured)
        await request(limiter, Throttle(100))
        assert limiter.status(now()).processes
    limiter = RateLimiter(RateLimit(shared=""))
    await request(limiter, Throttle(100))
    assert limiter.status(now()).processes is None


def test_the_path_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that changes its directory later still finds the file."""
    paths: list[str] = []
    monkeypatch.setattr(_stores, "FileStore", paths.append)
    monkeypatch.chdir(tmp_path)
    RateLimiter(RateLimit(shared="limit"))
    RateLimiter(RateLimit(shared=Path("/run/raydocs/limit")))
    assert paths == [str(tmp_path / "limit"), "/run/raydocs/limit"]


def test_only_a_path_is_accepted() -> None:
    """Another type is refused at once."""
    with pytest.raises(ConfigurationError, match="shared must be"):
        RateLimit(shared=7)  # type: ignore[arg-type]


def test_the_next_event_loop_takes_no_lease_over(store: MemoryStore) -> None:
    """The lease of a closed event loop goes back."""
    limiter = sharing()
    for _ in range(2):
        loop = looptime.new_event_loop(start=0.0)
        loop.run_until_complete(request(limiter, Throttle(100)))
        loop.close()
    assert limiter.status(0.0).in_flight == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_an_interrupted_beat_is_repeated(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """A signal can come between any two lines."""
    limiter = sharing()
    await granted(limiter)
    assert limiter._beat_timer is not None
    limiter._beat_timer.cancel()
    with monkeypatch.context() as patch:
        patch.setattr(_queue.RateLimiter, "_serve", lambda self, now: raise_(error()))
        with pytest.raises(error):
            limiter._beat()
    before = store.transactions
    await asyncio.sleep(2 * BEAT)
    assert store.transactions > before


def test_without_the_package_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its optional package, a URL is refused at once, with the command that helps."""
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "raydocs_async._limits._redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'raydocs-async\[redis\]'"):
        RateLimiter(RateLimit(shared="redis://host"))


def raise_(error: BaseException) -> None:
    """Raise an error from an expression."""
    raise error
