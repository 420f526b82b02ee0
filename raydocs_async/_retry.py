"""When to try again: the policy, its arithmetic, the retry quota, and tenacity set up by them.

tenacity works on returned verdicts, so exceptions that are not ours, cancellation above all,
pass through it untouched. It keeps no state from one call into the next; what calls share is the
`RetryQuota` alone.
"""

from collections.abc import Awaitable, Callable
from typing import Any

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
    """Tries in all, the first one included; 1 never retries."""
    initial: float = 0.5
    """The bound of the first wait, in seconds."""
    maximum: float = 20.0
    """The bound of every wait that is ours, in seconds."""
    max_retry_after: float = 120.0
    """The longest Retry-After on a failure that is waited for, in seconds; with a longer one the
    call fails at once."""

    def __attrs_post_init__(self) -> None:
        _settings.count("attempts", self.attempts)
        for name in ("initial", "maximum", "max_retry_after"):
            _settings.seconds(name, getattr(self, name), zero=True)


def backoff(policy: RetryPolicy, failures: int, rand: Callable[[], float]) -> float:
    """Seconds to wait after the given number of failures in a row; `rand` is in [0, 1)."""
    doublings = min(failures - 1, 60)  # past that a float has left every bound behind
    return rand() * min(policy.maximum, policy.initial * 2.0**doublings)


class RetryQuota:
    """Bounds the retries of all calls together, so that an outage is not met with a storm.

    Every retry takes some tokens out, every success puts one back; with too few left, calls fail
    with what they have. 500 tokens and 5 a retry are what the AWS SDKs settled on: a hundred
    retries in a row, then one for five successes.
    """

    __slots__ = ("capacity", "cost", "tokens")

    def __init__(self, capacity: int = 500, cost: int = 5) -> None:
        self.capacity = self.tokens = capacity
        self.cost = cost

    @property
    def scarce(self) -> bool:
        """Whether half of it is used up: more goes wrong than a bad session or two."""
        return 2 * self.tokens <= self.capacity

    def take(self) -> bool:
        """Pay for a retry, if there is enough left."""
        if self.tokens < self.cost:
            return False
        self.tokens -= self.cost
        return True

    def refund(self) -> None:
        """A call has succeeded."""
        self.tokens = min(self.capacity, self.tokens + 1)

    def __repr__(self) -> str:
        return f"<RetryQuota {self.tokens} of {self.capacity}>"


@frozen
class Retries:
    """The retries of one call: what there is to decide about them, apart from doing them."""

    policy: RetryPolicy
    quota: RetryQuota
    rand: Callable[[], float]
    time_left: Callable[[], float]
    """Seconds until the call's deadline."""
    sleep: Callable[[float], Awaitable[None]] = field(repr=False)

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
            or state.upcoming_sleep >= self.time_left()
            or not self.quota.take()
        )


def _last_verdict(state: RetryCallState) -> Any:
    assert state.outcome is not None  # tenacity asks only after an attempt
    return state.outcome.result()
