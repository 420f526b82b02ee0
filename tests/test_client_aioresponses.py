"""A client whose network aioresponses replaces, as in a user's own tests."""

from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RaydocsClient,
    RaydocsError,
    UnprocessableEntityError,
)
from tests.support.clients import ONCE, SESSION_ID, THRICE, TOKEN
from tests.support.replies import session_json

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


class PatchedResponse(aiohttp.ClientResponse):
    """A response for aioresponses 0.7.9, which lacks an argument that aiohttp 3.14 requires."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": Mock(), **kwargs})


URL = f"https://api.raydocs.com/extractions/sessions/{SESSION_ID}"


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"{}", APIResponseValidationError),
        (200, b"<html>", APIResponseValidationError),
        (204, b"", APIStatusError),
        (301, b"", APIStatusError),
        (400, b"", BadRequestError),
        (401, b'{"message": "Unauthenticated."}', AuthenticationError),
        (403, b'{"message": "This action is unauthorized."}', PermissionDeniedError),
        (404, b'{"message": "No query results"}', NotFoundError),
        (409, b"", APIStatusError),
        (422, b'{"message": "Invalid.", "errors": {}}', UnprocessableEntityError),
        (500, b'{"message": "Server Error"}', InternalServerError),
        (503, b"", InternalServerError),
    ],
)
async def test_status_to_error(status: int, body: bytes, error: type[RaydocsError]) -> None:
    """Each status is raised as its error, with aioresponses, too."""
    with aioresponses() as mocked:
        mocked.get(URL, status=status, body=body, repeat=True, response_class=PatchedResponse)
        async with RaydocsClient(TOKEN, retry=THRICE) as client:
            with pytest.raises(error) as caught:
                await client.get_session(SESSION_ID)
    assert type(caught.value) is error
    assert caught.value.status == status


async def test_a_session_by_aioresponses() -> None:
    """A 200 is returned as a session."""
    with aioresponses() as mocked:
        mocked.get(URL, body=session_json(SESSION_ID), response_class=PatchedResponse)
        async with RaydocsClient(TOKEN) as client:
            assert (await client.get_session(SESSION_ID)).name == "Invoices"


@pytest.mark.parametrize(
    ("exception", "error"),
    [
        (aiohttp.ClientPayloadError(), APIConnectionError),
        (aiohttp.ServerTimeoutError(), APITimeoutError),
        (TimeoutError(), APITimeoutError),
        (aiohttp.InvalidURL("/"), ConfigurationError),
    ],
    ids=repr,
)
async def test_exception_to_error(exception: Exception, error: type[RaydocsError]) -> None:
    """Each exception of aiohttp is raised as its error."""
    with aioresponses() as mocked:
        mocked.get(URL, exception=exception)
        async with RaydocsClient(TOKEN, retry=ONCE) as client:
            with pytest.raises(RaydocsError) as caught:
                await client.get_session(SESSION_ID)
    assert type(caught.value) is error


async def test_a_throttled_reply_by_aioresponses() -> None:
    """A 429 for a day is refused at once."""
    with aioresponses() as mocked:
        headers = {"Retry-After": "86400"}
        mocked.get(URL, status=429, headers=headers, response_class=PatchedResponse)
        async with RaydocsClient(TOKEN) as client:
            with pytest.raises(RateLimitError):
                await client.get_session(SESSION_ID)
