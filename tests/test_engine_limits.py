"""One call and the rate limit: 429s are waited out, and the window is respected."""

import asyncio
from typing import Any

import pytest

from raydocs_async import NotFoundError, RateLimit, RateLimiter, RateLimitError, RetryPolicy
from raydocs_async.sandbox import Sandbox
from tests.support.calls import error_reply, sandbox_client
from tests.support.clients import ONCE, OTHER_ID, SESSION_ID, client_for, until
from tests.support.loops import now
from tests.support.replies import good
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("retry_after", "waits"),
    [
        pytest.param("3", 4.0, id="R1 seconds"),
        pytest.param("0", 1.0, id="R1 zero"),
        pytest.param("1.5", 2.5, id="R3 fraction"),
        pytest.param(None, 1.0, id="R2 none"),
        pytest.param("", 1.0, id="R3 empty"),
        pytest.param("-1", 1.0, id="R3 negative"),
        pytest.param("nan", 1.0, id="R3 nan"),
        pytest.param("inf", 1.0, id="R3 inf"),
    ],
)
async def test_a_429_is_waited_out(retry_after: str | None, waits: float) -> None:
    """After a 429 the call waits for Retry-After and a second; the 429 is no attempt."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    async with (
        WireServer(error_reply(429, **headers), good) as server,
        client_for(server.url, retry=ONCE) as client,
    ):
        await client.get_session(SESSION_ID)
    assert waits - 0.01 <= now() <= waits + 0.5
    assert len(server.requests) == 2


@pytest.mark.looptime
async def test_a_429_is_in_the_history() -> None:
    """R1: a 429 is in the history of attempts, with the time that the call waited."""
    answers = [error_reply(429, Retry_After="3"), error_reply(404)]
    async with WireServer(*answers) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.get_session(SESSION_ID)
    assert [each.status for each in caught.value.attempts] == [429, 404]
    assert caught.value.attempts[1].waited == pytest.approx(4)


@pytest.mark.looptime
async def test_a_retry_after_of_0_is_no_hot_loop() -> None:
    """R1: ten 429s with Retry-After 0 take ten seconds at least, and no attempt."""
    answers: list[Any] = [error_reply(429, Retry_After="0")] * 10 + [good]
    async with WireServer(*answers) as server, client_for(server.url, retry=ONCE) as client:
        await client.get_session(SESSION_ID)
    assert now() >= 9.9
    assert len(server.requests) == 11


@pytest.mark.looptime
async def test_refusals_without_retry_after_are_backed_off() -> None:
    """R2: after consecutive 429s without Retry-After the waits grow."""
    answers: list[Any] = [error_reply(429)] * 8 + [good]
    policy = RetryPolicy(attempts=1, initial=4.0, maximum=20.0)
    async with WireServer(*answers) as server, client_for(server.url, retry=policy) as client:
        await client.get_session(SESSION_ID)
    assert now() >= 8


@pytest.mark.looptime
@pytest.mark.parametrize(
    "retry_after",
    [
        pytest.param("86400", id="R4 a day"),
        pytest.param("1000000000", id="R3 1e9"),
        pytest.param("9" * 400, id="R3 400 digits"),
    ],
)
async def test_a_refusal_for_too_long_fails_at_once(retry_after: str) -> None:
    """A pause longer than the limiter's `max_wait` fails the call at once."""
    async with (
        WireServer(error_reply(429, Retry_After=retry_after)) as server,
        client_for(server.url, timeout=None) as client,
    ):
        with pytest.raises(RateLimitError, match="longer than this call may wait") as caught:
            await client.get_session(SESSION_ID)
    assert now() == 0
    assert caught.value.status == 429
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 86400
    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_a_pause_holds_for_all_calls() -> None:
    """In a pause that ends after its deadline, a call fails at once, and sends nothing."""
    async with (
        WireServer(error_reply(429, Retry_After="30"), good) as server,
        client_for(server.url) as client,
    ):
        first = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: client.rate_limit_status.waiting)
        with pytest.raises(RateLimitError, match=r"retry after 31 s") as caught:
            await client.get_session(OTHER_ID, timeout=10)
        assert now() == pytest.approx(0, abs=0.01)
        await first
    assert caught.value.attempts == ()
    assert caught.value.status is None
    assert caught.value.retry_after == pytest.approx(31)
    assert len(server.requests) == 2


@pytest.mark.looptime
async def test_the_window_is_respected() -> None:
    """At 10 requests a minute, 30 sessions take two more windows, without a 429."""
    async with (
        Sandbox(limit=10) as sandbox,
        sandbox_client(sandbox, timeout=None, rate_limit=RateLimit(requests=10)) as client,
    ):
        await asyncio.gather(*map(client.get_session, sandbox.ids(30)))
    assert sandbox.stats.throttled == 0
    assert 119 <= now() <= 125


@pytest.mark.looptime
async def test_the_status_of_the_rate_limit() -> None:
    """`rate_limit_status` has the numbers of the headers."""
    async with Sandbox(limit=50) as sandbox, sandbox_client(sandbox) as client:
        assert client.rate_limit_status.limit == 100
        assert client.rate_limit_status.remaining is None
        await client.get_session(sandbox.ids(1)[0])
        status = client.rate_limit_status
    assert (status.limit, status.remaining) == (50, 49)
    assert status.resets_in == pytest.approx(60, abs=0.1)


async def test_a_shared_limiter() -> None:
    """Two clients with one limiter share a window."""
    limiter = RateLimiter()
    async with (
        Sandbox() as sandbox,
        sandbox_client(sandbox, rate_limit=limiter) as one,
        sandbox_client(sandbox, rate_limit=limiter) as two,
    ):
        await one.get_session(sandbox.ids(1)[0])
        assert two.rate_limit_status.remaining == 99
