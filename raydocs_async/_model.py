"""The base of all models: the record of the JSON, and the spelling of fields there."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Protocol
from uuid import UUID

from attrs import field, frozen

WIRE_NAMES = "wire_names"
"""The metadata key for a field's spellings in JSON, the current one first, then older ones."""

AnyId = Annotated[str | None, "a number or a string in JSON"]
"""An id that is a number in some replies and a string in others. It is read as a string, so that
both are equal."""


def spelled(*names: str) -> dict[str, tuple[str, ...]]:
    """Return the metadata of a field with these spellings in JSON, the current one first."""
    return {WIRE_NAMES: names}


class Status(StrEnum):
    """The known statuses; an unknown one stays a plain string."""


@frozen(kw_only=True)
class Model:
    """The base of all models, with a record of the JSON that a model was read from."""

    extra: Mapping[str, Any] = field(factory=dict, repr=False, hash=False)
    """The keys of the reply that this version of the library does not know."""
    wire_keys: tuple[str, ...] = field(default=(), repr=False, eq=False)
    """The reply's keys in its own spelling and order; empty for an object built by hand."""
    wire_values: tuple[tuple[str, Any], ...] = field(default=(), repr=False, eq=False)
    """The fields whose values would be written in another spelling than the reply's.

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
