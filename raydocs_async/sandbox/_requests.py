"""Values of a request on its way through the sandbox."""

from typing import NamedTuple

from attrs import Factory, field, frozen

from raydocs_async.sandbox._faults import NO_FAULT, Fault, Plan
from raydocs_async.sandbox._routes import Resource, find_resource
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import PEER


@frozen
class ServerRequest:
    """The parts of an HTTP request that decide on its reply."""

    method: str
    path: str
    """The decoded path, without the query."""
    authorization: str = field(repr=False)
    accept: str
    peer: str = PEER
    """The address that the request comes from."""
    base_url: str = ""
    """The URL under which the client reached the server."""
    query: str = field(default="", repr=False)
    """The query of the URL, without its question mark."""
    # Found once: admission, reply and log entry need it.
    resource: Resource | None = field(
        init=False,
        default=Factory(lambda self: find_resource(self.path), takes_self=True),
    )
    """The resource that the path names; ``None`` if the path belongs to no route."""

    @property
    def token(self) -> str:
        """The bearer token; empty if there is none."""
        scheme, _, token = self.authorization.partition(" ")
        return token if scheme.lower() == "bearer" else ""


class Admission(NamedTuple):
    """The decision on a request that is to be answered: its resource, and its fault."""

    resource: Resource
    fault: Fault
    """The fault that hits the request; `NO_FAULT` if none does."""
    hits: int | None = None
    """The hits of the request's window, its own included; ``None`` if it was not counted."""


def choose_fault(path: str, resource: Resource, plan: Plan, stats: Stats) -> Fault:
    """Take the fault that hits a request from the plan, and count it.

    Args:
        path: The requested path.
        resource: The requested resource.
        plan: The faults to come.
        stats: The counters.
    """
    fault = plan.take(resource.id, path)
    if fault is None:
        return NO_FAULT
    stats.faults += 1
    return fault
