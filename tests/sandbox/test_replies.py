"""The framework's and the gateway's error replies."""

import json
from typing import Any

import pytest

from raydocs_async.sandbox import _replies
from raydocs_async.sandbox._replies import HTML, JSON, Reply


def body(reply: Reply) -> Any:
    """The JSON of a reply, which has to say that it is JSON."""
    assert reply.headers["Content-Type"] == JSON
    return json.loads(reply.body)


@pytest.mark.parametrize(
    "accept",
    [
        JSON,
        "application/json, */*",
        "application/json;q=0.9",
        "APPLICATION/JSON",
        "application/problem+json",
    ],
)
def test_wants_json(accept: str) -> None:
    """JSON comes where it is the first type that is accepted."""
    assert _replies.wants_json(accept)


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "*/*, application/json", "application/*"]
)
def test_wants_no_json(accept: str) -> None:
    """Anything else is a browser, JSON in the second place included."""
    assert not _replies.wants_json(accept)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Unauthenticated."),
        (403, "This action is unauthorized."),
        (429, "Too Many Attempts."),
        (500, "Server Error"),
        (503, "Service Unavailable"),
        (418, "I'm a Teapot"),
        (599, "Unknown Status"),
    ],
)
def test_error(status: int, message: str) -> None:
    """An error is an object with a message, that of the framework where it has one."""
    reply = _replies.error(status, JSON)
    assert reply.status == status
    assert body(reply) == {"message": message}


def test_validation_error() -> None:
    """A 422 names the invalid field, after the resource."""
    message = "The result id field must be a valid UUID."
    assert body(_replies.unprocessable("result", JSON)) == {
        "message": message,
        "errors": {"resultId": [message]},
    }


@pytest.mark.parametrize("status", [403, 404, 429, 500, 502, 503])
def test_error_page(status: int) -> None:
    """A browser gets the framework's errors as a page."""
    reply = _replies.error(status, "*/*")
    assert reply.headers["Content-Type"] == HTML
    assert f"<h1>{status} | ".encode() in reply.body


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_error(status: int) -> None:
    """The gateway's error is an object with a message."""
    reply = _replies.gateway_error(status)
    assert reply.status == status
    assert list(body(reply)) == ["message"]


def test_not_found() -> None:
    """A 404 names the resource's model and the id."""
    reply = _replies.not_found("result", "some-id", JSON)
    assert reply.status == 404
    assert body(reply) == {
        "message": "No query results for model [App\\Models\\ExtractionResult] some-id"
    }


def test_no_route() -> None:
    """A path that is no endpoint is a 404 of another kind."""
    reply = _replies.no_route("/some/path", JSON)
    assert reply.status == 404
    assert body(reply) == {"message": "The route some/path could not be found."}


def test_wrong_method() -> None:
    """A 405 tells the methods that there are, in words and in its header."""
    reply = _replies.wrong_method("POST", "/some/path", JSON)
    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, HEAD"
    assert "The POST method is not supported for route some/path." in body(reply)["message"]


def test_unauthenticated() -> None:
    """A missing login is a 401."""
    reply = _replies.unauthenticated(JSON, "/login")
    assert reply.status == 401
    assert body(reply) == {"message": "Unauthenticated."}


def test_unauthenticated_browser() -> None:
    """A browser is sent to the login page instead."""
    reply = _replies.unauthenticated("*/*", "/login")
    assert (reply.status, reply.headers["Location"]) == (302, "/login")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"


def test_with_headers() -> None:
    """Headers are added to those that are there, and replace them in any letter case."""
    reply = Reply(200, b"", {"Content-Type": JSON, "Allow": "GET"})
    replaced = reply.with_headers({"content-type": "text/plain", "X-New": "1"})
    assert replaced.headers == {"Allow": "GET", "content-type": "text/plain", "X-New": "1"}
    assert reply.headers == {"Content-Type": JSON, "Allow": "GET"}


def test_with_no_headers() -> None:
    """Nothing added is nothing changed."""
    reply = Reply(200, b"")
    assert reply.with_headers({}) is reply
