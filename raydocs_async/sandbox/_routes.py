"""The API's routes, as a table, and the search for the resource that a path names.

A new endpoint is one row of `ROUTES`, and one function that makes its body.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from attrs import frozen

from raydocs_async.sandbox._catalog import Catalog


@frozen
class Route:
    """One path of the API, with an id in it."""

    noun: str
    """The kind of resource that the id belongs to, such as ``session``."""
    path: str
    """The path, with ``{id}`` in the id's place."""
    body: Callable[[Catalog, str], bytes | None]
    """Returns the JSON body for an id, or ``None`` if no resource has this id."""


class Resource(NamedTuple):
    """The resource that a request's path names; it need not exist."""

    route: Route
    id: str
    """The id as it was requested, well-formed or not."""


ROUTES = (
    Route("session", "/extractions/sessions/{id}", Catalog.session),
    Route("result", "/extractions/results/{id}", Catalog.result),
)


def _pattern(path: str) -> str:
    return re.escape(path).replace(r"\{id\}", "([^/]+)")


# One expression for all routes, because the sandbox has to be cheap beside the client that it
# tests. Each route has one group, so the number of the group that matched is the route's place.
_match_any = re.compile("|".join(_pattern(route.path) for route in ROUTES)).fullmatch


def find_resource(path: str) -> Resource | None:
    """Return the resource that `path` names, or ``None`` if no route has this form.

    The framework ignores slashes at the end of a path.
    """
    match = _match_any(path.rstrip("/"))
    if match is None or match.lastindex is None:
        return None
    return Resource(ROUTES[match.lastindex - 1], match[match.lastindex])
