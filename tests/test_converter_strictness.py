"""Values that do not fit a model: refused by their path, and never coerced."""

import json

import pytest
from hypothesis import given, settings

from raydocs_async import APIResponseValidationError
from tests.strategies import (
    ABSENT,
    REFERENCE,
    Json,
    Place,
    altered_sessions,
    at,
    encoded,
    json_values,
    varied,
)
from tests.support.sessions import (
    DOCUMENT,
    PARSING,
    REF,
    RESULT,
    SESSION,
    SOURCE,
    SPELLINGS,
    VALUES,
    path,
    problem,
    rewritten,
    same,
)

TEXT, TEXT_OR_NULL = ("a string",), ("a string", "null")
ID, MAYBE_ID = ("a UUID",), ("a UUID", "null")
TIME, MAYBE_TIME = ("a time",), ("a time", "null")
COUNT, ANY_ID = ("an integer", "null"), ("an id", "null", "an integer", "a string")
MAP, MAYBE_MAP = ("an object",), ("an object", "null")
ITEMS, MAYBE_ITEMS = ("an array",), ("an array", "null")
FIELDS: dict[Place, dict[str, tuple[str, ...]]] = {
    SESSION: {
        "id": ID,
        "name": TEXT,
        "extraction_template_id": ID,
        "settings": MAP,
        "status": TEXT_OR_NULL,
        "created_at": TIME,
        "updated_at": TIME,
        "documents": ITEMS,
        "results": ITEMS,
    },
    DOCUMENT: {
        "id": ID,
        "filename": TEXT,
        "status": TEXT,
        "workspace_id": ANY_ID,
        "mime": TEXT_OR_NULL,
        "size": COUNT,
        "sha256": TEXT_OR_NULL,
        "source_type": TEXT_OR_NULL,
        "source_url": TEXT_OR_NULL,
        "source": MAYBE_MAP,
        "extraction_session_id": MAYBE_ID,
        "meta": MAYBE_MAP,
        "parsings": MAYBE_ITEMS,
        "created_at": MAYBE_TIME,
    },
    PARSING: {
        "id": ID,
        "status": TEXT,
        "config_hash": TEXT_OR_NULL,
        "parser_version": TEXT_OR_NULL,
        "updated_at": MAYBE_TIME,
    },
    RESULT: {
        "id": ID,
        "status": TEXT,
        "title": TEXT_OR_NULL,
        "extraction_session_id": MAYBE_ID,
        "config_hash": TEXT_OR_NULL,
        "document_refs": MAYBE_ITEMS,
        "created_at": MAYBE_TIME,
        "updated_at": MAYBE_TIME,
        "completed_at": MAYBE_TIME,
    },
    REF: {
        "documentId": ID,
        "kind": TEXT_OR_NULL,
        "workspaceId": ANY_ID,
        "filename": TEXT_OR_NULL,
        "mime": TEXT_OR_NULL,
        "size": COUNT,
        "sha256": TEXT_OR_NULL,
        "source": MAYBE_MAP,
        "createdAt": MAYBE_TIME,
    },
    SOURCE: {"type": TEXT_OR_NULL, "url": TEXT_OR_NULL},
}
"""What each field takes: first the words for it, then the JSON types besides."""

REQUIRED = {
    SESSION: FIELDS[SESSION].keys() - {"status"},
    DOCUMENT: {"id", "filename", "status"},
    PARSING: {"id", "status"},
    RESULT: {"id", "status"},
    REF: {"documentId"},
}


@pytest.mark.parametrize(
    ("place", "key", "takes"),
    [
        pytest.param(place, key, takes, id=f"M6 M7 {path((*place, key))}")
        for place, fields in FIELDS.items()
        for key, takes in fields.items()
    ],
)
def test_wrong_type(place: Place, key: str, takes: tuple[str, ...]) -> None:
    """A value of a wrong type is refused, with its path and both types."""
    refused = {got: value for got, value in VALUES.items() if got not in takes}
    assert {got: problem(varied(place, {key: value})) for got, value in refused.items()} == {
        got: f"{path((*place, key))} is {got}, not {takes[0]}" for got in refused
    }


@pytest.mark.parametrize(
    ("place", "key"),
    [
        pytest.param(place, key, id=f"M2 {path((*place, key))}")
        for place, keys in REQUIRED.items()
        for key in sorted(keys)
    ],
)
def test_missing(place: Place, key: str) -> None:
    """A required key that is missing is named by its path."""
    assert problem(varied(place, {key: ABSENT})) == f"{path((*place, key))} is missing"


@pytest.mark.parametrize(
    ("place", "key"),
    [
        pytest.param(place, key, id=path((*place, key)))
        for place, fields in FIELDS.items()
        for key in fields
        if key not in REQUIRED.get(place, ())
    ],
)
def test_optional(place: Place, key: str) -> None:
    """An optional key may be missing, and is then not written either."""
    assert key not in at(rewritten(varied(place, {key: ABSENT})), place)


@pytest.mark.parametrize("key", ["documents", "results"])
@pytest.mark.parametrize(("words", "value"), [*VALUES.items(), ("an array", [])])
def test_wrong_item(key: str, words: str, value: Json) -> None:
    """An item that is not an object is refused by its index."""
    if words == "an object":
        expected = f"$.{key}[1].id is missing"
    else:
        expected = f"$.{key}[1] is {words}, not an object"
    good = json.loads(REFERENCE)[key]
    assert problem(varied(SESSION, {key: [*good, value]})).split(";")[0] == expected


@pytest.mark.parametrize(
    ("place", "name", "older"), [case for case in SPELLINGS if case.id != "audit_data"]
)
def test_wrong_type_under_an_older_spelling(place: Place, name: str, older: str) -> None:
    """The path of a refused value has the spelling of the body."""
    body = varied(place, {name: ABSENT, older: 3})
    assert problem(body) == f"{path((*place, older))} is an integer, not a string"


def test_null_is_no_problem() -> None:
    """The error does not name an allowed ``null`` beside a wrong value."""
    body = varied(DOCUMENT, {"mime": None, "parsings": None, "size": "x"})
    assert problem(body) == "$.documents[0].size is a string, not an integer"


@pytest.mark.parametrize(
    ("place", "known"),
    [
        pytest.param(RESULT, {"completed_at": "0000-00-00 00:00:00"}, id="M9 a zero date"),
        pytest.param(RESULT, {"completed_at": None}, id="M6 null for a time"),
        pytest.param(RESULT, {"status": "new"}, id="M3 a new status"),
        pytest.param(REF, {"source": {"type": "upload"}}, id="a part that may be absent"),
    ],
)
def test_what_is_right_is_no_problem(place: Place, known: dict[str, Json]) -> None:
    """The error does not name valid values beside a wrong one."""
    body = varied(DOCUMENT, {"size": "x"}, varied(place, known))
    assert problem(body) == "$.documents[0].size is a string, not an integer"


def test_first_problems() -> None:
    """The error names the first three problems, in the models' order."""
    assert problem(b"{}") == (
        "$.id is missing; $.name is missing; $.extraction_template_id is missing"
    )


@given(altered_sessions())
@settings(deadline=None)
def test_nothing_is_coerced(payload: Json) -> None:
    """A session with any value at any place is read without loss, or refused by its path."""
    try:
        written = rewritten(encoded(payload))
    except APIResponseValidationError as error:
        assert "documented: $." in error.message  # noqa: PT017  (either is right)
    else:
        assert same(written, payload)


@given(json_values)
def test_other_json(payload: Json) -> None:
    """JSON that is not a session is refused by its path."""
    assert problem(encoded(payload)).startswith("$")
