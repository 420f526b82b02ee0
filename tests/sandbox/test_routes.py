"""The table of routes, and the search in it."""

import pytest

from raydocs_async.sandbox._routes import ROUTES, Resource, Route, find_resource

SESSION = ROUTES[0]
PATH = "/extractions/sessions/"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_each_route_is_found(route: Route) -> None:
    """A path with any id in it leads to its route and to the id."""
    assert find_resource(route.path.format(id="Some Id")) == Resource(route, "Some Id")


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_slashes_at_the_end(slashes: str) -> None:
    """Slashes at the end of a path do not matter."""
    assert find_resource(f"{PATH}some-id{slashes}") == Resource(SESSION, "some-id")


@pytest.mark.parametrize(
    "path", ["", "/", PATH, f"{PATH}a/b", f"/x{PATH}a", f"{PATH}a?page=2/b", "/extractions/other/a"]
)
def test_no_route(path: str) -> None:
    """A path of another form belongs to no route."""
    assert find_resource(path) is None
