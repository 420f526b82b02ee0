"""The API's endpoints as data, and how a call becomes a `Request`.

A new endpoint is a row here and a method on the client.
"""

import re
from typing import Any, Generic, TypeVar
from uuid import UUID

from attrs import frozen

from raydocs_async._exchange import Request
from raydocs_async.errors import InvalidSessionIdError
from raydocs_async.models import Session

M = TypeVar("M")

_HEX = "[0-9a-fA-F]"
_usual_form = re.compile(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}").fullmatch
_SHOWN = 60


@frozen
class Endpoint(Generic[M]):
    """What to ask, and what comes back."""

    method: str
    path: str
    """Below the base URL, with `str.format` fields for the ids in it."""
    model: type[M]
    """What a 200 reply's body is."""


GET_SESSION: Endpoint[Session] = Endpoint("GET", "/extractions/sessions/{session_id}", Session)


def build(endpoint: Endpoint[Any], *, session_id: object) -> Request:
    """The request for one session.

    Raises:
        InvalidSessionIdError: `session_id` is no session id.
    """
    parsed = parse_session_id(session_id)
    # The form of `str(UUID)` has nothing to encode, and nothing that a URL would normalise.
    return Request(endpoint.method, endpoint.path.format(session_id=parsed), parsed)


def parse_session_id(value: object) -> UUID:
    """Take a UUID, or its 36-character form in either case, and nothing else.

    `uuid.UUID` itself takes braces, ``urn:uuid:``, underscores and full-width digits, too.

    Raises:
        InvalidSessionIdError: it is neither; the message shows the beginning of it.
    """
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and _usual_form(value):
        return UUID(value)
    shown = repr(value)[:_SHOWN] if isinstance(value, str) else type(value).__name__
    raise InvalidSessionIdError(
        f"not a session id: {shown}; it is a UUID such as 770e8400-e29b-41d4-a716-446655440000"
    )
