"""Plain values for one HTTP exchange: the request, the reply or the failure, and the protocol.

The values know no socket and no clock, so that tests can make any reply by hand.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Protocol
from uuid import UUID

from attrs import Factory, field, frozen

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._secret import Secret


class Sink(Protocol):
    """Takes the body of a 200 reply in pieces, for bodies that do not fit into memory."""

    async def begin(self, length: int | None, media_type: str, *, is_delimited: bool) -> None:
        """Begin at the first byte; drop the bytes of an earlier attempt.

        Args:
            length: The body's length in bytes; ``None`` if the reply does not say it.
            media_type: The reply's Content-Type, without parameters.
            is_delimited: False if the body ends with the connection, so that a cut cannot be
                distinguished from its end.
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
    """Takes the body of a 200 reply; the `Response` then has an empty body."""
    url: Secret | None = field(default=None, repr=False)
    """A signed URL, to use instead of `path`; its request has no token, and no rate limit."""

    @property
    def kind(self) -> str:
        """The kind of resource that the id belongs to: of ``results of session``, ``session``."""
        return self.resource.rpartition(" ")[2]


async def _have_no_connection() -> None:
    """Do nothing, because the reply did not come by a connection."""


@frozen
class Response:
    """A complete reply of any status, with its texts as the server sent them.

    They can quote the token, so they are shown and kept only after a `Redactor` has read them.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    distrust: Callable[[], Awaitable[None]] = field(
        default=_have_no_connection, repr=False, eq=False
    )
    """Stops the use of pooled connections, because one delivered the reply to another request."""
    rate_limit: RateLimitHeaders = field(
        init=False,
        repr=False,
        eq=False,
        default=Factory(lambda self: RateLimitHeaders.parse(self.headers), takes_self=True),
    )
    """The rate-limit headers, parsed once for all readers."""


class FailureKind(Enum):
    """The reason why there is no reply. The transport sets it, and `classify` decides by it."""

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
    """An exchange without a reply."""

    kind: FailureKind
    reason: str
    """The reason in words, for the error's message. It can quote texts of the operating system, so
    `classify` hides the token in it."""
    sent: bool = True
    """True if the server may have seen, and so counted, the request."""


class Transport(Protocol):
    """Makes exchanges, by a connection or as a stand-in for tests."""

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Make one exchange, by `deadline` (in the event loop's seconds) at the latest."""
        ...

    async def close(self) -> None:
        """Close all connections; no exchange is in flight."""
