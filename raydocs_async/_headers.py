"""Rate-limit and retry headers of a reply, and the evidence they give of its request; pure.

Header mappings are read with the names as written here; the transport hands over a
case-insensitive mapping.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from attrs import frozen

LONGEST_RETRY_AFTER = 365 * 24 * 3600.0
"""Seconds; a server that asks for more is treated as if it asked for this."""

# `[0-9]` instead of `\d`, which also matches the digits of other scripts. The bound on an integer
# keeps out numbers of thousands of digits, at which `int` raises a ValueError.
_integer = re.compile(r"-?[0-9]{1,9}").fullmatch
_seconds = re.compile(r"[0-9]+(\.[0-9]+)?").fullmatch


@frozen
class RateLimitHeaders:
    """Rate-limit headers of a reply; ``None`` for an absent one.

    An impossible number, such as a limit of 0, is treated as absent.
    """

    limit: int | None = None
    remaining: int | None = None
    retry_after: float | None = None
    """Seconds."""
    date: str | None = None
    """The reply's ``Date``, unparsed."""

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> "RateLimitHeaders":
        """Read the framework's headers; no value is an error."""
        limit = _parse_integer(headers.get("X-RateLimit-Limit"))
        remaining = _parse_integer(headers.get("X-RateLimit-Remaining"))
        date = headers.get("Date")
        return cls(
            limit=limit if limit is not None and limit > 0 else None,
            remaining=None if remaining is None else max(0, remaining),
            retry_after=parse_retry_after(headers.get("Retry-After"), date),
            date=date,
        )

    @property
    def served_at(self) -> float | None:
        """The server's clock when it answered, in epoch seconds."""
        return _parse_date(self.date)


@frozen
class Passed:
    """The server's throttle let the request in and counted it, whatever the reply was."""

    headers: RateLimitHeaders


@frozen
class Refused:
    """A 429: the request was not counted."""

    headers: RateLimitHeaders


@frozen
class Unseen:
    """There is no reply of the server itself, which may or may not have counted the request."""


@frozen
class NotCounted:
    """The request did not reach the throttle."""


Observation: TypeAlias = Passed | Refused | Unseen | NotCounted
"""Evidence of whether the server counted a request against the rate limit."""


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Return the seconds of a Retry-After header; ``None`` if it is absent or unusable.

    An HTTP date is compared to the reply's own `date`, because the local clock may be wrong or
    jump. Without a `date`, an HTTP date is unusable.
    """
    if value is None:
        return None
    if _seconds(value):
        return min(float(value), LONGEST_RETRY_AFTER)
    until, now = _parse_date(value), _parse_date(date)
    if until is None or now is None:
        return None
    # A difference of more than a day shows a wrong clock, such as a `Date` of 1970.
    return until - now if 0 <= until - now <= 24 * 3600 else None


def _parse_integer(value: str | None) -> int | None:
    return int(value) if value is not None and _integer(value) else None


def _parse_date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone, or with -0000, is parsed as a naive one, and `timestamp` would take
        # it for the local time of this machine.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
