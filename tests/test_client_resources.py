"""Every method that fetches one resource: the same promises, a row for each method."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from attrs import frozen

from raydocs_async import (
    APIConnectionError,
    InvalidIdError,
    NotFoundError,
    RaydocsClient,
    Result,
    Session,
)
from tests.support.clients import OTHER_ID, SESSION_ID, client_for
from tests.support.wire import WireServer, reply, result_json, session_json

pytestmark = pytest.mark.usefixtures("no_task_left")


@frozen
class Method:
    """One method of the client."""

    name: str
    noun: str
    path: str
    model: type
    body: Callable[[str], bytes]

    async def __call__(self, client: RaydocsClient, given: object = SESSION_ID) -> Any:
        """Call it."""
        return await getattr(client, self.name)(given)


METHODS = [
    Method("get_session", "session", "/extractions/sessions/{id}", Session, session_json),
    Method("get_result", "result", "/extractions/results/{id}", Result, result_json),
]

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@every_method
async def test_a_resource_by_its_id(method: Method) -> None:
    """It asks for the documented path, and returns the model with the id."""
    async with (
        WireServer(reply(method.body(SESSION_ID))) as server,
        client_for(server.url) as client,
    ):
        found = await method(client)
    assert server.requests[0].target == method.path.format(id=SESSION_ID)
    assert (type(found), found.id) == (method.model, UUID(SESSION_ID))


@every_method
async def test_a_reply_about_another_id(method: Method) -> None:
    """H19: a reply about another id is never returned."""
    async with WireServer(reply(method.body(OTHER_ID))) as server, client_for(server.url) as client:
        with pytest.raises(APIConnectionError, match=f"about another {method.noun}"):
            await method(client)


@every_method
async def test_a_missing_resource(method: Method) -> None:
    """The error of a 404 has the noun and the id."""
    answer = reply(b"{}", status=f"{HTTPStatus.NOT_FOUND} Not Found")
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(NotFoundError, match=f"{method.noun} {SESSION_ID}") as caught:
            await method(client)
    assert (caught.value.resource, caught.value.resource_id) == (method.noun, SESSION_ID)


@every_method
async def test_an_invalid_id(method: Method) -> None:
    """An invalid id is refused with the noun, and nothing is sent."""
    async with client_for("http://127.0.0.1:1") as client:
        with pytest.raises(InvalidIdError, match=f"not a {method.noun} id: 'x'"):
            await method(client, "x")
