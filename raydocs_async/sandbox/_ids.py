"""Ids of the built-in sessions, and of the documents and results in them.

The id of a document or result is the id of its session, XORed with a mask. XOR is its own inverse,
so a look-up leads from a document or result back to its session without an index of all sessions.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias
from uuid import UUID, uuid5

PartKind: TypeAlias = Literal["documents", "results"]
"""The key of a session that holds its documents or its results."""

NAMESPACE = UUID("6f1d7f0e-52d5-5b0c-9a53-4d3f0c1a7b2e")
"""The namespace of all ids that do not belong to one session."""

_FIXED_BITS = 0xF << 76 | 0x3 << 62
"""The bits of a UUID that hold its version and its variant."""


def _mask(name: str, version: int) -> int:
    return uuid5(NAMESPACE, name).int & ~_FIXED_BITS | version << 76


# The masks turn the versions 4 and 5, those of sessions, into 8 and 9, 10 and 11, or 12 and 13. So
# a document's version alone decides which mask made it. Otherwise a sandbox with a session for
# every UUID would find three sessions for each document.
_DOCUMENTS = [_mask(f"document-{n}", version) for n, version in enumerate((0xC, 0xE, 0x8))]
_RESULTS = [_mask(f"result-{n}", version) for n, version in enumerate((0xC, 0xE))]
_MASKS: dict[PartKind, list[int]] = {"documents": _DOCUMENTS, "results": _RESULTS}


def session_id(index: int) -> str:
    """Return the id of the built-in session number `index`, counted from 0."""
    return str(uuid5(NAMESPACE, f"session-{index}"))


def is_session_id(key: str) -> bool:
    """Return true for a UUID of version 4 or 5 in its usual form, in lower case."""
    value = parse(key)
    return value is not None and value.version in {4, 5}


def parse(key: str) -> UUID | None:
    """Return the UUID with the usual form `key`; ``None`` for any other text."""
    try:
        value = UUID(key)
    except ValueError:
        return None
    # `UUID` also accepts braces and ``urn:uuid:``, which the API does not.
    return value if str(value) == key else None


def part_ids(session: UUID, kind: PartKind) -> list[UUID]:
    """Return the ids of the ``documents`` or ``results`` of a built-in session."""
    return _xor(session, _MASKS[kind])


def possible_sessions(part: UUID, kind: PartKind) -> list[str]:
    """Return the ids of the sessions to which a document or result may belong.

    Args:
        part: The id of the document or result.
        kind: ``documents`` or ``results``.
    """
    return [str(session) for session in _xor(part, _MASKS[kind])]


def _xor(value: UUID, masks: Sequence[int]) -> list[UUID]:
    return [UUID(int=value.int ^ mask) for mask in masks]
