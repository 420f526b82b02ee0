"""Plain values for one HTTP exchange: what is asked, what came back, what its headers say.

Nothing here knows of a socket or of a clock, so that everything which decides on a reply can be
tested with values alone. Header mappings are read with the names as written here; the transport
hands over a case-insensitive mapping.
"""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NoReturn, Protocol
from uuid import UUID

from attrs import field, frozen

REDACTED = "<hidden>"

# Longer than any wait that somebody means; what is longer is treated as this long.
LONGEST_RETRY_AFTER = 365 * 24 * 3600.0

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Amzn-RequestId", "X-Amzn-Request-Id", "Apigw-RequestId")

_integer = re.compile(r"-?[0-9]{1,9}").fullmatch
_seconds = re.compile(r"[0-9]+(\.[0-9]+)?").fullmatch


class Secret(str):
    """A string that is sent as it is but never shown: its ``repr`` hides it, pickling is refused.

    Tracebacks with captured locals, log records and aiohttp's own exceptions show values by their
    ``repr``; wherever this object travels, the token does not become readable.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return REDACTED

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an API token cannot be pickled or copied into another process")


class SecretBytes(bytes):
    """As `Secret`, for bytes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return REDACTED

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("an API token cannot be pickled or copied into another process")


@frozen
class Request:
    """One API call, ready to be sent any number of times; the token is the transport's."""

    method: str
    path: str
    """From the base URL on, already percent-encoded."""
    session_id: UUID | None = None
    """What the reply has to be about; a reply about something else is not ours."""


@frozen
class Response:
    """A complete reply, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    connection: object = field(default=None, repr=False, eq=False)
    """What the transport needs to drop the connection this came by; opaque to everybody else."""

    @property
    def request_id(self) -> str | None:
        """What to quote to the service's support, or ``None`` where the reply names nothing."""
        found = (self.headers.get(name) for name in _REQUEST_ID_HEADERS)
        return next((value[:200] for value in found if value), None)


class FailureKind(Enum):
    """Why there is no reply. The transport decides which; `classify` decides what follows."""

    CONNECT = "could not connect"
    CERTIFICATE = "the server's certificate was not accepted"
    DISCONNECT = "the connection was lost"
    TIMEOUT = "no complete answer in time"
    PROTOCOL = "the answer was not valid HTTP"
    CUT = "the answer was cut short"
    TOO_LARGE = "the answer is larger than max_response_bytes"
    SETUP = "the request could not be made"


@frozen
class Failure:
    """An exchange that brought no reply."""

    kind: FailureKind
    reason: str
    """In words, for the error's message; holds neither the token nor document data."""
    sent: bool = True
    """Whether the server may have seen, and so counted, the request."""


class Exchanger(Protocol):
    """What makes exchanges: the transport, or a stand-in for it."""

    def check_home(self) -> None:
        """Refuse to be used in more than one event loop or process, if that matters.

        Raises:
            ConfigurationError: it was in use elsewhere.
        """

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Make one exchange, by `deadline` (in the event loop's seconds) at the latest."""
        ...

    async def distrust(self, response: Response) -> None:
        """Take the connection out of use that brought `response`, an answer to somebody else."""

    async def close(self) -> None:
        """Close what is open; there is no exchange under way."""


@frozen
class RateLimitHeaders:
    """What a reply says about the rate limit; ``None`` for what it does not say.

    Only a 429 has `retry_after`. Numbers that cannot be meant are treated as absent.
    """

    limit: int | None = None
    remaining: int | None = None
    retry_after: float | None = None
    """Seconds."""
    date: str | None = None
    """The reply's ``Date``, as it came."""

    @classmethod
    def parse(cls, headers: Mapping[str, str]) -> "RateLimitHeaders":
        """Read the framework's headers; any value is survived."""
        limit = _parse_integer(headers.get("X-RateLimit-Limit"))
        remaining = _parse_integer(headers.get("X-RateLimit-Remaining"))
        retry_after = headers.get("Retry-After")
        return cls(
            limit=limit if limit is not None and limit > 0 else None,
            remaining=None if remaining is None else max(0, remaining),
            retry_after=parse_retry_after(retry_after, headers.get("Date")),
            date=headers.get("Date"),
        )

    @property
    def served_at(self) -> float | None:
        """The server's clock when it answered, in epoch seconds."""
        return _parse_date(self.date)


def parse_retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds to wait by a Retry-After header, or ``None`` where it says nothing usable.

    An HTTP date is compared to the reply's own `date`, never to a local clock: that one may be
    wrong, and jumps. A date without a `date` to compare it to says nothing.
    """
    if value is None:
        return None
    if _seconds(value):
        return min(float(value), LONGEST_RETRY_AFTER)
    until, now = _parse_date(value), _parse_date(date)
    if until is None or now is None:
        return None
    # More than a day ahead by a date is a clock gone wrong (a `Date` of 1970), not a wish.
    return until - now if 0 <= until - now <= 24 * 3600 else None


def _parse_integer(value: str | None) -> int | None:
    return int(value) if value is not None and _integer(value) else None


def _parse_date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
