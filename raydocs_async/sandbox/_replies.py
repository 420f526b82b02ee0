"""The replies that are no session, as values: the framework's errors and the gateway's.

The framework answers in JSON only where the *first* type in ``Accept`` is JSON. Anything else,
``*/*`` included, is a browser to it: errors become pages, and a missing login a redirect.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

import msgspec

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
REDIRECT_HTML = "text/html; charset=utf-8"
"""The framework spells it so for a redirect alone."""

_MESSAGES = {
    400: "Bad Request",
    401: "Unauthenticated.",
    403: "This action is unauthorized.",
    422: "The session id field must be a valid UUID.",
    429: "Too Many Attempts.",
    500: "Server Error",
    502: "Internal server error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}


class Reply(NamedTuple):
    """What is to be sent, before the headers that every reply has."""

    status: int
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({"Content-Type": JSON})

    def with_headers(self, headers: Mapping[str, str]) -> "Reply":
        """The same with more headers; those that it has by then are replaced, in any case."""
        if not headers:
            return self
        replaced = {name.lower() for name in headers}
        kept = {name: self.headers[name] for name in self.headers if name.lower() not in replaced}
        return self._replace(headers={**kept, **headers})


def wants_json(accept: str) -> bool:
    """Whether the framework would answer in JSON to this ``Accept`` header."""
    first = accept.partition(",")[0].partition(";")[0].strip().lower()
    return first.endswith(("/json", "+json"))


def error(status: int, accept: str, message: str | None = None) -> Reply:
    """The framework's error, to a client that accepts `accept`.

    A `message` of ``None`` is the usual one of `status`.
    """
    if not wants_json(accept):
        return Reply(status, _page(status), {"Content-Type": HTML})
    body: dict[str, object] = {"message": message or _MESSAGES.get(status, _phrase(status))}
    if status == 422:
        body["errors"] = {"sessionId": [body["message"]]}
    return Reply(status, msgspec.json.encode(body))


def gateway_error(status: int) -> Reply:
    """The error of the gateway in front, which is JSON to every client."""
    return error(status, JSON)


def not_found(session_id: str, accept: str) -> Reply:
    """The 404 for a session that does not exist, or that the token may not see."""
    model = "App\\Models\\ExtractionSession"
    return error(404, accept, f"No query results for model [{model}] {session_id}")


def no_route(path: str, accept: str) -> Reply:
    """The 404 for a path that is no endpoint."""
    return error(404, accept, f"The route {path.lstrip('/')} could not be found.")


def wrong_method(method: str, path: str, accept: str) -> Reply:
    """The 405 for a method that the endpoint does not have."""
    unsupported = f"The {method} method is not supported for route {path.lstrip('/')}."
    return error(405, accept, f"{unsupported} Supported methods: GET, HEAD.").with_headers(
        {"Allow": "GET, HEAD"}
    )


def options() -> Reply:
    """The reply to OPTIONS, which the framework makes by itself."""
    return Reply(200, b"", {"Content-Type": HTML, "Allow": "GET,HEAD"})


def unauthenticated(accept: str, login: str) -> Reply:
    """The 401 for a missing or wrong token; for a browser, a redirect to the URL `login`."""
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
