"""Plain values for one HTTP exchange: the request, the reply or the failure, and the protocol.

Nothing here knows of a socket or of a clock, so that everything which decides on a reply can be
tested with values alone.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import Factory, field, frozen

from raydocs_async._headers import RateLimitHeaders

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Amzn-RequestId", "X-Amzn-Request-Id", "Apigw-RequestId")


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
    rate_limit: RateLimitHeaders = field(
        init=False,
        repr=False,
        eq=False,
        default=Factory(lambda self: RateLimitHeaders.parse(self.headers), takes_self=True),
    )
    """The rate-limit headers, parsed once for all readers."""

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


class Transport(Protocol):
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
