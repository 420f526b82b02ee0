"""The result of one call: the model or the error of the right type."""

from uuid import UUID

import pytest

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RaydocsClient,
    RaydocsError,
    UnprocessableEntityError,
)
from raydocs_async.sandbox import Fault, Sandbox
from tests.support.calls import sandbox_client
from tests.support.clients import ONCE, SESSION_ID, TOKEN, client_for
from tests.support.replies import reply
from tests.support.wire import End, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_success() -> None:
    """A call returns the session that the server has."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        (session_id,) = sandbox.ids(1)
        session = await client.get_session(session_id)
        expected = sandbox.session(session_id)
    assert session.id == UUID(session_id)
    assert session.name == expected["name"]
    assert len(session.documents) == len(expected["documents"])


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (Fault.status(400), "BadRequestError", "Bad Request"),
        (Fault.status(401), "AuthenticationError", "Unauthenticated"),
        (Fault.status(403), "PermissionDeniedError", "unauthorized"),
        (Fault.status(404), "NotFoundError", "No query results"),
        (Fault.status(418), "APIStatusError", "HTTP 418"),
        (Fault.status(422), "UnprocessableEntityError", "must be a valid UUID"),
        (Fault.status(500), "InternalServerError", "Server Error"),
        (Fault.status(502), "InternalServerError", "Internal server error"),
        (Fault.status(503), "InternalServerError", "Service Unavailable"),
        (Fault.body(b"[]"), "APIResponseValidationError", "not as documented"),
        (Fault.cut(), "APIConnectionError", "cut short"),
        (Fault.reset(), "APIConnectionError", "lost"),
    ],
    ids=str,
)
async def test_each_error_has_its_type(fault: Fault, error: str, says: str) -> None:
    """Each error reply is an error of its own type, with the service's message."""
    async with Sandbox() as sandbox, sandbox_client(sandbox, retry=ONCE) as client:
        sandbox.script(fault)
        with pytest.raises(RaydocsError, match=says) as caught:
            await client.get_session(sandbox.ids(1)[0])
    assert type(caught.value).__name__ == error
    assert caught.value.resource_id == sandbox.ids(1)[0]
    assert len(caught.value.attempts) == 1


async def test_a_wrong_token() -> None:
    """An unknown token is an AuthenticationError, which says what to do."""
    async with Sandbox() as sandbox, sandbox_client(sandbox, token="wrong") as client:
        with pytest.raises(AuthenticationError, match="Check the token"):
            await client.get_session(sandbox.ids(1)[0])
    assert sandbox.stats.requests == 1


async def test_a_token_without_the_ability() -> None:
    """A token without the ability is a PermissionDeniedError, which names the ability."""
    async with (
        Sandbox() as sandbox,
        sandbox_client(sandbox, token=sandbox.forbidden_token) as client,
    ):
        with pytest.raises(PermissionDeniedError, match="sessions-read"):
            await client.get_session(sandbox.ids(1)[0])


async def test_an_unknown_session() -> None:
    """A session that does not exist is a NotFoundError, which names it."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        with pytest.raises(NotFoundError, match=SESSION_ID) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.request_id == "sandbox-1"
    assert "No query results" in caught.value.body_excerpt


async def test_an_invalid_session_keeps_its_payload() -> None:
    """The error of an invalid 200 has status and payload, and does not print the payload."""
    answer = reply(b'{"id": "secret data"}', headers={"X-Request-Id": "r-1"})
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIResponseValidationError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.payload == b'{"id": "secret data"}'
    assert (caught.value.status, caught.value.request_id) == (200, "r-1")
    assert "secret data" not in str(caught.value)


async def test_the_error_has_no_chain() -> None:
    """An error has no exception of the HTTP library as its cause or context."""
    async with WireServer((End.RESET,)) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_unprocessable_keeps_what_the_service_said() -> None:
    """The error of a 422 has the beginning of the body, which names the invalid fields."""
    async with Sandbox() as sandbox, sandbox_client(sandbox) as client:
        sandbox.script(Fault.status(422))
        with pytest.raises(UnprocessableEntityError) as caught:
            await client.get_session(sandbox.ids(1)[0])
    assert "sessionId" in caught.value.body_excerpt


def test_the_test_token_is_visible_ascii() -> None:
    """The token of these tests is valid for a client."""
    assert repr(RaydocsClient(TOKEN)) == "<RaydocsClient for https://api.raydocs.com, open>"
