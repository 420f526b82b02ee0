"""The tree of exceptions that this library raises.

::

    RaydocsError
    ├── ConfigurationError            also ValueError; before any I/O
    ├── InvalidIdError                also ValueError; before any I/O
    ├── ClientClosedError             used after, or interrupted by, close()
    ├── WaitTimeoutError              not finished in time; has the resource as last seen
    ├── FileError                     a file not fetched whole, or not written; nothing is left
    ├── APIConnectionError            no usable reply
    │   └── APITimeoutError           none in time
    ├── APIResponseValidationError    a 200 whose body does not fit the model; has the payload
    └── APIStatusError                any status but 200
        ├── BadRequestError           400
        ├── AuthenticationError       401
        ├── PermissionDeniedError     403
        ├── NotFoundError             404
        ├── UnprocessableEntityError  422
        ├── RateLimitError            429, or a wait for the rate limit that would be too long
        └── InternalServerError       5xx

``str(error)`` is for a log: `message`, with the resource's noun and id, the number of attempts,
the time to come back and a hint, as far as there are any. `message` alone is for a table that has
columns for the rest.

Each error can be pickled and copied. Its own fields are read-only. Notes and other attributes can
be added, as to any exception, and are pickled and copied, too. No error holds the token, or an
exception or object of the HTTP library. The message, ``repr`` and ``args`` never show data of a
document.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import attrs
from attrs import define, field, frozen, setters
from attrs.exceptions import FrozenAttributeError

PAYLOAD_LIMIT = 256 * 1024
"""Bytes of a body that an `APIResponseValidationError` keeps: 256 KiB."""

E = TypeVar("E", bound="RaydocsError")


@frozen(kw_only=True)
class Attempt:
    """One attempt of a call, in the history of its error."""

    at: float
    """When it was sent, in seconds since the call began."""
    status: int | None = None
    """The reply's status, if there was one."""
    error: str | None = None
    """The error in words; ``None`` for a success."""
    waited: float = 0.0
    """Seconds waited before it, for the rate limit or as back-off."""


# Not `frozen`: that would also refuse the attributes that other libraries set on exceptions.
@define(eq=False, repr=False, auto_exc=False, on_setattr=setters.frozen)
class RaydocsError(Exception):
    """The base of every error that this library raises."""

    hint: ClassVar[str] = ""

    message: str
    """One line that says what happened; ``str()`` adds the resource, attempts and a hint."""
    resource: str | None = field(default=None, kw_only=True)
    """The noun of the requested resource, such as ``"session"``; ``None`` outside of a call."""
    resource_id: str | None = field(default=None, kw_only=True)
    """The id of the requested resource; ``None`` outside of a call."""
    status: int | None = field(default=None, kw_only=True)
    """The reply's HTTP status, if there was a reply."""
    retry_after: float | None = field(default=None, kw_only=True)
    """Seconds to wait before another call, if that is known."""
    request_id: str | None = field(default=None, kw_only=True)
    """The reply's own id, to quote to the service's support; printable, at most 200 characters."""
    body_excerpt: str = field(default="", kw_only=True)
    """The beginning of an error reply's body, as one printable line without the token."""
    attempts: tuple[Attempt, ...] = field(default=(), kw_only=True)
    """Every attempt, in order; empty if nothing was sent."""

    def __attrs_post_init__(self) -> None:
        BaseException.__init__(self, self.message)

    def __str__(self) -> str:
        about = f"{self.resource} {self.resource_id}: " if self.resource_id else ""
        tried = f" (attempts: {len(self.attempts)})" if len(self.attempts) > 1 else ""
        back = "" if self.retry_after is None else f"; retry after {math.ceil(self.retry_after)} s"
        hint = f". {self.hint}" if self.hint else ""
        more = f"{tried}{back}{hint}"
        message = self.message.removesuffix(".") if more else self.message
        return f"{about}{message}{more}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __delattr__(self, name: str) -> None:
        if name in attrs.fields_dict(type(self)):
            raise FrozenAttributeError
        super().__delattr__(name)

    def __reduce__(self) -> tuple[Callable[..., "RaydocsError"], tuple[Any, ...]]:
        return _rebuild, (type(self), self.args, attrs.asdict(self, recurse=False), vars(self))


def _rebuild(kind: type[E], args: tuple[Any, ...], fields: Mapping[str, Any], more: Any) -> E:
    """Rebuild an error without calling the ``__init__`` of a user's subclass."""
    error = kind.__new__(kind, *args)
    for name, value in fields.items():
        object.__setattr__(error, name, value)
    vars(error).update(more)
    if hasattr(error, "__notes__"):
        error.__notes__ = [*error.__notes__]  # a list of its own, not the original's
    return error


class ConfigurationError(RaydocsError, ValueError):
    """The client was built or used in a way that cannot work; nothing was sent."""


class InvalidIdError(RaydocsError, ValueError):
    """The given value is not an id; nothing was sent.

    An id is a `uuid.UUID` or its usual form in a string: 36 characters, in either case. Braces,
    ``urn:uuid:`` and other spellings are refused, so that one resource has one URL.
    """


class ClientClosedError(RaydocsError):
    """The client was closed before or during the call."""


@define(eq=False, repr=False, auto_exc=False, on_setattr=setters.frozen)
class WaitTimeoutError(RaydocsError):
    """The resource was not finished within the time to wait."""

    last_seen: Any = field(default=None, kw_only=True)
    """The resource as it was last seen; ``None`` if it never was."""


class FileError(RaydocsError):
    """A file could not be fetched completely, or not be written; no part of it is left."""


class APIConnectionError(RaydocsError):
    """No usable reply, after all attempts."""


class APITimeoutError(APIConnectionError):
    """No complete reply in time."""


@define(eq=False, repr=False, auto_exc=False, on_setattr=setters.frozen)
class APIResponseValidationError(RaydocsError):
    """A reply with status 200 whose body does not fit the model."""

    payload: bytes = field(default=b"", kw_only=True)
    """The first 256 KiB of the body, with the token hidden. It can hold document data, so it is
    never printed. If it is shorter than `payload_size`, the rest was not kept.
    """
    payload_size: int = field(
        default=attrs.Factory(lambda self: len(self.payload), takes_self=True), kw_only=True
    )
    """The length of the whole body, in bytes."""
    truncated: bool = field(default=False, kw_only=True)
    """True if the body that the service sent ends in the middle of the JSON."""


class APIStatusError(RaydocsError):
    """A reply whose status is not 200."""


class BadRequestError(APIStatusError):
    """400: the service did not understand the request."""


class AuthenticationError(APIStatusError):
    """401: the token is missing or not valid."""

    hint = "Check the token; the service does not know it"


class PermissionDeniedError(APIStatusError):
    """403: the token lacks an ability."""

    hint = "The token needs the ability 'sessions-read'"


class NotFoundError(APIStatusError):
    """404: the resource does not exist, or the token may not see it."""

    hint = "There is none, or this token may not see it, or base_url is not right"


class UnprocessableEntityError(APIStatusError):
    """422: the service refused the request's content."""


class RateLimitError(APIStatusError):
    """The rate limit's window is shut for longer than the call may wait.

    Raised as soon as that is known, with `retry_after`. If no request of the call was refused,
    there is no `status`.
    """


class InternalServerError(APIStatusError):
    """5xx: the service, or the gateway before it, failed."""
