"""The sessions that exist, and look-ups of them, their documents and their results by id."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, count, islice
from typing import Any

import msgspec

from raydocs_async.sandbox._ids import (
    PartKind,
    is_session_id,
    parse,
    part_ids,
    possible_sessions,
    session_id,
)
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._sessions import BuiltDocument, build_document, build_session

CACHED_BODIES = 2048
"""The number of encoded sessions to keep: 16 MB at most, with 8 kB each."""

_CACHED_SESSIONS = 64
"""The number of decoded sessions to keep, for requests for their parts."""


class Catalog:
    """The sessions that a sandbox serves. Letter case does not matter in any id.

    Args:
        sessions: The number of built-in sessions. ``None`` serves one for every UUID of version 4
            or 5, for load tests whose sessions would not fit into memory.
        schedule: The progress of the built-in sessions.

    Raises:
        ValueError: `sessions` is negative.
    """

    def __init__(self, sessions: int | None, schedule: Schedule) -> None:
        if sessions is not None and sessions < 0:
            raise ValueError(f"sessions must not be negative: {sessions!r}")
        self.schedule = schedule
        self._known = None if sessions is None else dict.fromkeys(map(session_id, range(sessions)))
        self._put: dict[str, bytes] = {}
        self._put_parts: dict[tuple[PartKind, str], str] = {}
        self._built = lru_cache(_CACHED_SESSIONS)(build_session)
        # Whole sessions are cached as bytes: decoded, one takes three times as much memory.
        self._encoded = lru_cache(CACHED_BODIES)(
            lambda key, stage: msgspec.json.encode(build_session(key, stage))
        )

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
            case {"id": str(id_)}:
                key = id_.lower()
            case _:
                raise ValueError("a session needs an 'id' that is a string")
        # Encoded now, because the caller may change `session` later.
        self._put[key] = msgspec.json.encode(session)
        kinds: tuple[PartKind, ...] = ("documents", "results")
        for kind in kinds:
            for part in _parts(session, kind):
                self._put_parts[kind, _key(part)] = key

    def session(self, session_id: str, now: float) -> bytes | None:
        """Return a session as JSON, as it is at `now`, or ``None`` if no session has this id."""
        key = session_id.lower()
        if key in self._put:
            return self._put[key]
        return self._encoded(key, self.schedule.stage(key, now)) if self._is_built_in(key) else None

    def parts(self, session_id: str, kind: PartKind, now: float) -> Sequence[Any] | None:
        """Return the documents or results of a session, or ``None`` if no session has this id."""
        key = session_id.lower()
        if key in self._put:
            return _parts(msgspec.json.decode(self._put[key]), kind)
        if not self._is_built_in(key):
            return None
        return _parts(self._built(key, self.schedule.stage(key, now)), kind)

    def part(self, kind: PartKind, part_id: str, now: float) -> Mapping[str, Any] | None:
        """Return a document or a result, or ``None`` if none has this id."""
        key = part_id.lower()
        owner = self._find_session(kind, key)
        # The session may have been replaced since, so the part is looked for in it, too.
        parts = self.parts(owner, kind, now) if owner else None
        return next((part for part in parts or () if _key(part) == key), None)

    def built_document(self, document_id: str) -> BuiltDocument | None:
        """Return the content of a document.

        Documents with the id of a built-in document have a content, also in sessions that were
        `put`. The result is ``None`` for all others.
        """
        key = document_id.lower()
        owner = self._find_session("documents", key)
        root = None if owner is None else parse(owner)
        if root is None:
            return None
        ids = [str(each) for each in part_ids(root, "documents")]
        return build_document(root, ids.index(key)) if key in ids else None

    def _find_session(self, kind: PartKind, key: str) -> str | None:
        """Return the id of the session with this document or result, if there is one."""
        # A part that was put goes first: a session of one's own may hold a built-in document.
        if (kind, key) in self._put_parts:
            return self._put_parts[kind, key]
        part = parse(key)
        owners = () if part is None else possible_sessions(part, kind)
        return next((owner for owner in owners if self._is_built_in(owner)), None)

    def _existing(self) -> Iterator[str]:
        built_in = map(session_id, count()) if self._known is None else self._known
        return chain(built_in, (key for key in self._put if not self._is_built_in(key)))

    def _is_built_in(self, key: str) -> bool:
        return is_session_id(key) if self._known is None else key in self._known


def _parts(session: Mapping[str, Any], kind: PartKind) -> list[Any]:
    """Return the documents or results; a session that was put may have anything in their place."""
    parts = session.get(kind)
    return list(parts) if isinstance(parts, list | tuple) else []


def _key(part: Any) -> str:
    """Return the id of a document or result in lower case; empty for anything else."""
    match part:
        case {"id": str(id_)}:
            return id_.lower()
    return ""
