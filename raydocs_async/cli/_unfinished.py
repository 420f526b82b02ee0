"""Refusals of what is not there yet: the status of its document or result decides the exit code."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from raydocs_async import (
    APIStatusError,
    AuthenticationError,
    Document,
    InternalServerError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsError,
    Result,
)
from raydocs_async.cli._exit import CommandFailed, ExitCode
from raydocs_async.cli._printable import printable

T = TypeVar("T")

_OTHER_CAUSES: Final = (
    AuthenticationError,
    InternalServerError,
    PermissionDeniedError,
    RateLimitError,
)
"""Refusals that say nothing about the requested resource."""
_OVER: Final = frozenset({"ready", "processed", "completed", "failed"})
"""Statuses of a document or a result that will not change; another run is refused as well."""


async def or_not_yet(call: Awaitable[T], owner: Callable[[], Awaitable[Document | Result]]) -> T:
    """Await a call; if the service refuses it, look whether its owner is unfinished.

    Args:
        call: Reads what belongs to a document or a result, and is there when that is finished.
        owner: Fetches the document or the result.

    Raises:
        CommandFailed: the service has refused the call, and the owner is not finished.
        RaydocsError: the call has failed in any other way.
    """
    try:
        return await call
    except _OTHER_CAUSES:
        raise
    except APIStatusError as error:
        status = await _status(owner)
        if status is None or status in _OVER:
            raise
        what = f"{error.resource} {error.resource_id}: HTTP {error.status}"
    raise CommandFailed(
        f"{what}, while its status is {printable(status)}; run the command again later",
        ExitCode.RETRY_LATER,
    )


async def _status(owner: Callable[[], Awaitable[Document | Result]]) -> str | None:
    """Return the owner's status; ``None`` if it cannot be read."""
    try:
        return (await owner()).status
    except RaydocsError:
        return None
