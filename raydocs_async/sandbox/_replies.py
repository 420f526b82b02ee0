"""Replies as values: the framework's errors and the gateway's.

The framework answers in JSON only if the *first* type in ``Accept`` is JSON. It takes every other
client, also one with ``*/*``, for a browser: errors become pages, and a missing login a redirect.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

import msgspec

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
REDIRECT_HTML = "text/html; charset=utf-8"
"""The framework's spelling in redirects alone."""

_MESSAGES = {
    400: "Bad Request",
    401: "Unauthenticated.",
    403: "This action is unauthorized.",
    429: "Too Many Attempts.",
    500: "Server Error",
    502: "Internal server error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}


class Reply(NamedTuple):
    """A reply without the headers that every reply has."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({"Content-Type": JSON})

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """Return a copy with more headers; they replace headers of the same name in any case."""
        if not headers:
            return self
        # A dictionary would keep both `Retry-After` and `retry-after`, and send the header twice.
        replaced = {name.lower() for name in headers}
        kept = {name: self.headers[name] for name in self.headers if name.lower() not in replaced}
        return self._replace(headers={**kept, **headers})


def wants_json(accept: str) -> bool:
    """Return true if the framework answers this ``Accept`` header in JSON."""
    first = accept.partition(",")[0].partition(";")[0].strip().lower()
    return first.endswith(("/json", "+json"))


def error(status: int, accept: str, message: str | None = None) -> Reply:
    """Return the framework's error.

    Args:
        status: The status, 400 or higher.
        accept: The request's ``Accept`` header.
        message: The message in the JSON body; by default the framework's own for `status`.
    """
    return _error(status, accept, {"message": message or _MESSAGES.get(status, _phrase(status))})


def _error(status: int, accept: str, body: Mapping[str, object]) -> Reply:
    if not wants_json(accept):
        return Reply(status, _page(status), {"Content-Type": HTML})
    return Reply(status, msgspec.json.encode(body))


def gateway_error(status: int) -> Reply:
    """Return the error of the gateway in front, which answers every client in JSON."""
    return error(status, JSON)


def not_found(noun: str, resource_id: str, accept: str) -> Reply:
    """Return the 404 for a resource that does not exist, or that the token may not see."""
    model = f"App\\Models\\Extraction{noun.capitalize()}"
    return error(404, accept, f"No query results for model [{model}] {resource_id}")


def unprocessable(noun: str, accept: str) -> Reply:
    """Return the 422 for an id that fails the framework's validation."""
    message = f"The {noun} id field must be a valid UUID."
    return _error(422, accept, {"message": message, "errors": {f"{noun}Id": [message]}})


def no_route(path: str, accept: str) -> Reply:
    """Return the 404 for a path that belongs to no route."""
    return error(404, accept, f"The route {path.lstrip('/')} could not be found.")


def wrong_method(method: str, path: str, accept: str) -> Reply:
    """Return the 405 for a method that the route does not support."""
    unsupported = f"The {method} method is not supported for route {path.lstrip('/')}."
    return error(405, accept, f"{unsupported} Supported methods: GET, HEAD.").with_headers(
        {"Allow": "GET, HEAD"}
    )


def options() -> Reply:
    """Return the reply to OPTIONS, which the framework makes without the application."""
    return Reply(200, b"", {"Content-Type": HTML, "Allow": "GET,HEAD"})


def unauthenticated(accept: str, login: str) -> Reply:
    """Return the 401 for a missing or invalid token; a browser is redirected to `login`."""
    if wants_json(accept):
        return error(401, accept)
    page = f'<!DOCTYPE html>\n<title>Redirecting</title>\n<a href="{login}">{login}</a>\n'
    return Reply(302, page.encode(), {"Content-Type": REDIRECT_HTML, "Location": login})


def _page(status: int) -> bytes:
    phrase = _phrase(status)
    return f"<!DOCTYPE html>\n<title>{phrase}</title>\n<h1>{status} | {phrase}</h1>\n".encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Status"
