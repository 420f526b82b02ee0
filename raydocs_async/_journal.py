"""The record of one call: its attempts, and the events and log lines that report them."""

import logging
from collections.abc import Callable
from typing import TypeAlias, TypedDict
from uuid import UUID

from raydocs_async._exchange import Request
from raydocs_async.errors import Attempt
from raydocs_async.events import (
    AttemptEnded,
    AttemptStarted,
    CallEnded,
    CallStarted,
    Event,
    Paused,
    RateLimitEvent,
    RetryScheduled,
)

Announce: TypeAlias = Callable[[Event], object]

_log = logging.getLogger("raydocs_async")


class _About(TypedDict):
    """The fields that all events of a call have."""

    call: int
    resource: str
    resource_id: UUID


class Journal:
    """Records one call for its history, for the event hook and for the log.

    Args:
        number: The call's number; a client counts its calls from 1.
        request: The request; events and log lines name its resource.
        announce: Takes each event; ``None`` if there is no hook.
        clock: Returns the event loop's time in seconds. It still works after the loop was closed,
            when the call is collected.
    """

    __slots__ = ("_announce", "_clock", "_idle_since", "_number", "_request", "attempts", "started")

    def __init__(
        self, number: int, request: Request, announce: Announce | None, clock: Callable[[], float]
    ) -> None:
        self.attempts: list[Attempt] = []
        self._number = number
        self._request = request
        self._announce = announce
        self._clock = clock
        # The end of the last activity; since then the call waits for the limit or backs off.
        self.started = self._idle_since = clock()

    @property
    def last_status(self) -> int | None:
        """The status of the last attempt's reply; ``None`` without a reply."""
        return self.attempts[-1].status if self.attempts else None

    def start(self, *, bulk: bool) -> None:
        """Record that the call begins."""
        if self._announce is not None:
            self._announce(CallStarted(**self._about(), bulk=bulk))

    def start_attempt(self, sent_at: float) -> None:
        """Record that a request is about to be sent."""
        if self._announce is not None:
            number, waited = len(self.attempts) + 1, sent_at - self._idle_since
            self._announce(AttemptStarted(**self._about(), number=number, waited=waited))

    def end_attempt(
        self, sent_at: float, *, status: int | None = None, error: str | None = None
    ) -> None:
        """Record the result of a request that was sent at `sent_at`."""
        waited = sent_at - self._idle_since
        attempt = Attempt(at=sent_at - self.started, status=status, error=error, waited=waited)
        self.attempts.append(attempt)
        self._idle_since = now = self._clock()
        _log.debug(
            "%s %s: attempt %d after %.3f s: %s in %.3f s",
            self._request.resource,
            self._request.id,
            len(self.attempts),
            attempt.at,
            error or f"HTTP {status}",
            now - sent_at,
        )
        if self._announce is not None:
            self._announce(
                AttemptEnded(
                    **self._about(),
                    number=len(self.attempts),
                    seconds=now - sent_at,
                    status=status,
                    error=error,
                )
            )

    def schedule_retry(self, delay: float) -> None:
        """Record that the call backs off for `delay` seconds."""
        _log.info(
            "%s %s: retrying in %.2f s, after %s",
            self._request.resource,
            self._request.id,
            delay,
            self.attempts[-1].error,
        )
        if self._announce is not None:
            self._announce(RetryScheduled(**self._about(), delay=delay))

    def report_rate_limit(self, event: RateLimitEvent) -> None:
        """Record a change of the rate limit that the last reply showed."""
        if isinstance(event, Paused):
            _log.info("the rate limit is used up: nothing is sent for %.1f s", event.seconds)
        if self._announce is not None:
            self._announce(event)

    def end(self, error: str | None) -> None:
        """Record that the call ends; `error` is the name of the exception's class, if any."""
        if self._announce is not None:
            seconds, attempts = self._clock() - self.started, len(self.attempts)
            ended = CallEnded(**self._about(), seconds=seconds, attempts=attempts, error=error)
            self._announce(ended)

    def _about(self) -> _About:
        return {
            "call": self._number,
            "resource": self._request.resource,
            "resource_id": self._request.id,
        }
