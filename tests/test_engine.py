"""One call: retries and their history, the rate limit, deadlines, cancellation, the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal
from uuid import UUID

import pytest
from attrs import frozen

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APITimeoutError,
    AuthenticationError,
    ClientClosedError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimit,
    RateLimiter,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    RetryPolicy,
    Session,
    UnprocessableEntityError,
)
from raydocs_async._deadlines import Deadlines
from raydocs_async._endpoints import SESSION
from raydocs_async._engine import Engine
from raydocs_async._limits._values import Lane
from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from raydocs_async.sandbox import Fault, Sandbox
from tests.support.clients import (
    GET,
    ONCE,
    OTHER_ID,
    SESSION_ID,
    THRICE,
    TOKEN,
    client_for,
    transport_for,
    turns_of_the_loop,
    until,
)
from tests.support.network import Resolver, session_by
from tests.support.wire import Answer, End, Pause, Received, WireServer, good, reply, session_json

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]

GOOD = reply(session_json(SESSION_ID))
THIRD_ID = "550e8400-e29b-41d4-a716-446655440000"


def error_reply(status: int, **headers: str) -> bytes:
    """An error as the framework sends it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply(b'{"message": "so it is"}', status=f"{status} Odd", headers=named)


def now() -> float:
    """The event loop's time, in seconds."""
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def sandbox_client(
    sandbox: Sandbox, *, token: str | None = None, **options: Any
) -> AsyncIterator[RaydocsClient]:
    """A client of `sandbox`, which is closed and in balance in the end."""
    client = RaydocsClient(token or sandbox.token, base_url=sandbox.url, **options)
    async with client:
        yield client
        assert client.rate_limit_status.in_flight == 0
        assert client.rate_limit_status.waiting == 0


# -- outcomes ------------------------------------------------------------------------------


async def test_success() -> None:
    """A call gives the session that the server has."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        (session_id,) = sandbox.ids(1)
        session = await client.get_session(session_id)
        expected = sandbox.session(session_id)
    assert session.id == UUID(session_id)
    assert session.name == expected["name"]
    assert len(session.documents) == len(expected["documents"])


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (Fault.status(400), "BadRequestError", "Bad Request"),
        (Fault.status(401), "AuthenticationError", "Unauthenticated"),
        (Fault.status(403), "PermissionDeniedError", "unauthorized"),
        (Fault.status(404), "NotFoundError", "No query results"),
        (Fault.status(418), "APIStatusError", "HTTP 418"),
        (Fault.status(422), "UnprocessableEntityError", "must be a valid UUID"),
        (Fault.status(500), "InternalServerError", "Server Error"),
        (Fault.status(502), "InternalServerError", "Internal server error"),
        (Fault.status(503), "InternalServerError", "Service Unavailable"),
        (Fault.body(b"[]"), "APIResponseValidationError", "not as documented"),
        (Fault.cut(), "APIConnectionError", "cut short"),
        (Fault.reset(), "APIConnectionError", "lost"),
    ],
    ids=str,
)
async def test_each_error_has_its_type(fault: Fault, error: str, says: str) -> None:
    """Whatever the service answers is the error of its kind, with the message it gave."""
    async with Sandbox() as sandbox, sandbox_client(sandbox, retry=ONCE) as client:
        sandbox.script(fault)
        with pytest.raises(RaydocsError, match=says) as caught:
            await client.get_session(sandbox.ids(1)[0])
    assert type(caught.value).__name__ == error
    assert caught.value.resource_id == sandbox.ids(1)[0]
    assert len(caught.value.attempts) == 1


async def test_a_wrong_token() -> None:
    """A token that the service does not know is an AuthenticationError, which says what to do."""
    async with Sandbox() as sandbox, sandbox_client(sandbox, token="wrong") as client:
        with pytest.raises(AuthenticationError, match="Check the token"):
            await client.get_session(sandbox.ids(1)[0])
    assert sandbox.stats.requests == 1


async def test_a_token_without_the_ability() -> None:
    """A token without the ability is a PermissionDeniedError, which names the ability."""
    async with (
        Sandbox() as sandbox,
        sandbox_client(sandbox, token=sandbox.forbidden_token) as client,
    ):
        with pytest.raises(PermissionDeniedError, match="sessions-read"):
            await client.get_session(sandbox.ids(1)[0])


async def test_an_unknown_session() -> None:
    """A session that does not exist is a NotFoundError, which names it."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        with pytest.raises(NotFoundError, match=SESSION_ID) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.request_id == "sandbox-1"
    assert "No query results" in caught.value.body_excerpt


async def test_a_reply_that_is_no_session_keeps_its_payload() -> None:
    """A 200 of another shape keeps status and payload, and does not print the payload."""
    answer = reply(b'{"id": "secret data"}', headers={"X-Request-Id": "r-1"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIResponseValidationError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.payload == b'{"id": "secret data"}'
    assert (caught.value.status, caught.value.request_id) == (200, "r-1")
    assert "secret data" not in str(caught.value)


async def test_the_error_has_no_chain() -> None:
    """An error brings no exception of the HTTP library along, neither cause nor context."""
    async with WireServer((End.RESET,)) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


# -- retries -------------------------------------------------------------------------------


@pytest.mark.looptime
@pytest.mark.usefixtures("half_jitter")
async def test_the_history_of_attempts() -> None:
    """An error tells of each attempt: when, what came of it, and what was waited before."""
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


class Blocking(asyncio.Event):
    """A server's step that blocks the event loop, which client and server share here."""

    async def wait(self) -> Literal[True]:
        """Block."""
        time.sleep(0.05)  # noqa: ASYNC251  (that is the point)
        return True


async def test_a_reply_that_arrived_while_the_loop_was_blocked() -> None:
    """C10: a reply that is there is given, although blocking code ran past the deadline."""
    async with (
        WireServer(GOOD, (GOOD, Blocking())) as server,
        client_for(server.url) as client,
    ):
        await client.get_session(SESSION_ID)
        session = await client.get_session(SESSION_ID, timeout=0.05)
    assert str(session.id) == SESSION_ID


@pytest.mark.looptime
@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts_are_counted(attempts: int) -> None:
    """As many requests go out as the policy has attempts, the first one included."""
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
    """What passes is invisible: the call gives its session."""
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
    """While everything fails, calls together retry a hundred times at once, and then not at all."""
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
    """E5: a single failure after an outage is retried, though nothing has succeeded since."""
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
    """H19: a whole reply on an idle connection is noticed; the retry is by a fresh connection."""
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
    """M11: when every reply is about another session, the call fails and says so."""
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
        await client.get_session(SESSION_ID)  # it tells that there is no limit
        calls = [asyncio.create_task(client.get_session(SESSION_ID)) for _ in range(10)]
        await until(lambda: len(server.requests) == 11)
        gate.set()
        await asyncio.gather(*calls)
        assert str((await client.get_session(OTHER_ID)).id) == OTHER_ID
    assert (server.connections, len(server.requests)) == (11, 13)


@pytest.mark.looptime
async def test_a_connection_that_closes_on_its_second_request() -> None:
    """N11: it is invisible to the caller."""
    async with (
        WireServer(good, (End.CLOSE,), good) as server,
        client_for(server.url, retry=THRICE) as client,
    ):
        for _ in range(2):
            await client.get_session(SESSION_ID)
    assert len(server.requests) == 3


# -- the rate limit ------------------------------------------------------------------------


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
    """A 429 is waited out for Retry-After and a second, and is no attempt."""
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
    """R1: a refusal shows in the history with the time that it cost."""
    answers = [error_reply(429, Retry_After="3"), error_reply(404)]
    async with WireServer(*answers) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.get_session(SESSION_ID)
    assert [each.status for each in caught.value.attempts] == [429, 404]
    assert caught.value.attempts[1].waited == pytest.approx(4)


@pytest.mark.looptime
async def test_an_understated_wait_is_no_hot_loop() -> None:
    """R1: ten refusals that say 0 take ten seconds at least, and use up no attempt."""
    answers: list[Any] = [error_reply(429, Retry_After="0")] * 10 + [good]
    async with WireServer(*answers) as server, client_for(server.url, retry=ONCE) as client:
        await client.get_session(SESSION_ID)
    assert now() >= 9.9
    assert len(server.requests) == 11


@pytest.mark.looptime
async def test_refusals_without_a_word_are_backed_off() -> None:
    """R2: 429s without Retry-After, one after the other, are met with growing waits."""
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
    """A pause beyond the limiter's `max_wait` is refused without waiting, and told."""
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
async def test_a_pause_is_for_everybody() -> None:
    """A call that would have to wait past its deadline fails at once, with nothing sent."""
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
    """At 10 requests a minute, 30 sessions take two more windows and earn no 429."""
    async with (
        Sandbox(limit=10) as sandbox,
        sandbox_client(sandbox, timeout=None, rate_limit=RateLimit(requests=10)) as client,
    ):
        await asyncio.gather(*map(client.get_session, sandbox.ids(30)))
    assert sandbox.stats.throttled == 0
    assert 119 <= now() <= 125


@pytest.mark.looptime
async def test_the_status_of_the_rate_limit() -> None:
    """`rate_limit_status` tells what the headers told."""
    async with Sandbox(limit=50) as sandbox, sandbox_client(sandbox) as client:
        assert client.rate_limit_status.limit == 100
        assert client.rate_limit_status.remaining is None
        await client.get_session(sandbox.ids(1)[0])
        status = client.rate_limit_status
    assert (status.limit, status.remaining) == (50, 49)
    assert status.resets_in == pytest.approx(60, abs=0.1)


async def test_a_shared_limiter() -> None:
    """Two clients with one limiter see the same window."""
    limiter = RateLimiter()
    async with (
        Sandbox() as sandbox,
        sandbox_client(sandbox, rate_limit=limiter) as one,
        sandbox_client(sandbox, rate_limit=limiter) as two,
    ):
        await one.get_session(sandbox.ids(1)[0])
        assert two.rate_limit_status.remaining == 99


# -- deadlines -----------------------------------------------------------------------------


@pytest.mark.looptime
async def test_the_deadline_ends_an_attempt() -> None:
    """A call that gets no answer in its time ends then, and tells what it was at."""
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        with pytest.raises(APITimeoutError) as caught:
            await client.get_session(SESSION_ID, timeout=2)
        assert client.rate_limit_status.in_flight == 0
    assert now() == pytest.approx(2)
    assert "no answer within 2 s; still waiting for the reply" in str(caught.value)
    assert [each.error for each in caught.value.attempts] == ["interrupted"]


@pytest.mark.looptime
async def test_the_clients_deadline_is_the_default() -> None:
    """Without a time-out of its own, a call has the client's."""
    async with WireServer((End.HANG,)) as server, client_for(server.url, timeout=3) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID)
    assert now() == pytest.approx(3)


@pytest.mark.looptime
async def test_no_deadline() -> None:
    """With a time-out of None, only the attempts are timed."""
    async with WireServer((End.HANG,)) as server, client_for(server.url, timeout=3) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID, timeout=None)
    assert now() == pytest.approx(60)


@pytest.mark.looptime
async def test_the_deadline_ends_the_queueing() -> None:
    """A call that still queues at its deadline tells so, and sent nothing."""
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
    """A wait that would end after the deadline fails the call now, with the error at hand."""
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


async def test_a_time_out_that_is_not_ours() -> None:
    """A TimeoutError out of the caller's own callback is left alone."""

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
    """A call with the one time-out."""
    return await asyncio.wait_for(call, 2)


async def by_timeout(call: Coroutine[Any, Any, Session]) -> Session:
    """A call with the other time-out."""
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
    """C10: a failure in a task group cancels the other calls, and is what comes out."""
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


# -- cancellation --------------------------------------------------------------------------


@frozen
class Phase:
    """A moment of a call at which it is cancelled."""

    answers: tuple[Any, ...]
    reached: Callable[[WireServer, RaydocsClient, Resolver], object]
    dns_hangs: bool = False
    occupied: bool = False


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
    """C9: a cancelled call ends within a tick, keeps no slot, and the next answer is right."""
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
            other.cancel()
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
    """C9: the reply to a cancelled call, when it comes late, answers nobody else."""
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


# -- closing -------------------------------------------------------------------------------


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
    """A call that backs off ends at once when the client is closed, and says what it was at."""
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
    """C8: a call that is cancelled in the same tick as the close is cancelled, not closed."""
    async with WireServer((End.HANG,)) as server:
        client = client_for(server.url)
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        call.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.looptime
async def test_the_attempts_and_the_calls_time_out_together() -> None:
    """When attempt and call end in the same moment, the call's deadline is the error."""
    async with (
        WireServer((End.HANG,)) as server,
        client_for(server.url, attempt_timeout=2, timeout=2) as client,
    ):
        with pytest.raises(APITimeoutError, match="no answer within 2 s") as caught:
            await client.get_session(SESSION_ID)
    assert now() == pytest.approx(2)
    assert len(caught.value.attempts) == 1


@pytest.mark.looptime
async def test_a_call_leaves_its_task_fit_for_more() -> None:
    """A call that timed out leaves no cancellation behind in the task that made it."""
    async with WireServer((End.HANG,), good) as server, client_for(server.url) as client:
        with pytest.raises(APITimeoutError):
            await client.get_session(SESSION_ID, timeout=1)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        async with asyncio.timeout(5):
            await asyncio.sleep(1)
            await client.get_session(SESSION_ID)


async def test_unprocessable_keeps_what_the_service_said() -> None:
    """A 422 keeps the beginning of its body, where the fields are named."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        sandbox.script(Fault.status(422))
        with pytest.raises(UnprocessableEntityError) as caught:
            await client.get_session(sandbox.ids(1)[0])
    assert "sessionId" in caught.value.body_excerpt


def test_the_test_token_is_visible_ascii() -> None:
    """The token of these tests is one that a client takes."""
    assert repr(RaydocsClient(TOKEN)) == "<RaydocsClient for https://api.raydocs.com, open>"


@pytest.mark.looptime
async def test_a_known_status_survives_the_deadline() -> None:
    """A 404 whose body does not come is a 404, also when the call's time is nearly over."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with WireServer((head, End.HANG)) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError):
            await client.get_session(SESSION_ID, timeout=2)
