"""The server's clock."""

import asyncio
import time

import pytest

from raydocs_async.sandbox._clock import Clock


async def test_starts_with_the_wall_clock() -> None:
    """It starts at the time it is."""
    assert Clock().now() == pytest.approx(time.time(), abs=1)


async def test_jump_of_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that jumps later has no effect."""
    clock = Clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock.now() - clock.started_at < 10


@pytest.mark.looptime
async def test_virtual_time() -> None:
    """It follows a virtual loop clock."""
    clock = Clock()
    await asyncio.sleep(3600)
    assert clock.now() - clock.started_at == pytest.approx(3600)
