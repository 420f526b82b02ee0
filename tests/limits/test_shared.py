"""A limiter whose window is shared: the promises of every limiter, and what is added to them.

Time is virtual, and the store is in memory.
"""

import asyncio
import logging
from pathlib import Path

import looptime
import pytest

from raydocs_async import ConfigurationError, RateLimit, RateLimiter
from raydocs_async._headers import NotCounted, Passed, RateLimitHeaders
from raydocs_async._limits import _queue
from raydocs_async._limits._member import BEAT
from raydocs_async._limits._values import Lane
from raydocs_async.sandbox import Throttle
from tests.limits.promises import LimiterPromises, granted, now
from tests.support.shared import MemoryStore

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Let all limiters of a test share a store in memory."""
    store = MemoryStore()
    monkeypatch.setattr(_queue, "FileStore", lambda path: store)
    return store


def sharing(**settings: object) -> RateLimiter:
    """Return a limiter that stands for another process."""
    return RateLimiter(RateLimit(shared="/shared/limit", **settings))  # type: ignore[arg-type]


class TestPromises(LimiterPromises):
    """The promises that each backend keeps."""

    def make(self, max_wait: float) -> RateLimiter:
        """Return a process alone at its store."""
        return sharing(max_wait=max_wait)


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
    monkeypatch.setattr(_queue, "FileStore", paths.append)
    monkeypatch.chdir(tmp_path)
    RateLimiter(RateLimit(shared="limit"))
    RateLimiter(RateLimit(shared=Path("/run/raydocs/limit")))
    assert paths == [str(tmp_path / "limit"), "/run/raydocs/limit"]


@pytest.mark.parametrize("url", ["redis://localhost/0", "rediss://a", "unix:///run/redis.sock"])
def test_a_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """This version shares a limit by a file only, and says so where it was configured."""
    with pytest.raises(ConfigurationError, match="shared must be the path of a file"):
        RateLimit(shared=url)
    monkeypatch.setenv("RAYDOCS_SHARED_LIMIT", url)
    with pytest.raises(ConfigurationError, match=r"\$RAYDOCS_SHARED_LIMIT must be the path"):
        RateLimiter()


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


def raise_(error: BaseException) -> None:
    """Raise an error from an expression."""
    raise error
