"""Events of a client for its ``on_event`` hook, as frozen values.

::

    CallStarted ─ AttemptStarted ┬ AttemptEnded ─ RetryScheduled ─ … ─ CallEnded
                                 └ WindowOpened, Paused, ForeignUse: by the reply's headers;
                                   SharedLimitJoined, SharedLimitContended, SharedLimitLost

Every `CallStarted` is followed by one `CallEnded`, and every `AttemptStarted` by one
`AttemptEnded`, also when the call is cancelled or the client closed. The hook is called in the
task that makes the call, so that later steps of the call see a context variable that it sets (such
as a tracing span). The call waits for the hook, which should return at once.

An exception that the hook raises does not end the call: the first one is logged as an error with
its traceback, by the logger ``raydocs_async``, and later ones are ignored. `KeyboardInterrupt`,
`SystemExit` and `asyncio.CancelledError` pass through to the caller.

No event holds the token or document data.
"""

from collections.abc import Callable
from typing import TypeAlias
from uuid import UUID

from attrs import frozen

__all__ = [
    "AttemptEnded",
    "AttemptStarted",
    "CallEnded",
    "CallStarted",
    "Event",
    "ForeignUse",
    "Hook",
    "Paused",
    "RetryScheduled",
    "SharedLimitContended",
    "SharedLimitJoined",
    "SharedLimitLost",
    "WindowOpened",
]


@frozen(kw_only=True)
class _CallEvent:
    call: int
    """The call's number; a client counts its calls from 1."""
    resource: str
    """The noun of the requested resource, such as ``"session"``."""
    resource_id: UUID
    """The id of the requested resource."""


@frozen(kw_only=True)
class CallStarted(_CallEvent):
    """A call was made; it may have to queue."""

    bulk: bool
    """True for bulk work, which queues behind single calls."""


@frozen(kw_only=True)
class AttemptStarted(_CallEvent):
    """A request is about to be sent."""

    number: int
    """1 for the call's first request, 2 for the next; requests refused by a 429 count, too."""
    waited: float
    """Seconds in the queue and in back-off, since the start of the call or the end of its last
    attempt."""


@frozen(kw_only=True)
class AttemptEnded(_CallEvent):
    """An attempt has ended, with or without a reply."""

    number: int
    """The number of its `AttemptStarted`."""
    seconds: float
    """Duration of the attempt."""
    status: int | None
    """The reply's HTTP status, if there was one."""
    error: str | None
    """The error in words; ``None`` for a success."""


@frozen(kw_only=True)
class RetryScheduled(_CallEvent):
    """The call backs off before its next attempt."""

    delay: float
    """Seconds until the call joins the queue again."""


@frozen(kw_only=True)
class CallEnded(_CallEvent):
    """The call returns or raises."""

    seconds: float
    """Duration of the call."""
    attempts: int
    """The number of requests that were sent for the call."""
    error: str | None
    """The name of the exception's class, such as ``"NotFoundError"`` or ``"CancelledError"``;
    ``None`` for a success."""


@frozen(kw_only=True)
class WindowOpened:
    """A reply showed a new window of the rate limit."""

    limit: int | None
    """Hits that it allows; ``None`` if that is unknown."""
    remaining: int | None
    """Hits left when the reply came; ``None`` if the reply did not say."""


@frozen(kw_only=True)
class Paused:
    """A 429 refused a request, so that no call sends anything for a while."""

    seconds: float
    """The length of the pause."""


@frozen(kw_only=True)
class ForeignUse:
    """Other clients on the same IP address use the window, too."""

    hits: int
    """Hits of the window that were theirs so far, at least."""


@frozen(kw_only=True)
class SharedLimitJoined:
    """This process shares the window with the others of its address from now on."""

    processes: int
    """Processes that share the window, this one included."""


@frozen(kw_only=True)
class SharedLimitContended:
    """Calls wait for hits that are kept for another process, which had fewer; once a window."""

    waiting: int
    """Calls that wait in the other processes."""


@frozen(kw_only=True)
class SharedLimitLost:
    """The store of the shared window has failed.

    This process goes on by the server's headers alone, and tries the store again now and then.
    """

    reason: str
    """The failure in words."""


RateLimitEvent: TypeAlias = (
    WindowOpened | Paused | ForeignUse | SharedLimitJoined | SharedLimitContended | SharedLimitLost
)
"""A change of the rate limit, which concerns every call."""
Event: TypeAlias = (
    CallStarted | AttemptStarted | AttemptEnded | RetryScheduled | CallEnded | RateLimitEvent
)
Hook: TypeAlias = Callable[[Event], object]
"""Takes each event; its return value is ignored."""
