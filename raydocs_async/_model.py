"""The base of all models: what each remembers of its JSON, and how its fields are spelled there."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Protocol
from uuid import UUID

from attrs import field, frozen

WIRE_NAMES = "wire_names"
"""The metadata key for a field's spellings in JSON, the current one first, older ones after it."""

AnyId = Annotated[str | None, "a number or a string in JSON"]
"""An id that some replies send as a number and some as a string: always a string, so that all
spellings compare."""


def spelled(*names: str) -> dict[str, tuple[str, ...]]:
    """Return the metadata of a field with these spellings in JSON, the current one first."""
    return {WIRE_NAMES: names}


class Status(StrEnum):
    """The statuses that are known; new ones will come, and stay plain strings."""


@frozen(kw_only=True)
class Model:
    """Record of the JSON that a model was read from."""

    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)
    """The keys of the reply that this version of the library does not know."""
    wire_keys: tuple[str, ...] = field(default=(), repr=False, eq=False)
    """The reply's keys as it spelled and ordered them; empty for an object built by hand."""
    wire_values: tuple[tuple[str, Any], ...] = field(default=(), repr=False, eq=False)
    """The fields whose values the reply spelled otherwise than they would be written.

    Each is a field's name and the JSON value, as in ``("workspace_id", 12)`` for ``"12"``. It is
    written only while the field still has that value.
    """


class HasId(Protocol):
    """A chunk, or any other object with an id."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...


def count_of(items: tuple[object, ...]) -> str:
    """Return the number of items, for a ``repr`` without their content."""
    return f"<{len(items)}>"


def extent_of(value: object) -> str:
    """Return the size or the type of free-form JSON, for a ``repr`` without its content."""
    match value:
        case dict():
            return f"<{len(value)} keys>"
        case list():
            return f"<{len(value)} items>"
    return "None" if value is None else f"<{type(value).__name__}>"
