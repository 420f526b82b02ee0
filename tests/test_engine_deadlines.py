"""Deadlines of one call: its own, those of its attempts, and the caller's time-outs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal

import pytest

from raydocs_async import (
    APITimeoutError,
    InternalServerError,
    NotFoundError,
    RateLimiter,
    RaydocsError,
    RetryPolicy,
    Session,
)
from raydocs_async._deadlines import Deadlines
from raydocs_async._endpoints import SESSION
from raydocs_async._engine import Engine
from raydocs_async._limits._values import Lane
from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from tests.support.calls import GOOD, error_reply
from tests.support.clients import (
    GET,
    OTHER_ID,
    SESSION_ID,
    THRICE,
    TOKEN,
    client_for,
    transport_for,
    until,
)
from tests.support.loops import now
from tests.support.replies import good, reply
from tests.support.wire import End, Pause, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


class Blocking(asyncio.Event):
    """A step of the server that blocks the event loop, which the client shares."""

    async def wait(self) -> Literal[True]:
        """Block."""
        time.sleep(0.05)  # noqa: ASYNC251  (that is the point)
        return True


async def test_a_reply_that_arrived_while_the_loop_was_blocked() -> None:
    """C10: a reply that has arrived is returned, although blocking code ran past the deadline."""
    async with (
        WireServer(GOOD, (GOOD, Blocking())) as server,
        client_for(server.url) as client,
    ):
        await client.get_session(SESSION_ID)
        session = await client.get_session(SESSION_ID, timeout=0.05)
    assert str(session.id) == SESSION_ID


@pytest.mark.looptime
async def test_the_deadline_ends_an_attempt() -> None:
    """A call without an answer ends at its deadline, and the error names its phase."""
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        with pytest.raises(APITimeoutError) as caught:
            await client.get_session(SESSION_ID, timeout=2)
        assert client.rate_limit_status.in_flight == 0
    assert now() == pytest.approx(2)
    assert "no answer within 2 s; still waiting for the reply" in str(caught.value)
    assert [each.error for each in caught.value.attempts] == ["interrupted"]


@pytest.mark.looptime
async def test_the_clients_deadline_is_the_default() -> None:
    """A call without a time-out of its own has the client's."""
    async with WireServer((End.HANG,)) as server, client_for(server.url, timeout=3) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID)
    assert now() == pytest.approx(3)


@pytest.mark.looptime
async def test_no_deadline() -> None:
    """With a time-out of ``None``, only the attempts have a time-out."""
    async with WireServer((End.HANG,)) as server, client_for(server.url, timeout=3) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID, timeout=None)
    assert now() == pytest.approx(60)


@pytest.mark.looptime
async def test_the_deadline_ends_the_queueing() -> None:
    """A call that is in the queue at its deadline has sent nothing, and its error says so."""
    async with (
        WireServer((End.HANG,)) as server,
        client_for(server.url, max_connections=1) as client,
    ):
        hanging = asyncio.create_task(client.get_session(OTHER_ID, timeout=10))
        await until(lambda: server.requests)
        with pytest.raises(APITimeoutError, match="still waiting for the rate limit") as caught:
            await client.get_session(SESSION_ID, timeout=2)
        assert now() == pytest.approx(2)
        assert client.rate_limit_status.waiting == 0
        with pytest.raises(APITimeoutError):
            await hanging
    assert caught.value.attempts == ()
    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_a_back_off_past_the_deadline_is_not_begun() -> None:
    """A back-off that would end after the deadline fails the call at once, with its last error."""
    async with (
        WireServer(error_reply(503, Retry_After="30")) as server,
        client_for(server.url, retry=THRICE) as client,
    ):
        with pytest.raises(InternalServerError):
            await client.get_session(SESSION_ID, timeout=10)
    assert now() == 0
    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_one_deadline_is_over_everything() -> None:
    """Attempts and back-offs share one deadline."""
    async with (
        WireServer((Pause(4.0), error_reply(500))) as server,
        client_for(server.url, retry=RetryPolicy(attempts=9, initial=0, maximum=0)) as client,
    ):
        with pytest.raises(APITimeoutError) as caught:
            await client.get_session(SESSION_ID, timeout=10)
    assert now() == pytest.approx(10)
    assert [each.status for each in caught.value.attempts] == [500, 500, None]


async def test_a_time_out_of_a_callback() -> None:
    """A ``TimeoutError`` that a callback raises passes through unchanged."""

    async def broken_sleep(_: float) -> None:
        raise TimeoutError("mine")

    async with WireServer(error_reply(500)) as server:
        deadlines = Deadlines()
        engine = Engine(
            transport=transport_for(server.url, deadlines=deadlines),
            limiter=RateLimiter(None),
            deadlines=deadlines,
            policy=RetryPolicy(),
            redactor=Redactor(Secret(TOKEN)),
            rand=lambda: 0.5,
            sleep=broken_sleep,
            on_event=None,
        )
        with pytest.raises(TimeoutError, match="mine"):
            await engine.call(SESSION, GET, timeout=5, lane=Lane.SINGLE)
        await engine.close()


async def by_wait_for(call: Coroutine[Any, Any, Session]) -> Session:
    """Limit a call by `asyncio.wait_for`."""
    return await asyncio.wait_for(call, 2)


async def by_timeout(call: Coroutine[Any, Any, Session]) -> Session:
    """Limit a call by `asyncio.timeout`."""
    async with asyncio.timeout(2):
        return await call


@pytest.mark.looptime
@pytest.mark.parametrize("limited", [by_wait_for, by_timeout])
async def test_the_callers_own_time_out(
    limited: Callable[[Coroutine[Any, Any, Session]], Awaitable[Session]],
) -> None:
    """C10: a time-out around a call is the caller's own TimeoutError."""
    async with WireServer((End.HANG,), good) as server, client_for(server.url) as client:
        with pytest.raises(TimeoutError) as caught:
            await limited(client.get_session(SESSION_ID))
        assert not isinstance(caught.value, RaydocsError)
        assert now() == pytest.approx(2)
        assert client.rate_limit_status.in_flight == 0
        await client.get_session(SESSION_ID)


@pytest.mark.looptime
async def test_a_task_group_around_calls() -> None:
    """C10: a failure in a task group cancels the other calls, and is the only exception raised."""
    async with (
        WireServer((End.HANG,), error_reply(404)) as server,
        client_for(server.url) as client,
    ):

        async def both() -> None:
            async with asyncio.TaskGroup() as group:
                for session_id in (SESSION_ID, OTHER_ID):
                    group.create_task(client.get_session(session_id))

        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert client.rate_limit_status.in_flight == 0
    assert [type(each) for each in caught.value.exceptions] == [NotFoundError]


@pytest.mark.looptime
async def test_the_attempts_and_the_calls_time_out_together() -> None:
    """If attempt and call time out in the same moment, the error is that of the call."""
    async with (
        WireServer((End.HANG,)) as server,
        client_for(server.url, attempt_timeout=2, timeout=2) as client,
    ):
        with pytest.raises(APITimeoutError, match="no answer within 2 s") as caught:
            await client.get_session(SESSION_ID)
    assert now() == pytest.approx(2)
    assert len(caught.value.attempts) == 1


@pytest.mark.looptime
async def test_a_call_leaves_no_cancellation_in_its_task() -> None:
    """After a call has timed out, its task has no cancellation pending, and can make more calls."""
    async with WireServer((End.HANG,), good) as server, client_for(server.url) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID, timeout=1)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        async with asyncio.timeout(5):
            await asyncio.sleep(1)
            await client.get_session(SESSION_ID)


@pytest.mark.looptime
async def test_a_known_status_survives_the_deadline() -> None:
    """A 404 without its body is a `NotFoundError`, also shortly before the call's deadline."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with WireServer((head, End.HANG)) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError):
            await client.get_session(SESSION_ID, timeout=2)
