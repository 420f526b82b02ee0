"""Plain values for one HTTP exchange: the request, the reply or the failure, and the protocol.

Nothing here knows of a socket or of a clock, so that everything which decides on a reply can be
tested with values alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import Factory, field, frozen

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._secret import Secret


class Sink(Protocol):
    """Takes the body of a 200 reply in pieces, so that it need not fit into memory."""

    async def begin(self, length: int | None, media_type: str) -> None:
        """Begin anew: another attempt may have written a part before.

        Args:
            length: The body's length in bytes, if the reply says it.
            media_type: The reply's Content-Type, without parameters.
        """

    async def write(self, piece: bytes) -> None:
        """Take the next piece."""


@frozen
class Request:
    """One GET, ready to be sent any number of times; the transport adds the token."""

    path: str
    """The path below the base URL, already percent-encoded."""
    resource: str
    """The noun of the requested resource, such as ``session``."""
    id: UUID
    """The id of the requested resource."""
    sink: Sink | None = field(default=None, eq=False, repr=False)
    """Takes the body of a 200 reply, which is then empty in the `Response`."""
    url: Secret | None = field(default=None, repr=False)
    """A signed URL, to use instead of `path`: without the token, and outside of the rate limit."""


async def _have_no_connection() -> None:
    """Do nothing, for a reply that came by no connection."""


@frozen
class Response:
    """A complete reply, whatever its status; its texts are as the server sent them.

    They can quote the token, so nothing of them is kept or shown but through a `Redactor`.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    distrust: Callable[[], Awaitable[None]] = field(
        default=_have_no_connection, repr=False, eq=False
    )
    """Stops the use of the connection, because it delivered the reply to another request."""
    rate_limit: RateLimitHeaders = field(
        init=False,
        repr=False,
        eq=False,
        default=Factory(lambda self: RateLimitHeaders.parse(self.headers), takes_self=True),
    )
    """The rate-limit headers, parsed once for all readers."""


class FailureKind(Enum):
    """Why there is no reply. The transport decides which; `classify` decides what follows."""

    CONNECT = "could not connect"
    CERTIFICATE = "the server's certificate was not accepted"
    DISCONNECT = "the connection was lost"
    TIMEOUT = "no complete answer in time"
    PROTOCOL = "the answer was not valid HTTP"
    CUT = "the answer was cut short"
    ENCODING = "the answer could not be decoded"
    PROXY = "the proxy refused the connection"
    TOO_LARGE = "the answer is larger than max_response_bytes"
    SETUP = "the request could not be made"


@frozen
class Failure:
    """An exchange that brought no reply."""

    kind: FailureKind
    reason: str
    """In words, for the error's message, but for what the operating system may quote; `classify`
    hides the token in it."""
    sent: bool = True
    """True if the server may have seen, and so counted, the request."""


class Transport(Protocol):
    """Makes exchanges: the transport, or a stand-in for it."""

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Make one exchange, by `deadline` (in the event loop's seconds) at the latest."""
        ...

    async def close(self) -> None:
        """Close what is open; there is no exchange under way."""
