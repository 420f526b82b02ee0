"""The sessions that exist, and their JSON bodies."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain, count, islice
from typing import Any
from uuid import UUID

import msgspec

from raydocs_async.sandbox._sessions import build_session, session_id

CACHED_BODIES = 2048
"""The number of encoded bodies to keep: 16 MB at most, with 8 kB each."""


class Catalog:
    """The sessions that a sandbox serves.

    Args:
        sessions: The number of built-in sessions. ``None`` serves one for every well-formed id, for
            load tests whose sessions would not fit into memory.

    Raises:
        ValueError: `sessions` is negative.
    """

    def __init__(self, sessions: int | None) -> None:
        if sessions is not None and sessions < 0:
            raise ValueError(f"sessions must not be negative: {sessions!r}")
        self._known = None if sessions is None else dict.fromkeys(map(session_id, range(sessions)))
        self._put: dict[str, bytes] = {}
        self._built = lru_cache(CACHED_BODIES)(_encode)

    def ids(self, n: int) -> list[str]:
        """Return the first `n` ids: those of the built-in sessions, then those that were `put`.

        Raises:
            ValueError: Fewer than `n` sessions exist.
        """
        found = list(islice(self._existing(), n))
        if len(found) < n:
            raise ValueError(f"{n} ids were asked for, and {len(found)} exist")
        return found

    def put(self, session: Mapping[str, Any]) -> None:
        """Add a copy of `session`, or replace the session with its ``id``.

        Raises:
            ValueError: `session` has no ``id`` that is a string.
        """
        match session:
            case {"id": str(key)}:
                # Encoded now, because the caller may change `session` later.
                self._put[key.lower()] = msgspec.json.encode(session)
            case _:
                raise ValueError("a session needs an 'id' that is a string")

    def session(self, session_id: str) -> bytes | None:
        """Return the session as JSON, or ``None`` if no session has this id in any letter case."""
        key = session_id.lower()
        if key in self._put:
            return self._put[key]
        return self._built(key) if self._is_built_in(key) else None

    def result(self, result_id: str) -> bytes | None:
        """Return the result as JSON, or ``None`` if no session has it (or every session exists)."""
        for key in [*(self._known or ()), *self._put]:
            session = msgspec.json.decode(self.session(key) or b"{}")
            for result in session.get("results", []):
                if result["id"] == result_id.lower():
                    return msgspec.json.encode(result)
        return None

    def _existing(self) -> Iterator[str]:
        built_in = map(session_id, count()) if self._known is None else self._known
        return chain(built_in, (key for key in self._put if not self._is_built_in(key)))

    def _is_built_in(self, key: str) -> bool:
        return _is_uuid(key) if self._known is None else key in self._known


def _encode(key: str) -> bytes:
    return msgspec.json.encode(build_session(key))


def _is_uuid(key: str) -> bool:
    try:
        # `UUID` also accepts braces and ``urn:uuid:``, which the API does not.
        return str(UUID(key)) == key
    except ValueError:
        return False
