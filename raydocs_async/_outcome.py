"""The result of a call, `CallResult`, and an id's outcome in bulk work, `Fetched` or `Failed`.

Both outcomes have ``id``, ``error`` and ``attempts``. `isinstance`, ``match`` and a comparison of
``error`` with ``None`` distinguish them, for type checkers as well.
"""

import math
from typing import ClassVar, Generic, TypeAlias, TypeVar
from uuid import UUID

from attrs import field, frozen

from raydocs_async.errors import Attempt, RaydocsError
from raydocs_async.models import Session

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


@frozen(kw_only=True)
class CallResult(Generic[M]):
    """The result of a call: a model or an error."""

    model: M | None = field(default=None, repr=False)
    error: RaydocsError | None = None
    transient: bool = False
    """True if the error is temporary, so that a later call may succeed."""
    attempts: tuple[Attempt, ...] = ()
    sent_at: float = -math.inf
    """When the last request was sent, in the event loop's seconds."""

    @property
    def answered(self) -> bool:
        """True if the service gave a final answer, an error included."""
        return not self.transient and bool(self.attempts) and self.attempts[-1].status is not None


def _name_of_type(value: object) -> str:
    return f"<{type(value).__name__}>"


@frozen
class Fetched(Generic[M_co]):
    """An id whose resource was fetched."""

    id: str | UUID
    """The id as the caller gave it."""
    value: M_co = field(repr=_name_of_type)
    """The fetched resource."""
    attempts: tuple[Attempt, ...] = ()
    """Every attempt for the id, in order."""
    error: ClassVar[None] = None
    """Always ``None``; `Failed` has an error here."""

    @property
    def session(self: "Fetched[Session]") -> Session:
        """The fetched session; the same object as `value`.

        Raises:
            AttributeError: `value` is not a session.
        """
        value: object = self.value  # without a type checker, any `Fetched` can be here
        if not isinstance(value, Session):
            raise AttributeError(f"`value` is a {type(value).__name__}")  # noqa: TRY004
        return value


@frozen
class Failed:
    """An id whose resource could not be fetched."""

    id: str | UUID
    """The id as the caller gave it."""
    error: RaydocsError
    """The reason; it is not raised."""
    attempts: tuple[Attempt, ...] = ()
    """Every attempt for the id, in order; empty if the id is invalid."""


Outcome: TypeAlias = Fetched[M_co] | Failed
