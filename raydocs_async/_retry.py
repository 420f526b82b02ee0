"""Retries of a call: the policy, its arithmetic, the retry quota, and tenacity configured by them.

tenacity works on returned verdicts, so foreign exceptions, above all a cancellation, pass through
untouched. Calls share no state but the `RetryQuota`. Bulk work also considers the replies to other
ids, so it brings a `Patience` of its own.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from raydocs_async import _settings
from raydocs_async._classify import Retry


@frozen(kw_only=True)
class RetryPolicy:
    """Policy for retries of temporary failures: exponential back-off with full jitter.

    The wait before attempt *n* + 1 is drawn evenly from 0 to ``initial * 2 ** (n - 1)`` seconds,
    at most `maximum`. If the reply's Retry-After is longer, the call waits for that. A 429 is not a
    failed attempt: the rate limiter waits it out.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    attempts: int = 5
    """Attempts in all, the first one included; 1 never retries. In bulk work only those attempts
    count after which the service answered another request."""
    initial: float = 0.5
    """The bound of the first wait, in seconds."""
    maximum: float = 20.0
    """The bound of every back-off, in seconds; a Retry-After can be longer."""
    max_retry_after: float = 120.0
    """The longest Retry-After of a failure that a call waits for, in seconds. With a longer one the
    call fails at once, and bulk work treats it as an outage."""

    def __attrs_post_init__(self) -> None:
        _settings.count("attempts", self.attempts)
        for name in ("initial", "maximum", "max_retry_after"):
            _settings.seconds(name, getattr(self, name), zero=True)


def backoff(policy: RetryPolicy, failures: int, rand: Callable[[], float]) -> float:
    """Return the seconds to wait after so many consecutive failures; `rand()` is in [0, 1)."""
    doublings = min(failures - 1, 60)  # without the bound, 2.0**1024 raises an OverflowError
    return rand() * min(policy.maximum, policy.initial * 2.0**doublings)


def silence(policy: RetryPolicy, refusals: int, rand: Callable[[], float]) -> float:
    """Return the seconds to send nothing, after so many consecutive 429s without Retry-After."""
    return max(SHORTEST_SILENCE, backoff(policy, refusals, rand))


class RetryQuota:
    """A token bucket for the retries of many calls, so that an outage does not get a retry storm.

    A retry takes `cost` tokens. A success puts one token back, and time refills the bucket, too.
    Capacity and cost are those of the AWS SDKs: a hundred retries in a row, and then one retry for
    five successes. Time refills an empty bucket in a minute. So calls after an outage have their
    retries again, and a long outage gets at most 100 retries a minute.

    Args:
        capacity: Tokens in a full bucket.
        cost: Tokens that a retry takes.
        per_second: Tokens that time puts back in a second.
    """

    __slots__ = ("_as_of", "_tokens", "capacity", "cost", "per_second")

    def __init__(self, capacity: float = 500, cost: float = 5, per_second: float = 500 / 60):
        self.capacity = self._tokens = capacity
        self.cost = cost
        self.per_second = per_second
        self._as_of = 0.0

    def tokens(self, now: float) -> float:
        """Return the tokens that are left; the number is negative if retries were reserved."""
        # A new event loop's clock can begin at an earlier time. Without the bound, the first call
        # there would lose the tokens of the difference.
        earned = self.per_second * max(0.0, now - self._as_of)
        return min(self.capacity, self._tokens + earned)

    def take(self, now: float) -> bool:
        """Pay for a retry if enough tokens are left; return False if not."""
        left = self.tokens(now) - self.cost
        if left < 0:
            return False
        self._set(left, now)
        return True

    def reserve(self, now: float) -> float:
        """Pay for a retry in advance, and return the seconds until time has refilled its tokens."""
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
    """Make no further attempt: the `Patience` of callers that repeat the whole call themselves."""
    return False


SHORTEST_SILENCE = 1.0
"""Seconds to send nothing after a 429 without Retry-After, at least. The framework counts in whole
seconds, so a shorter pause could end in the same second."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


@frozen
class FailedAttempt:
    """An attempt whose failure is temporary."""

    sent_at: float
    """When its request was sent, in the event loop's seconds."""
    after: float | None = None
    """Seconds that the server asked to stay away, if it did."""


class Patience(Protocol):
    """Decides about the retries of a call without a deadline, in the place of `Retries`."""

    async def __call__(self, failed: FailedAttempt, sleep: Sleep) -> bool:
        """Wait, by `sleep` or otherwise; return True for another attempt, False to give up."""
        ...


@frozen
class Retries:
    """The retries of one call, by the policy and the quota."""

    policy: RetryPolicy
    quota: RetryQuota
    rand: Callable[[], float]
    now: Callable[[], float]
    deadline: float
    """The call's deadline, by the clock of `now`."""
    sleep: Sleep = field(repr=False)

    async def run(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """Await `attempt` until its verdict is final or the retries are used up."""
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
        # The quota comes last, so that only a retry that will happen pays for it.
        return (
            state.attempt_number >= self.policy.attempts
            or (_last_verdict(state).after or 0.0) > self.policy.max_retry_after
            or self.now() + state.upcoming_sleep >= self.deadline
            or not self.quota.take(self.now())
        )


def _last_verdict(state: RetryCallState) -> Any:
    assert state.outcome is not None  # tenacity asks only after an attempt
    return state.outcome.result()
