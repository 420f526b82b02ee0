"""The server's clock."""

import asyncio
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from raydocs_async.sandbox import Sandbox
from raydocs_async.sandbox._clock import Clock


async def test_starts_with_the_wall_clock() -> None:
    """The server's clock starts at the current time."""
    assert Clock().now() == pytest.approx(time.time(), abs=1)


async def test_jump_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that jumps later has no effect."""
    clock = Clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.now() - clock.started_at < 10


async def test_mocked_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that a test has replaced does not set it: freezegun, or time-machine."""
    real = time.time()
    for name in ("time", "clock_gettime"):
        monkeypatch.setattr(time, name, lambda *_: 0.0)
    for name in ("time_ns", "clock_gettime_ns"):
        monkeypatch.setattr(time, name, lambda *_: 0)
    assert Clock().now() == pytest.approx(real, abs=10)


async def test_mocked_wall_clock_of_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The windows and the `Date` of replies are in this year, whatever year a test is in."""
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    async with Sandbox() as api, aiohttp.ClientSession() as http, http.get(api.url) as reply:
        date = parsedate_to_datetime(reply.headers["Date"]).timestamp()
    assert date == pytest.approx(real, abs=10)


async def test_nowhere_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine where no file can be made, it starts with the clock that there is."""

    def refuse() -> None:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert Clock().now() == pytest.approx(time.time(), abs=1)


@pytest.mark.looptime
async def test_virtual_time() -> None:
    """The server's clock follows a virtual loop clock."""
    clock = Clock()
    await asyncio.sleep(3600)
    assert clock.now() - clock.started_at == pytest.approx(3600)


async def test_is_running() -> None:
    """A clock runs in the event loop that it was made in, and in no other."""
    clock = Clock()
    assert clock.is_running

    async def look() -> bool:
        return clock.is_running

    with ThreadPoolExecutor() as threads:
        assert not threads.submit(lambda: asyncio.run(look())).result()
