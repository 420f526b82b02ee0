"""When to try again: the policy, its arithmetic, the retry quota, and tenacity set up by them.

tenacity works on returned verdicts, so exceptions that are not ours, cancellation above all,
pass through it untouched. It keeps no state from one call into the next; what calls share is the
`RetryQuota` alone. Bulk work decides by what other ids get, and brings its own `Patience`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from raydocs_async import _settings
from raydocs_async._classify import Retry


@frozen(kw_only=True)
class RetryPolicy:
    """How failures that may pass are retried: full-jitter back-off, doubling.

    The wait before attempt *n* + 1 is drawn evenly from 0 to ``initial * 2 ** (n - 1)`` seconds,
    at most `maximum`. A reply's Retry-After is waited for in full, when it is the longer one.
    A 429 is not a failed attempt: the rate limiter waits it out.

    Raises:
        ConfigurationError: a value that makes no sense.
    """

    attempts: int = 5
    """Tries in all, the first one included; 1 never retries. In bulk work only those tries count
    after which another id got through."""
    initial: float = 0.5
    """The bound of the first wait, in seconds."""
    maximum: float = 20.0
    """The bound of every wait that is ours, in seconds."""
    max_retry_after: float = 120.0
    """The longest Retry-After on a failure that is waited for, in seconds; with a longer one the
    call fails at once, and bulk work treats it as an outage."""

    def __attrs_post_init__(self) -> None:
        _settings.count("attempts", self.attempts)
        for name in ("initial", "maximum", "max_retry_after"):
            _settings.seconds(name, getattr(self, name), zero=True)


def backoff(policy: RetryPolicy, failures: int, rand: Callable[[], float]) -> float:
    """Seconds to wait after the given number of failures in a row; `rand` is in [0, 1)."""
    doublings = min(failures - 1, 60)  # past that a float has left every bound behind
    return rand() * min(policy.maximum, policy.initial * 2.0**doublings)


def silence(policy: RetryPolicy, refusals: int, rand: Callable[[], float]) -> float:
    """Return the seconds to send nothing, after so many consecutive 429s without Retry-After."""
    return max(SHORTEST_SILENCE, backoff(policy, refusals, rand))


class RetryQuota:
    """Bounds the rate of retries of many calls together, so that an outage is not met by a storm.

    A retry takes `cost` tokens out. A success puts one back, and so does time. The capacity and
    the cost are those of the AWS SDKs: a hundred retries in a row, and then one for five
    successes. Time refills an empty quota in a minute, so that an outage which is over does not
    weaken the calls after it, and an outage that lasts is met with 100 retries a minute.

    Args:
        capacity: Tokens of a full quota.
        cost: Tokens a retry takes.
        per_second: Tokens that time puts back.
    """

    __slots__ = ("_as_of", "_tokens", "capacity", "cost", "per_second")

    def __init__(self, capacity: float = 500, cost: float = 5, per_second: float = 500 / 60):
        self.capacity = self._tokens = capacity
        self.cost = cost
        self.per_second = per_second
        self._as_of = 0.0

    def tokens(self, now: float) -> float:
        """Return the tokens that are left; negative where retries were reserved."""
        earned = self.per_second * max(0.0, now - self._as_of)
        return min(self.capacity, self._tokens + earned)

    def take(self, now: float) -> bool:
        """Pay for a retry, if there is enough left."""
        left = self.tokens(now) - self.cost
        if left < 0:
            return False
        self._set(left, now)
        return True

    def reserve(self, now: float) -> float:
        """Pay for a retry in advance, and return the seconds after which it is earned."""
        self._set(self.tokens(now) - self.cost, now)
        return max(0.0, -self._tokens / self.per_second)

    def refund(self, now: float) -> None:
        """Put a token back, because a call has succeeded."""
        self._set(min(self.capacity, self.tokens(now) + 1), now)

    def _set(self, tokens: float, now: float) -> None:
        self._tokens, self._as_of = tokens, now

    def __repr__(self) -> str:
        return f"<RetryQuota {self._tokens:g} of {self.capacity:g}>"


async def never(failed: "FailedAttempt", sleep: "Sleep") -> bool:
    """Make no further attempt: the patience of callers that ask again themselves."""
    return False


SHORTEST_SILENCE = 1.0
"""Seconds after a 429 without Retry-After, at least: the framework's own are whole seconds."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@frozen
class FailedAttempt:
    """An attempt whose failure is temporary."""

    sent_at: float
    """When its request was sent, in the event loop's seconds."""
    after: float | None = None
    """Seconds that the server asked to stay away, if it did."""


class Patience(Protocol):
    """Decides about the retries of a call that has no deadline, in the place of `Retries`."""

    async def __call__(self, failed: FailedAttempt, sleep: Sleep) -> bool:
        """Wait, by `sleep` or otherwise; return True for another attempt, False to give up."""
        ...


@frozen
class Retries:
    """The retries of one call: what there is to decide about them, apart from doing them."""

    policy: RetryPolicy
    quota: RetryQuota
    rand: Callable[[], float]
    now: Callable[[], float]
    deadline: float
    """The call's, by the clock of `now`."""
    sleep: Sleep = field(repr=False)

    async def run(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Await `attempt` until its verdict is no `Retry` or the retries are used up."""
        retrying = AsyncRetrying(
            retry=retry_if_result(lambda verdict: isinstance(verdict, Retry)),
            wait=self._wait,
            stop=self._stop,
            sleep=self.sleep,
            retry_error_callback=_last_verdict,
        )
        return await retrying(attempt)

    def _wait(self, state: RetryCallState) -> float:
        wait = backoff(self.policy, state.attempt_number, self.rand)
        return max(wait, _last_verdict(state).after or 0.0)

    def _stop(self, state: RetryCallState) -> bool:
        # The quota comes last: it is paid only by a retry that is going to happen.
        return (
            state.attempt_number >= self.policy.attempts
            or (_last_verdict(state).after or 0.0) > self.policy.max_retry_after
            or self.now() + state.upcoming_sleep >= self.deadline
            or not self.quota.take(self.now())
        )


def _last_verdict(state: RetryCallState) -> Any:
    assert state.outcome is not None  # tenacity asks only after an attempt
    return state.outcome.result()
