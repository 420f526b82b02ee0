"""Requests are built from ids, and from nothing that only resembles one."""

from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from raydocs_async import APIStatusError, InvalidIdError, NotFoundError, Session, converter
from raydocs_async._endpoints import (
    CHUNKS,
    DOCUMENT_URL,
    EXPORT,
    FILE,
    SESSION,
    SESSION_DOCUMENTS,
    SESSION_RESULTS,
    Endpoint,
    parse_id,
)
from raydocs_async._exchange import Request
from raydocs_async._redact import Redactor
from raydocs_async._secret import Secret
from raydocs_async.testing import build_session
from tests.strategies import json_values
from tests.support.clients import TOKEN

ID = "770e8400-e29b-41d4-a716-446655440000"


class Opaque:
    """An object whose ``repr`` must not be asked for."""

    __repr__ = None  # type: ignore[assignment]  # that is the point


def test_get_session() -> None:
    """A session is fetched by its id, and is what comes back."""
    request = SESSION.request(ID)
    assert (request, SESSION.model) == (
        Request(f"/extractions/sessions/{ID}", "session", UUID(ID)),
        Session,
    )


def test_endpoint_is_data() -> None:
    """Another endpoint is another row: its noun and path make the request."""
    endpoint: Endpoint[Any] = Endpoint("page", "/v2/pages/{id}", dict)
    assert endpoint.request(ID) == Request(f"/v2/pages/{ID}", "page", UUID(ID))


def test_a_reply_answers_by_its_id() -> None:
    """H19: a model answers the request whose id it has, and no other."""
    request = SESSION.request(ID)
    session = build_session(ID)
    assert SESSION.answers(session, request)
    assert not SESSION.answers(attrs.evolve(session, id=UUID(int=1)), request)


def test_an_endpoint_has_its_own_check() -> None:
    """An endpoint whose model has no id brings its own check of the reply."""
    endpoint: Endpoint[Any] = Endpoint(
        "page", "/pages/{id}", dict, lambda page, request: page["n"] == request.id
    )
    assert endpoint.answers({"n": UUID(ID)}, endpoint.request(ID))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(ID, id="string"),
        pytest.param(ID.upper(), id="C2 upper case"),
        pytest.param(ID.replace("a", "A"), id="C2 either case"),
        pytest.param(UUID(ID), id="UUID"),
    ],
)
def test_ids(value: object) -> None:
    """C2: a UUID, and its usual form in either case, ask for one and the same URL."""
    assert SESSION.request(value).path == f"/extractions/sessions/{ID}"


@given(st.uuids())
def test_any_uuid(value: UUID) -> None:
    """Every UUID is an id, as itself and as its string, of whatever version."""
    assert parse_id(value, "session") == parse_id(str(value), "session") == value


NO_IDS = [
    pytest.param("", id="C1 empty"),
    pytest.param("..", id="C1 dots"),
    pytest.param("../../users", id="C1 path"),
    pytest.param("a?x", id="C1 query"),
    pytest.param(f"{ID}?x", id="C1 query after an id"),
    pytest.param(f"{ID}/..", id="C1 path after an id"),
    pytest.param("%2e%2e", id="C1 encoded dots"),
    pytest.param(f"{ID}\r\nX-Evil: 1", id="C1 CR LF"),
    pytest.param(f"{ID}\n", id="C1 LF at the end"),
    pytest.param(f"\n{ID}", id="C1 LF at the start"),
    pytest.param(f"{ID}\x00", id="C1 NUL"),
    pytest.param(ID * 250, id="C1 9 kB"),
    pytest.param("\N{FULLWIDTH DIGIT SEVEN}" + ID[1:], id="C1 full-width digit"),
    pytest.param("\N{ARABIC-INDIC DIGIT SEVEN}" + ID[1:], id="C1 Arabic digit"),
    pytest.param("\ud800" + ID[1:], id="C1 surrogate"),
    pytest.param("g" + ID[1:], id="C1 no hexadecimal digit"),
    pytest.param(f"{{{ID}}}", id="C2 braces"),
    pytest.param(f"urn:uuid:{ID}", id="C2 URN"),
    pytest.param(ID.replace("-", ""), id="C2 no hyphens"),
    pytest.param(ID.replace("-", "_"), id="C2 underscores"),
    pytest.param(f" {ID} ", id="C2 spaces"),
    pytest.param(ID[:-1], id="C1 one too short"),
    pytest.param(ID + "0", id="C1 one too long"),
    pytest.param(770, id="C1 an int"),
    pytest.param(UUID(ID).int, id="C1 the UUID's int"),
    pytest.param(None, id="C1 None"),
    pytest.param(ID.encode(), id="C1 bytes"),
    pytest.param(UUID(ID).bytes, id="C1 the UUID's bytes"),
    pytest.param([ID], id="C1 a list"),
    pytest.param(Opaque(), id="C1 any object"),
]


@pytest.mark.parametrize("value", NO_IDS)
def test_no_ids(value: object) -> None:
    """C1: what is no id is refused, as a `ValueError` of ours."""
    with pytest.raises(InvalidIdError, match=r"^not a session id: "):
        SESSION.request(value)


@pytest.mark.parametrize("value", NO_IDS)
def test_message_is_short_and_printable(value: object) -> None:
    """C1: the message shows the beginning of what was given, on one line."""
    with pytest.raises(InvalidIdError) as caught:
        parse_id(value, "session")
    assert len(str(caught.value)) < 160
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc", "'abc'"),
        ("a\r\nb", r"'a\r\nb'"),
        ("x" * 60, "'" + "x" * 59),
        (b"abc", "bytes"),
        (7, "int"),
        (None, "NoneType"),
    ],
)
def test_message(value: object, shown: str) -> None:
    """A string is shown, cut to 60 characters; of anything else only the type is told."""
    with pytest.raises(InvalidIdError) as caught:
        parse_id(value, "session")
    assert caught.value.message == (
        f"not a session id: {shown}; write a UUID like 770e8400-e29b-41d4-a716-446655440000"
    )


@given(st.text() | json_values | st.binary())
def test_anything(value: Any) -> None:
    """C1: anything that is not the string of a UUID is refused, and with no other error."""
    assume(not _is_usual(value))
    with pytest.raises(InvalidIdError):
        parse_id(value, "session")


def _is_usual(value: object) -> bool:
    try:
        return str(UUID(str(value))) == str(value).lower()
    except ValueError:
        return False


@pytest.mark.parametrize("endpoint", [SESSION_DOCUMENTS, SESSION_RESULTS, CHUNKS])
def test_the_id_of_a_list_is_its_owners(endpoint: Endpoint[Any]) -> None:
    """A list is asked for by the id of what it belongs to, which the error names."""
    with pytest.raises(InvalidIdError, match=r"^not a (session|document) id: 'x'"):
        endpoint.request("x")


@pytest.mark.parametrize("owner", [None, ID, str(UUID(int=1))])
@pytest.mark.parametrize("bare", [True, False])
def test_a_list_of_another_owner(owner: str | None, bare: bool) -> None:
    """H19: a list answers the request unless one of its items names another owner."""
    items: list[Any] = [{"id": ID}, {"id": ID, "document_id": owner}]
    chunks = converter.structure(items if bare else {"data": items}, CHUNKS.model)
    assert CHUNKS.answers(chunks, CHUNKS.request(ID)) is (owner in (None, ID))


@pytest.mark.parametrize("endpoint", [DOCUMENT_URL, FILE, EXPORT])
def test_replies_that_name_nothing(endpoint: Endpoint[Any]) -> None:
    """Of these replies none says what it is of, so that all are accepted."""
    assert endpoint.answers(object(), endpoint.request(ID)) is True


@pytest.mark.parametrize("given", [TOKEN, f"Bearer {TOKEN}", "x" * 50 + TOKEN, TOKEN * 9])
def test_a_token_in_the_place_of_an_id(given: str) -> None:
    """S3: the token is hidden before the text is cut, so that no part of it is left."""
    with pytest.raises(InvalidIdError) as caught:
        SESSION.request(given, Redactor(Secret(TOKEN)))
    assert "5ecr3t" not in caught.value.message
    assert "<hidden>"[:5] in caught.value.message


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize(("endpoint", "method"), [(CHUNKS, "get_document"), (EXPORT, "get_result")])
def test_a_refusal_of_what_may_not_be_there_yet(
    endpoint: Endpoint[Any], method: str, status: int
) -> None:
    """The message of a refusal says where the caller sees whether the processing is over."""
    message = endpoint.message_of(
        APIStatusError("HTTP 4xx: Not here.", status=status), endpoint.request(UUID(int=1))
    )
    assert message.startswith("HTTP 4xx: Not here; ")
    assert message.endswith(
        f" may not be {'over' if endpoint is CHUNKS else 'finished'}: {method} shows its status"
    )


@pytest.mark.parametrize(
    ("endpoint", "status"), [(CHUNKS, 403), (CHUNKS, 500), (CHUNKS, None), (SESSION, 404)]
)
def test_a_failure_with_another_cause(endpoint: Endpoint[Any], status: int | None) -> None:
    """Other failures, and those of what is always there, keep their message."""
    error = APIStatusError("No.", status=status)
    assert endpoint.message_of(error, endpoint.request(UUID(int=1))) == "No."


def test_a_message_that_ends_with_the_id() -> None:
    """The requested id is left out, since an error names it anyway; another id is not."""
    request = SESSION.request(UUID(int=1))
    about, other = (
        NotFoundError(f"HTTP 404: No results for [Session] {UUID(int=number)}", status=404)
        for number in (1, 2)
    )
    assert SESSION.message_of(about, request) == "HTTP 404: No results for [Session]"
    assert SESSION.message_of(other, request) == other.message
