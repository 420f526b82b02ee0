"""Which sessions exist, and the bytes that each is served as."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain, count, islice
from typing import Any
from uuid import UUID

import msgspec

from raydocs_async.sandbox._sessions import build_session, session_id

CACHED_BODIES = 2048
"""Bodies kept encoded: at 8 kB each, 16 MB at most."""


class Catalog:
    """The sessions that a sandbox knows.

    Args:
        sessions: How many of the built-in sessions exist; ``None`` is every well-formed id, for
            load tests that would not fit into memory.

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
        """The first `n` ids that exist: the built-in ones, then those that were `put`.

        Raises:
            ValueError: There are fewer.
        """
        found = list(islice(self._existing(), n))
        if len(found) < n:
            raise ValueError(f"{n} ids were asked for, and {len(found)} exist")
        return found

    def put(self, session: Mapping[str, Any]) -> None:
        """Add a session, or replace the one with its ``id``, as it is at this moment.

        Raises:
            ValueError: `session` has no ``id`` that is a string.
        """
        match session:
            case {"id": str(key)}:
                self._put[key.lower()] = msgspec.json.encode(session)
            case _:
                raise ValueError("a session needs an 'id' that is a string")

    def body(self, session_id: str) -> bytes | None:
        """The session as JSON, or ``None`` if there is none; letter case does not matter."""
        key = session_id.lower()
        if key in self._put:
            return self._put[key]
        return self._built(key) if self._is_built_in(key) else None

    def _existing(self) -> Iterator[str]:
        built_in = map(session_id, count()) if self._known is None else self._known
        return chain(built_in, (key for key in self._put if not self._is_built_in(key)))

    def _is_built_in(self, key: str) -> bool:
        return _is_uuid(key) if self._known is None else key in self._known


def _encode(key: str) -> bytes:
    return msgspec.json.encode(build_session(key))


def _is_uuid(key: str) -> bool:
    try:
        return str(UUID(key)) == key
    except ValueError:
        return False
