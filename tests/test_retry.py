"""The retries of one call: the verdicts that are retried, the waits, and what ends them."""

import asyncio
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

import attrs
import pytest
from attrs import field, frozen

from raydocs_async import RateLimitError, RaydocsError
from raydocs_async._classify import Done, Permanent, Retry, Throttled, Verdict
from raydocs_async._exchange import Response
from raydocs_async._retry import FailedAttempt, Retries, RetryPolicy, RetryQuota, never

ERROR = RaydocsError("m")
DONE = Done(Response(200, {}, b""))
FAILED = Permanent(ERROR)
AGAIN = Retry(ERROR)


def asks(after: float) -> Retry:
    """Return a failure for which the server asks to wait, in seconds."""
    return Retry(ERROR, after)


@frozen
class Run:
    """One call with its retries: scripted verdicts, and the waits between them."""

    policy: RetryPolicy = RetryPolicy(initial=1.0, maximum=8.0)
    quota: RetryQuota = field(factory=RetryQuota)
    rand: Callable[[], float] = lambda: 0.5
    time_left: float = math.inf
    sleeps: list[float] = field(factory=list)
    attempts: list[Verdict] = field(factory=list)

    async def __call__(self, *verdicts: Verdict | BaseException) -> Any:
        """Run attempts with these results; return the verdict at the end."""
        script = iter(verdicts)

        async def attempt() -> Verdict:
            verdict = next(script)
            if isinstance(verdict, BaseException):
                raise verdict
            self.attempts.append(verdict)
            return verdict

        return await self.retries().run(attempt)

    def retries(self) -> Retries:
        """Return the tested object; only sleeps move its clock."""

        async def sleep(seconds: float) -> None:
            self.sleeps.append(seconds)

        return Retries(
            self.policy,
            self.quota,
            self.rand,
            lambda: sum(self.sleeps),
            self.time_left,
            sleep,
        )


@pytest.mark.parametrize(
    "verdict",
    [DONE, FAILED, Throttled(RateLimitError("m"))],
    ids=lambda verdict: type(verdict).__name__,
)
async def test_one_attempt(verdict: Verdict) -> None:
    """Any verdict but `Retry` ends the call after one attempt, and costs no quota."""
    run = Run()
    assert await run(verdict, DONE) is verdict
    assert (len(run.attempts), run.sleeps, run.quota.tokens(0.0)) == (1, [], 500)


async def test_retried() -> None:
    """The call is retried until the verdict is another one, with a growing wait between."""
    run = Run()
    assert await run(AGAIN, AGAIN, AGAIN, DONE) is DONE
    assert run.sleeps == [0.5, 1.0, 2.0]


async def test_retried_until_it_fails() -> None:
    """A permanent failure after a temporary one ends the call."""
    assert await Run()(AGAIN, FAILED, DONE) is FAILED


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts(attempts: int) -> None:
    """There are as many attempts as the policy says, the first one included."""
    run = Run(RetryPolicy(attempts=attempts))
    verdicts = [Retry(RaydocsError(str(number))) for number in range(10)]
    assert await run(*verdicts) is verdicts[attempts - 1]
    assert len(run.sleeps) == attempts - 1


async def test_quota_is_charged_for_each_retry() -> None:
    """Each retry is paid for once; the last failure, which is not retried, is not."""
    run = Run(RetryPolicy(attempts=3), quota=RetryQuota(per_second=0))
    await run(AGAIN, AGAIN, AGAIN)
    assert run.quota.tokens(0.0) == 490


async def test_quota_stops() -> None:
    """If the quota is empty, the call ends with its last verdict, without a wait."""
    run = Run(quota=RetryQuota(capacity=5))
    assert await run(AGAIN, AGAIN, DONE) is AGAIN
    assert (len(run.attempts), len(run.sleeps), run.quota.tokens(0.0)) == (2, 1, 0)


@pytest.mark.parametrize(
    ("after", "slept"),
    [
        pytest.param(30.0, 30.0, id="the longer one"),
        pytest.param(0.1, 0.5, id="the shorter one"),
        pytest.param(0.0, 0.5, id="R1 zero"),
        pytest.param(120.0, 120.0, id="as long as may be"),
    ],
)
async def test_retry_after(after: float, slept: float) -> None:
    """A Retry-After that is longer than the back-off is waited in full, above its maximum, too."""
    run = Run()
    await run(asks(after), DONE)
    assert run.sleeps == [slept]


async def test_retry_after_counts_once() -> None:
    """The Retry-After of one failure does not count for the next one."""
    run = Run()
    await run(asks(30.0), AGAIN, DONE)
    assert run.sleeps == [30.0, 1.0]


async def test_max_retry_after_does_not_bound_the_back_off() -> None:
    """A failure without Retry-After is retried, whatever `max_retry_after` is."""
    run = Run(RetryPolicy(max_retry_after=0.0))
    assert await run(AGAIN, DONE) is DONE


STOPPED = [
    pytest.param(Run(RetryPolicy(attempts=1)), AGAIN, id="attempts"),
    pytest.param(Run(), asks(120.5), id="R4 max_retry_after"),
    pytest.param(Run(RetryPolicy(max_retry_after=0.0)), asks(0.001), id="no Retry-After allowed"),
    pytest.param(Run(time_left=0.5), AGAIN, id="deadline, to the moment"),
    pytest.param(Run(time_left=0.0), AGAIN, id="deadline over"),
    pytest.param(Run(time_left=-1.0), AGAIN, id="deadline long over"),
    pytest.param(Run(time_left=10.0), asks(10.0), id="deadline by Retry-After"),
    pytest.param(Run(quota=RetryQuota(capacity=4)), AGAIN, id="quota"),
]


@pytest.mark.parametrize(("run", "verdict"), STOPPED)
async def test_stopped(run: Run, verdict: Retry) -> None:
    """Every bound stops the call before the wait, at no cost, with the last verdict."""
    run = attrs.evolve(run, sleeps=[], attempts=[], quota=RetryQuota(run.quota.capacity))
    assert await run(verdict, DONE) is verdict
    assert (run.sleeps, run.quota.tokens(0.0)) == ([], run.quota.capacity)


async def test_waits_count_towards_the_deadline() -> None:
    """The waits so far count towards the deadline."""
    run = Run(time_left=2.0)
    await run(AGAIN, AGAIN, AGAIN, DONE)
    assert run.sleeps == [0.5, 1.0]


async def test_a_wait_that_ends_before_the_deadline() -> None:
    """A retry whose wait ends just before the deadline takes place."""
    assert await Run(time_left=0.501)(AGAIN, DONE) is DONE


@pytest.mark.parametrize(
    "exception",
    [
        asyncio.CancelledError("stop"),
        TimeoutError(),
        KeyError("x"),
        GeneratorExit(),
        RaydocsError("raised, not returned"),
    ],
    ids=lambda exception: type(exception).__name__,
)
async def test_exceptions_pass_through(exception: BaseException) -> None:
    """C9 C15: an exception of an attempt passes through unchanged, and is not retried."""
    run = Run()
    with pytest.raises(type(exception)) as caught:
        await run(AGAIN, exception, DONE)
    assert caught.value is exception
    assert (caught.value.__cause__, len(run.attempts)) == (None, 1)


async def test_cancelled_in_a_back_off() -> None:
    """C9: a call that is cancelled in its back-off ends at once."""
    cancelled = asyncio.CancelledError()

    async def sleep(_: float) -> None:
        raise cancelled

    run = Run()
    retries = attrs.evolve(run.retries(), sleep=sleep)

    async def attempt() -> Verdict:
        run.attempts.append(AGAIN)
        return AGAIN

    with pytest.raises(asyncio.CancelledError) as caught:
        await retries.run(attempt)
    assert caught.value is cancelled
    assert len(run.attempts) == 1


async def test_no_state_is_carried_over() -> None:
    """The attempts and waits of one run do not count in the next one."""
    run = Run(RetryPolicy(attempts=2, initial=1.0))
    await run(AGAIN, AGAIN)
    assert await run(AGAIN, DONE) is DONE
    assert run.sleeps == [0.5, 0.5]


async def test_runs_at_once() -> None:
    """Simultaneous runs of one `Retries` do not count each other's attempts."""
    policy = RetryPolicy(attempts=3)
    counts = [0] * 20

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    retries = Retries(policy, RetryQuota(), lambda: 0.5, lambda: 0.0, math.inf, sleep)

    async def call(number: int) -> Verdict:
        async def attempt() -> Verdict:
            counts[number] += 1
            return AGAIN

        verdict: Verdict = await retries.run(attempt)
        return verdict

    await asyncio.gather(*map(call, range(20)))
    assert counts == [3] * 20


async def test_quota_is_shared() -> None:
    """E5: calls share the quota: a token spent by one is missing for the next."""
    quota = RetryQuota(capacity=10)
    await Run(quota=quota)(AGAIN, AGAIN, DONE)
    assert await Run(quota=quota)(AGAIN, DONE) is AGAIN


async def test_every_wait_is_random() -> None:
    """Each wait has a random number of its own."""
    draws = iter([0.25, 0.75, 0.0])
    run = Run(rand=lambda: next(draws))
    await run(AGAIN, AGAIN, AGAIN, DONE)
    assert run.sleeps == [0.25, 1.5, 0.0]


async def test_the_patience_never() -> None:
    """The patience `never` makes no further attempt, and does not wait."""
    sleep = AsyncMock()
    assert await never(FailedAttempt(0.0, None), sleep) is False
    assert not sleep.called
