"""What the tests themselves stand on: two event loops, and a clock that nobody waits for."""

import asyncio
import time

import pytest
import uvloop

from tests.support.clients import SESSION_ID, client_for
from tests.support.replies import good
from tests.support.wire import WireServer

pytestmark = pytest.mark.every_loop


@pytest.fixture
def is_uvloop(request: pytest.FixtureRequest) -> bool:
    """Return True if the test's name names uvloop."""
    return "uvloop" in request.node.name


async def test_the_loop_is_the_one_in_the_name(is_uvloop: bool) -> None:
    """A test that is marked `every_loop` runs on each of them."""
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop) is is_uvloop


@pytest.mark.looptime
async def test_virtual_time_takes_no_time() -> None:
    """An hour of the loop's time is over at once, on either loop."""
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    await asyncio.sleep(3600)
    assert loop.time() == 3600
    assert time.perf_counter() - began < 10


@pytest.mark.looptime
async def test_virtual_time_stands_still_for_sockets() -> None:
    """While bytes are on their way no time passes, on either loop."""
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
    assert asyncio.get_running_loop().time() == 0


@pytest.mark.looptime
async def test_virtual_timers_go_off_in_order() -> None:
    """The earliest timer comes first, and one that was cancelled does not come."""
    loop, seen = asyncio.get_running_loop(), list[int]()
    for delay in (3, 1, 2, 2):
        loop.call_later(delay, seen.append, delay)
    loop.call_at(1.5, seen.append, 0).cancel()
    await asyncio.sleep(4)
    assert seen == [1, 2, 2, 3]
