"""When it is tried again: the policy's checks, the back-off's bounds, the quota, and the loop."""

import asyncio
import math
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

import attrs
import pytest
from attrs import field, frozen
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import ConfigurationError, RateLimitError, RaydocsError
from raydocs_async._classify import Done, Permanent, Retry, Throttled, Verdict
from raydocs_async._exchange import Response
from raydocs_async._retry import (
    FailedAttempt,
    Retries,
    RetryPolicy,
    RetryQuota,
    backoff,
    never,
    silence,
)

ERROR = RaydocsError("m")
DONE = Done(Response(200, {}, b""))
FAILED = Permanent(ERROR)
AGAIN = Retry(ERROR)

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 10),
    initial=st.floats(0, 1e6),
    maximum=st.floats(0, 1e6),
    max_retry_after=st.floats(0, 1e6),
)


def asks(after: float) -> Retry:
    """A failure with which the server asks to stay away for so many seconds."""
    return Retry(ERROR, after)


@frozen
class Run:
    """One call with its retries: scripted verdicts, and what was waited between them."""

    policy: RetryPolicy = RetryPolicy(initial=1.0, maximum=8.0)
    quota: RetryQuota = field(factory=RetryQuota)
    rand: Callable[[], float] = lambda: 0.5
    time_left: float = math.inf
    sleeps: list[float] = field(factory=list)
    attempts: list[Verdict] = field(factory=list)

    async def __call__(self, *verdicts: Verdict | BaseException) -> Any:
        """The verdict it ends with, when the attempts go as given."""
        script = iter(verdicts)

        async def attempt() -> Verdict:
            verdict = next(script)
            if isinstance(verdict, BaseException):
                raise verdict
            self.attempts.append(verdict)
            return verdict

        return await self.retries().run(attempt)

    def retries(self) -> Retries:
        """What is tested, with a clock that stands still but for the sleeps."""

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
    "options",
    [
        pytest.param({"attempts": 0}, id="C18 attempts 0"),
        pytest.param({"attempts": -1}, id="C18 attempts -1"),
        pytest.param({"attempts": math.nan}, id="C18 attempts nan"),
        *(
            pytest.param({name: value}, id=f"C18 {name} {value}")
            for name in ("initial", "maximum", "max_retry_after")
            for value in (-1, -0.001, math.nan, math.inf, -math.inf)
        ),
    ],
)
def test_values_that_make_no_sense(options: dict[str, Any]) -> None:
    """C18: a value that makes no sense is refused when the policy is built, by its name."""
    with pytest.raises(ConfigurationError, match=rf"^{next(iter(options))} must be ") as caught:
        RetryPolicy(**options)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 1},
        {"initial": 0},
        {"maximum": 0},
        {"max_retry_after": 0},
        {"initial": 999_999_999.0},
    ],
    ids=str,
)
def test_values_at_the_edge(options: dict[str, Any]) -> None:
    """The smallest and the largest values that make sense are taken as they are."""
    policy = RetryPolicy(**options)
    assert attrs.asdict(policy) == attrs.asdict(RetryPolicy()) | options


def test_defaults() -> None:
    """The defaults are those that the documentation names."""
    assert attrs.asdict(RetryPolicy()) == {
        "attempts": 5,
        "initial": 0.5,
        "maximum": 20.0,
        "max_retry_after": 120.0,
    }


def test_policy_is_frozen() -> None:
    """A policy that several clients share cannot be changed under them."""
    with pytest.raises(FrozenInstanceError):
        RetryPolicy().attempts = 7  # type: ignore[misc]  # that is the point


def test_policies_are_values() -> None:
    """Policies with the same values are equal, and their values are given by name."""
    assert RetryPolicy() == RetryPolicy(attempts=5)
    with pytest.raises(TypeError, match="positional"):
        RetryPolicy(5)  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize(
    ("failures", "bound"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (5000, 20.0)]
)
def test_backoff_doubles(failures: int, bound: float) -> None:
    """The bound of the wait doubles with each failure, up to the maximum."""
    assert backoff(RetryPolicy(), failures, lambda: 1.0) == bound


@pytest.mark.parametrize("failures", [61, 62, 5000])
def test_backoff_stops_doubling(failures: int) -> None:
    """Sixty doublings are enough, and no number of failures is too large for a float."""
    policy = RetryPolicy(initial=1e-18, maximum=9e8)
    assert backoff(policy, failures, lambda: 1.0) == 1e-18 * 2.0**60


@pytest.mark.parametrize(("rand", "seconds"), [(0.0, 1.0), (0.5, 1.0), (0.75, 1.5)])
def test_a_silence_takes_a_second_at_least(rand: float, seconds: float) -> None:
    """A 429 without Retry-After is backed off as a failure is, and never for less than a second."""
    assert silence(RetryPolicy(), 3, lambda: rand) == seconds


@given(policies, st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_bounds(policy: RetryPolicy, failures: int, rand: float) -> None:
    """A wait is never negative, over the maximum, or over what the failures so far allow."""
    wait = backoff(policy, failures, lambda: rand)
    assert 0 <= wait <= min(policy.maximum, policy.initial * 2.0 ** min(failures - 1, 100))


@given(policies, st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_backoff_has_full_jitter(policy: RetryPolicy, failures: int, rand: float) -> None:
    """The wait is drawn evenly between nothing and its bound."""
    bound = backoff(policy, failures, lambda: 1.0)
    assert backoff(policy, failures, lambda: rand) == rand * bound


@given(policies, st.integers(1, 100))
def test_backoff_grows(policy: RetryPolicy, failures: int) -> None:
    """One more failure never makes the bound smaller."""
    first, second = (backoff(policy, failures + more, lambda: 1.0) for more in (0, 1))
    assert first <= second


def test_quota_bounds_the_retries() -> None:
    """E5: at one moment a hundred retries are paid for, and then no more."""
    quota = RetryQuota()
    assert [quota.take(7.0) for _ in range(102)] == [True] * 100 + [False] * 2


def test_quota_is_earned_back() -> None:
    """Once it is used up, five successes pay for one retry."""
    quota = RetryQuota(capacity=5)
    quota.take(0.0)
    paid = []
    for _ in range(5):
        quota.refund(0.0)
        paid.append(quota.take(0.0))
    assert paid == [False, False, False, False, True]


def test_quota_does_not_pile_up() -> None:
    """Neither successes nor time raise the quota over what it began with."""
    quota = RetryQuota(capacity=10)
    quota.refund(0.0)
    assert quota.tokens(1e9) == 10
    quota.refund(1e9)
    assert quota.tokens(1e9) == 10


def used_up(at: float = 0.0) -> RetryQuota:
    """A quota that an outage has emptied."""
    quota = RetryQuota()
    while quota.take(at):
        pass
    return quota


def test_quota_is_refilled_by_time() -> None:
    """After an outage that is over, the next failure is retried soon, with no success needed."""
    quota = used_up(at=100.0)
    assert [quota.take(at) for at in (100.0, 100.5, 102.0, 102.0, 102.0, 102.0)] == [
        *[False, False, True, True, True, False]
    ]


def test_quota_is_full_again_in_a_minute() -> None:
    """What an outage has used up is no burden for longer."""
    quota = used_up(at=100.0)
    assert quota.tokens(130.0) == pytest.approx(250)
    assert quota.tokens(160.0) == pytest.approx(500)


def test_quota_bounds_the_retries_of_ten_minutes() -> None:
    """E5: nothing but failures for ten minutes are met by 100 retries a minute, and 100 at once."""
    quota = RetryQuota()
    assert sum(quota.take(at / 10) for at in range(6000)) == pytest.approx(100 + 1000, abs=1)


def test_quota_takes_no_step_back_in_time() -> None:
    """A client that is opened again, in a loop whose clock began later, keeps what it had."""
    quota = used_up(at=1000.0)
    assert quota.tokens(3.0) == 0.0
    quota.refund(3.0)
    assert quota.tokens(4.0) == pytest.approx(1 + 500 / 60)


def test_quota_can_be_reserved() -> None:
    """A retry that is paid in advance comes as soon as time has earned it."""
    quota = RetryQuota(capacity=10, cost=5, per_second=2)
    waits = [quota.reserve(0.0) for _ in range(4)]
    assert (waits, quota.tokens(0.0)) == ([0.0, 0.0, 2.5, 5.0], -10.0)
    assert (quota.take(5.0), quota.take(7.5)) == (False, True)
    assert quota.reserve(7.5) == 2.5


def test_quota_shows_what_is_left() -> None:
    """The quota's ``repr`` is its state."""
    quota = RetryQuota()
    quota.take(0.0)
    assert repr(quota) == "<RetryQuota 495 of 500>"


@given(st.lists(st.booleans(), max_size=300), st.integers(0, 50), st.integers(1, 10))
def test_quota_arithmetic(calls: list[bool], capacity: int, cost: int) -> None:
    """The quota stays between nothing and its capacity, and pays exactly when it can."""
    quota = RetryQuota(capacity, cost)
    for succeeds in calls:
        before = quota.tokens(0.0)
        if succeeds:
            quota.refund(0.0)
            assert quota.tokens(0.0) == min(capacity, before + 1)
        else:
            assert quota.take(0.0) == (before >= cost)
            assert quota.tokens(0.0) == (before - cost if before >= cost else before)


@pytest.mark.parametrize(
    "verdict",
    [DONE, FAILED, Throttled(RateLimitError("m"))],
    ids=lambda verdict: type(verdict).__name__,
)
async def test_one_attempt(verdict: Verdict) -> None:
    """What is no `Retry` is not tried again, and costs nothing."""
    run = Run()
    assert await run(verdict, DONE) is verdict
    assert (len(run.attempts), run.sleeps, run.quota.tokens(0.0)) == (1, [], 500)


async def test_retried() -> None:
    """A `Retry` is tried again until it is none, with a growing wait between."""
    run = Run()
    assert await run(AGAIN, AGAIN, AGAIN, DONE) is DONE
    assert run.sleeps == [0.5, 1.0, 2.0]


async def test_retried_until_it_fails() -> None:
    """A failure for good after one that may pass ends the call."""
    assert await Run()(AGAIN, FAILED, DONE) is FAILED


@pytest.mark.parametrize("attempts", [1, 2, 5])
async def test_attempts(attempts: int) -> None:
    """There are as many attempts as the policy says, the first one included."""
    run = Run(RetryPolicy(attempts=attempts))
    verdicts = [Retry(RaydocsError(str(number))) for number in range(10)]
    assert await run(*verdicts) is verdicts[attempts - 1]
    assert len(run.sleeps) == attempts - 1


async def test_quota_is_charged_for_each_retry() -> None:
    """Each retry that happens is paid for once; the last failure, which has none, is not."""
    run = Run(RetryPolicy(attempts=3), quota=RetryQuota(per_second=0))
    await run(AGAIN, AGAIN, AGAIN)
    assert run.quota.tokens(0.0) == 490


async def test_quota_stops() -> None:
    """With nothing left in the quota the call ends with what it has, without a wait."""
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
    """A Retry-After is waited for in full when it is longer than the back-off, maximum or not."""
    run = Run()
    await run(asks(after), DONE)
    assert run.sleeps == [slept]


async def test_retry_after_is_of_one_failure() -> None:
    """The wait that one failure asked for is not waited again after the next one."""
    run = Run()
    await run(asks(30.0), AGAIN, DONE)
    assert run.sleeps == [30.0, 1.0]


async def test_no_retry_after_is_within_any_bound() -> None:
    """A failure that asks for no wait is retried, whatever Retry-After is allowed."""
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
    """What stops the retries stops them before the wait, at no cost, with the verdict."""
    run = attrs.evolve(run, sleeps=[], attempts=[], quota=RetryQuota(run.quota.capacity))
    assert await run(verdict, DONE) is verdict
    assert (run.sleeps, run.quota.tokens(0.0)) == ([], run.quota.capacity)


async def test_deadline_is_asked_each_time() -> None:
    """The deadline counts what has been waited already."""
    run = Run(time_left=2.0)
    await run(AGAIN, AGAIN, AGAIN, DONE)
    assert run.sleeps == [0.5, 1.0]


async def test_just_in_time() -> None:
    """A wait that ends before the deadline is waited."""
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
    """C9 C15: what is raised and not returned passes through untouched, and is not retried."""
    run = Run()
    with pytest.raises(type(exception)) as caught:
        await run(AGAIN, exception, DONE)
    assert caught.value is exception
    assert (caught.value.__cause__, len(run.attempts)) == (None, 1)


async def test_cancelled_while_it_waits() -> None:
    """C9: a call that is cancelled in its back-off ends there and then."""
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
    """One run begins where every run begins: the attempts and waits of another do not count."""
    run = Run(RetryPolicy(attempts=2, initial=1.0))
    await run(AGAIN, AGAIN)
    assert await run(AGAIN, DONE) is DONE
    assert run.sleeps == [0.5, 0.5]


async def test_runs_at_once() -> None:
    """Runs that share one `Retries` do not count each other's attempts."""
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
    """E5: what one call has spent, another one does not have."""
    quota = RetryQuota(capacity=10)
    await Run(quota=quota)(AGAIN, AGAIN, DONE)
    assert await Run(quota=quota)(AGAIN, DONE) is AGAIN


async def test_rand_is_asked_for_every_wait() -> None:
    """Each wait is drawn anew."""
    draws = iter([0.25, 0.75, 0.0])
    run = Run(rand=lambda: next(draws))
    await run(AGAIN, AGAIN, AGAIN, DONE)
    assert run.sleeps == [0.25, 1.5, 0.0]


async def test_callers_that_ask_again_themselves_retry_nothing() -> None:
    """Their patience makes no further attempt, and does not wait."""
    sleep = AsyncMock()
    assert await never(FailedAttempt(0.0, None), sleep) is False
    assert not sleep.called
