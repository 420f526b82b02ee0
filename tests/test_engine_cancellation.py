"""Cancelled calls, and calls in flight when the client is closed: nothing of them is left."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from raydocs_async import ClientClosedError, RateLimit, RaydocsClient
from tests.support.calls import GOOD, THIRD_ID, error_reply
from tests.support.clients import OTHER_ID, SESSION_ID, THRICE, client_for, turns_of_the_loop, until
from tests.support.loops import now
from tests.support.network import Resolver, session_by
from tests.support.replies import good
from tests.support.wire import Answer, End, Pause, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@frozen
class Phase:
    """A phase of a call, in which the test cancels it."""

    answers: tuple[Any, ...]
    """The server's answers, in order. One of them keeps the call in this phase; the last one is for
    the calls after it."""
    reached: Callable[[WireServer, RaydocsClient, Resolver], object]
    """Returns a true value when the call is in this phase."""
    dns_hangs: bool = False
    """True if the look-up of the server's name never ends."""
    occupied: bool = False
    """True if another call holds the only connection, so that this call stays in the queue."""


PHASES = {
    "the queue": Phase(
        ((End.HANG,), good), lambda _, client, __: client.rate_limit_status.waiting, occupied=True
    ),
    "connect": Phase((good,), lambda _, __, resolver: resolver.asked, dns_hangs=True),
    "headers": Phase(((GOOD[:30], End.HANG), good), lambda server, *_: server.requests),
    "body": Phase(((GOOD[:-30], End.HANG), good), lambda server, *_: server.requests),
    "an error's body": Phase(
        ((error_reply(404)[:-3], End.HANG), good), lambda server, *_: server.requests
    ),
    "back-off": Phase(
        (error_reply(503, Retry_After="9"), good),
        lambda server, client, _: server.requests and not client.rate_limit_status.in_flight,
    ),
}


@pytest.mark.looptime
@pytest.mark.parametrize("phase", PHASES.values(), ids=[f"C9 {name}" for name in PHASES])
@pytest.mark.parametrize("times", [1, 2])
async def test_cancellation(phase: Phase, times: int) -> None:
    """C9: a cancelled call ends at once, frees its place, and the next call gets its own answer."""
    resolver = Resolver(End.HANG, None) if phase.dns_hangs else Resolver(None)
    async with (
        WireServer(*phase.answers) as server,
        session_by(resolver) as http_session,
        client_for(
            server.url.replace("127.0.0.1", "api.localhost"),
            allow_http=True,
            http_session=http_session,
            max_connections=1,
            retry=THRICE,
        ) as client,
    ):
        other = asyncio.create_task(client.get_session(OTHER_ID))
        if phase.occupied:
            await until(lambda: server.requests)
        else:
            other.cancel()  # before it has begun, so that the server never sees it
        task = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: phase.reached(server, client, resolver))
        await turns_of_the_loop()
        for _ in range(times):
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() < 0.1
        other.cancel()
        await asyncio.wait([other])
        assert client.rate_limit_status.in_flight == 0
        assert client.rate_limit_status.waiting == 0
        assert str((await client.get_session(THIRD_ID)).id) == THIRD_ID


@pytest.mark.looptime
async def test_a_cancelled_call_leaves_its_connection_unused() -> None:
    """C9: a late reply to a cancelled call is not given to another call."""
    async with (
        WireServer((Pause(1.0), GOOD), good) as server,
        client_for(server.url) as client,
    ):
        task = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(2)
        assert str((await client.get_session(OTHER_ID)).id) == OTHER_ID
    assert [each.connection for each in server.requests] == [1, 2]


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.HANG,), id="C7 headers"),
        pytest.param((GOOD[:-30], End.HANG), id="C7 body"),
        pytest.param((error_reply(404)[:-3], End.HANG), id="C7 an error's body"),
    ],
)
async def test_closing_ends_readers_promptly(answer: Answer) -> None:
    """C7: closing while replies are read ends their calls at once, with a typed error."""
    async with WireServer(answer) as server:
        client = client_for(server.url)
        calls = [asyncio.create_task(client.get_session(SESSION_ID)) for _ in range(10)]
        await until(lambda: len(server.requests) >= 1)
        await turns_of_the_loop()
        await client.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        await until(lambda: server.open_connections == 0)
    assert {type(result) for result in results} == {ClientClosedError}
    assert "while waiting for the reply" in str(results[0])
    assert now() < 0.1


@pytest.mark.looptime
async def test_closing_while_a_thousand_queue() -> None:
    """C8: closing ends every queueing call with a typed error and no stray cancellation."""
    async with WireServer((End.HANG,)) as server:
        client = client_for(server.url, rate_limit=RateLimit(requests=1), timeout=None)
        calls = [asyncio.create_task(client.get_session(SESSION_ID)) for _ in range(1000)]
        await until(lambda: server.requests)
        await client.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert client.rate_limit_status.waiting == 0
        assert client.rate_limit_status.in_flight == 0
    assert {type(result) for result in results} == {ClientClosedError}
    assert len(server.requests) == 1
    assert "while waiting for the rate limit" in str(results[-1])
    assert now() < 0.1


@pytest.mark.looptime
async def test_closing_in_a_back_off() -> None:
    """Closing ends a call that backs off at once, with an error that names the phase."""
    async with WireServer(error_reply(503, Retry_After="60")) as server:
        client = client_for(server.url, retry=THRICE)
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await asyncio.sleep(1)
        await client.close()
        with pytest.raises(ClientClosedError, match="while backing off") as caught:
            await call
    assert [each.status for each in caught.value.attempts] == [503]
    assert now() == pytest.approx(1)


@pytest.mark.looptime
async def test_two_closes_at_once() -> None:
    """C5: two tasks may close at the same time; both return when the calls have ended."""
    async with WireServer((End.HANG,)) as server:
        client = client_for(server.url)
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        await asyncio.gather(client.close(), client.close())
        with pytest.raises(ClientClosedError):
            await call
        await client.close()


@pytest.mark.looptime
async def test_a_cancelled_call_stays_cancelled_when_the_client_closes() -> None:
    """C8: a call that is cancelled in the same turn of the loop as the close stays cancelled."""
    async with WireServer((End.HANG,)) as server:
        client = client_for(server.url)
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        call.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await call
