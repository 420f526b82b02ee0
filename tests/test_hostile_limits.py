"""What the rate limit meets in the world: clocks that jump, neighbours, windows that turn."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from raydocs_async import APIConnectionError, NotFoundError, RateLimit, RaydocsClient
from raydocs_async.sandbox import Fault, Sandbox
from tests.support.clients import SESSION_ID, THRICE, client_for
from tests.support.loops import now
from tests.support.replies import reply
from tests.support.wire import WireServer

pytestmark = [
    pytest.mark.every_loop,
    pytest.mark.looptime,
    pytest.mark.usefixtures("no_task_left"),
]

AN_HOUR = 3600.0


def client_of(sandbox: Sandbox, **options: Any) -> RaydocsClient:
    """A client that was told the sandbox's limit."""
    assert sandbox.throttle.limit is not None
    told = RateLimit(requests=sandbox.throttle.limit)
    defaults: dict[str, Any] = {"rate_limit": told, "timeout": None}
    return RaydocsClient(sandbox.token, base_url=sandbox.url, **defaults | options)


@pytest.fixture(params=[AN_HOUR, -AN_HOUR], ids=["forward", "back"])
def jump(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the wall clock jump."""

    def leap() -> None:
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + request.param)

    return leap


async def test_a_wall_clock_that_jumps(jump: Any) -> None:
    """R8: a wall clock that jumps neither shortens a wait for the window nor lengthens it."""
    async with Sandbox(limit=2) as sandbox, client_of(sandbox) as client:
        calls = [asyncio.create_task(client.get_session(each)) for each in sandbox.ids(3)]
        await asyncio.sleep(30)
        jump()
        await asyncio.gather(*calls)
    assert now() == pytest.approx(60, abs=1)
    assert sandbox.stats.throttled == 0


async def test_a_wall_clock_that_is_wrong(jump: Any) -> None:
    """R5: a date to come back at is compared with the reply's own, not with the local clock."""
    jump()
    dates = {
        "Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT",
        "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
    }
    answers = reply(status="429 Odd", headers=dates), reply(status="404 Odd")
    async with WireServer(*answers) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.attempts[1].waited == pytest.approx(10)


async def test_a_neighbour_eats_the_quota() -> None:
    """R12: with most of each window gone to others, a job comes to its end, with few refusals."""
    async with (
        Sandbox(limit=20, latency=0.05) as sandbox,
        client_of(sandbox) as client,
        client_of(sandbox, rate_limit=None) as neighbour,
    ):
        greed = asyncio.create_task(neighbour.get_sessions(sandbox.ids(400), concurrency=15))
        async with client.stream_sessions(sandbox.ids(40)) as stream:
            found = [outcome.error async for outcome in stream]
        assert not greed.done()
        greed.cancel()
        await asyncio.wait([greed])
    assert found == [None] * 40
    assert sandbox.stats.throttled <= 0.2 * sandbox.stats.requests


async def test_a_window_that_turns_in_mid_burst() -> None:
    """R13: what was in flight as the window turned is all that can be over the limit."""
    async with Sandbox(limit=20) as sandbox, client_of(sandbox) as client:
        first, *others = sandbox.ids(40)
        await client.get_session(first)
        sandbox.latency = 1.0  # those replies tell of the window after
        await asyncio.sleep(59.5)
        await asyncio.gather(*map(client.get_session, others))
    accepted = Counter(seen.window for seen in sandbox.log if seen.status == 200)
    assert max(accepted.values()) <= 20
    assert sum(accepted.values()) == 40
    assert sandbox.stats.throttled == 0


async def test_each_wire_request_is_in_the_books() -> None:
    """R15: of requests that got no answer, the server has seen as many as the client counted."""
    async with Sandbox(limit=20) as sandbox, client_of(sandbox, retry=THRICE) as client:
        await client.get_session(sandbox.ids(1)[0])
        sandbox.script(*[Fault.reset()] * 3)
        with pytest.raises(APIConnectionError) as caught:
            await client.get_session(sandbox.ids(1)[0])
        status = client.rate_limit_status
        assert status.remaining == 20 - sandbox.throttle.hits(time.time())
    assert sandbox.stats.requests == 1 + len(caught.value.attempts)
