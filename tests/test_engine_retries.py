"""The retries of one call: its history, the retry quota, and unusable connections."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from raydocs_async import APIConnectionError, InternalServerError, NotFoundError, RetryPolicy
from raydocs_async.sandbox import Fault, Sandbox
from tests.support.calls import GOOD, THIRD_ID, error_reply, sandbox_client
from tests.support.clients import OTHER_ID, SESSION_ID, THRICE, client_for, until
from tests.support.replies import good, reply, session_json
from tests.support.wire import Answer, End, Pause, Received, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.looptime
@pytest.mark.usefixtures("half_jitter")
async def test_the_history_of_attempts() -> None:
    """An error has each attempt: its time, its result, and the wait before it."""
    answers: list[Answer] = [error_reply(503), (End.RESET,), (Pause(2.0), error_reply(404))]
    async with WireServer(*answers) as server, client_for(server.url, retry=THRICE) as client:
        with pytest.raises(NotFoundError, match=r"attempts: 3") as caught:
            await client.get_session(SESSION_ID)
    first, second, third = caught.value.attempts
    assert [each.status for each in caught.value.attempts] == [503, None, 404]
    assert "so it is" in (first.error or "")
    assert "lost" in (second.error or "")
    assert "so it is" in (third.error or "")
    assert [first.at, second.at, third.at] == pytest.approx([0, 0.25, 0.75], abs=1e-3)
    assert [first.waited, second.waited, third.waited] == pytest.approx([0, 0.25, 0.5], abs=1e-3)


@pytest.mark.looptime
@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts_are_counted(attempts: int) -> None:
    """As many requests are sent as the policy has attempts, the first one included."""
    policy = RetryPolicy(attempts=attempts)
    async with (
        WireServer(error_reply(500)) as server,
        client_for(server.url, retry=policy) as client,
    ):
        with pytest.raises(InternalServerError) as caught:
            await client.get_session(SESSION_ID)
    assert len(server.requests) == len(caught.value.attempts) == attempts


@pytest.mark.looptime
async def test_a_success_after_failures() -> None:
    """A call returns its session after temporary failures."""
    async with (
        Sandbox() as sandbox,
        sandbox_client(sandbox) as client,
    ):
        sandbox.script(Fault.status(500), Fault.reset(), Fault.cut(), Fault.status(504))
        (session_id,) = sandbox.ids(1)
        assert str((await client.get_session(session_id)).id) == session_id
    assert sandbox.stats.requests == 5


@pytest.mark.looptime
async def test_the_retry_quota_bounds_a_storm() -> None:
    """While all requests fail, all calls together retry a hundred times, and then no more."""
    async with WireServer(error_reply(500)) as server, client_for(server.url) as client:
        with suppress(InternalServerError):
            await client.get_session(SESSION_ID)
    assert len(server.requests) == 1
    async with (
        WireServer(error_reply(500)) as server,
        client_for(server.url, retry=RetryPolicy(attempts=5, initial=0)) as client,
    ):
        for _ in range(40):
            with pytest.raises(InternalServerError):
                await client.get_session(SESSION_ID)
    assert len(server.requests) == 40 + 100


@pytest.mark.looptime
async def test_successes_refill_the_retry_quota() -> None:
    """Five successes pay for one retry."""
    answers: list[Any] = [error_reply(500)] * (25 * 5 + 1) + [good] * 5 + [error_reply(500)]
    async with (
        WireServer(*answers) as server,
        client_for(server.url, retry=RetryPolicy(attempts=5, initial=0)) as client,
    ):
        for _ in range(26):
            with pytest.raises(InternalServerError):
                await client.get_session(SESSION_ID)
        assert len(server.requests) == 126
        for _ in range(5):
            await client.get_session(SESSION_ID)
        with pytest.raises(InternalServerError) as caught:
            await client.get_session(SESSION_ID)
    assert len(caught.value.attempts) == 2


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [2, 600])
async def test_time_refills_the_retry_quota(seconds: float) -> None:
    """E5: a failure after an outage is retried, although no call has succeeded in between."""
    answers: list[Any] = [error_reply(500)] * (25 * 5 + 1) + [error_reply(503), good]
    async with (
        WireServer(*answers) as server,
        client_for(server.url, retry=RetryPolicy(attempts=5, initial=0)) as client,
    ):
        for _ in range(26):
            with pytest.raises(InternalServerError):
                await client.get_session(SESSION_ID)
        await asyncio.sleep(seconds)
        await client.get_session(SESSION_ID)
    assert len(server.requests) == 128


@pytest.mark.looptime
async def test_an_unsolicited_reply_is_never_returned() -> None:
    """H19: an unrequested reply on an idle connection is noticed; the retry uses another one."""
    stray = reply(session_json(OTHER_ID))
    idle = asyncio.Event()
    async with (
        WireServer((GOOD, idle, stray), good) as server,
        client_for(server.url, retry=THRICE) as client,
    ):
        await client.get_session(SESSION_ID)
        idle.set()
        await asyncio.sleep(1)
        session = await client.get_session(THIRD_ID)
        assert str(session.id) == THIRD_ID
        assert str((await client.get_session(SESSION_ID)).id) == SESSION_ID
    assert server.requests[-1].connection != 1


@pytest.mark.looptime
async def test_a_reply_about_another_session_is_an_error() -> None:
    """M11: if every reply is about another session, the call fails, and the error says so."""
    answer = reply(session_json(OTHER_ID))
    async with WireServer(answer) as server, client_for(server.url, retry=THRICE) as client:
        with pytest.raises(APIConnectionError, match="another session") as caught:
            await client.get_session(SESSION_ID)
    assert [each.connection for each in server.requests] == [1, 2, 3]
    assert [each.status for each in caught.value.attempts] == [200, 200, 200]


@pytest.mark.looptime
async def test_stale_connections_are_invisible() -> None:
    """N12: with all ten pooled connections stale, a call costs one retry and succeeds."""
    gate = asyncio.Event()
    used: set[int] = set()

    def once(received: Received) -> Answer:
        if received.connection in used:
            return (End.CLOSE,)
        used.add(received.connection)
        return (gate, good(received))

    policy = RetryPolicy(attempts=2)
    async with WireServer(good, once) as server, client_for(server.url, retry=policy) as client:
        await client.get_session(
            SESSION_ID
        )  # its reply without headers means that there is no limit
        calls = [asyncio.create_task(client.get_session(SESSION_ID)) for _ in range(10)]
        await until(lambda: len(server.requests) == 11)
        gate.set()
        await asyncio.gather(*calls)
        assert str((await client.get_session(OTHER_ID)).id) == OTHER_ID
    assert (server.connections, len(server.requests)) == (11, 13)


@pytest.mark.looptime
async def test_a_connection_that_closes_on_its_second_request() -> None:
    """N11: the caller does not notice it."""
    async with (
        WireServer(good, (End.CLOSE,), good) as server,
        client_for(server.url, retry=THRICE) as client,
    ):
        for _ in range(2):
            await client.get_session(SESSION_ID)
    assert len(server.requests) == 3
