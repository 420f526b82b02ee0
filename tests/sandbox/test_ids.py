"""Ids of the built-in sessions, documents and results."""

from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async.sandbox._ids import (
    NAMESPACE,
    PartKind,
    is_session_id,
    parse,
    part_ids,
    possible_sessions,
    session_id,
)

SOME = UUID("770e8400-e29b-41d4-a716-446655440000")
kinds = st.sampled_from(["documents", "results"])
sessions = st.uuids(version=4) | st.text().map(lambda name: uuid5(NAMESPACE, name))


def test_ids_differ() -> None:
    """Each index has an id of its own, a UUID of version 5."""
    ids = [session_id(index) for index in range(1000)]
    assert len(set(ids)) == 1000
    assert {UUID(each).version for each in ids} == {5}


def test_ids_are_stable() -> None:
    """An index keeps its id from one release to the next."""
    assert session_id(0) == "57e53be9-2a0f-5f16-b0ab-4a868c897d59"


@pytest.mark.parametrize("session", [SOME, UUID(session_id(0))], ids=["version 4", "version 5"])
@pytest.mark.parametrize(
    ("kind", "versions"),
    [("documents", [(8, 9), (10, 11), (12, 13)]), ("results", [(8, 9), (10, 11)])],
)
def test_versions_of_parts(session: UUID, kind: PartKind, versions: list[tuple[int, int]]) -> None:
    """The version of a part tells its mask and its session's version."""
    parts = part_ids(session, kind)
    is_hash = session.version == 5
    assert [part.int >> 76 & 0xF for part in parts] == [pair[is_hash] for pair in versions]
    for place, part in enumerate(parts):
        assert possible_sessions(part, kind)[place] == str(session)


@pytest.mark.parametrize(
    ("version", "is_one"), [("1", False), ("4", True), ("5", True), ("6", False), ("c", False)]
)
def test_versions_of_sessions(version: str, is_one: bool) -> None:
    """Sessions have UUIDs of version 4 or 5."""
    assert is_session_id(f"770e8400-e29b-{version}1d4-a716-446655440000") is is_one


@settings(deadline=None)
@given(sessions, kinds)
def test_a_part_leads_to_its_session(session: UUID, kind: PartKind) -> None:
    """Of all sessions that a part may belong to, exactly its own has the id of a session."""
    for part in part_ids(session, kind):
        owners = [each for each in possible_sessions(part, kind) if is_session_id(each)]
        assert owners == [str(session)]


@settings(deadline=None)
@given(sessions)
def test_parts_are_no_sessions(session: UUID) -> None:
    """Documents and results have ids that differ from each other and from those of sessions."""
    parts = part_ids(session, "documents") + part_ids(session, "results")
    assert len(set(parts)) == 5
    assert not any(is_session_id(str(part)) for part in parts)


@pytest.mark.parametrize("kind", ["documents", "results"])
def test_parts_are_uuids(kind: PartKind) -> None:
    """The ids of parts have the variant of RFC 9562, as every UUID."""
    assert {part.variant for part in part_ids(SOME, kind)} == {SOME.variant}


def test_parse() -> None:
    """The usual form in lower case is read."""
    assert parse(str(SOME)) == SOME


@pytest.mark.parametrize("text", ["", "nonsense", f"{{{SOME}}}", SOME.hex, f"urn:uuid:{SOME}"])
def test_parse_of_other_forms(text: str) -> None:
    """Other forms, which `UUID` accepts, are no ids of the API."""
    assert parse(text) is None
    assert not is_session_id(text)
