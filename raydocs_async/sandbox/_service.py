"""What the service answers, as a function of the request and the time: no socket, no loop.

The order of things is the service's own: is there such a route, who asks, has the window a hit
left, may they ask, is there such a session. Only what gets past the throttle is counted, in the
window of the peer's address.
"""

from typing import NamedTuple

from attrs import frozen

from raydocs_async.sandbox import _replies
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Fault, Kind, Origin, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import PEER, Throttle

NO_FAULT = Fault.latency(0)

_PREFIX = "/extractions/sessions/"
_LOGIN = "/login"


class Call(NamedTuple):
    """What the service reads of a request."""

    method: str
    path: str
    authorization: str
    accept: str
    peer: str = PEER
    """The address that it comes from."""
    host: str = ""

    @property
    def session_id(self) -> str:
        """The id that is asked for, well-formed or not; empty if the path is no session's.

        The framework drops slashes at the end of a path.
        """
        path = self.path.rstrip("/")
        session_id = path.removeprefix(_PREFIX)
        return session_id if session_id != path and "/" not in session_id else ""

    @property
    def login(self) -> str:
        """The URL of the login page."""
        return f"http://{self.host}{_LOGIN}"

    @property
    def token(self) -> str:
        """The bearer token; empty if there is none."""
        scheme, _, token = self.authorization.partition(" ")
        return token if scheme.lower() == "bearer" else ""


class Accepted(NamedTuple):
    """A request that got past the throttle."""

    fault: Fault
    """What is to go wrong with it, `NO_FAULT` for nothing."""
    hits: int | None
    """The hits of its window, its own included; ``None`` if it was not counted."""


NOTHING_WRONG = Accepted(NO_FAULT, None)


@frozen
class Service:
    """The service behind one address. Each `now` is in seconds since the epoch."""

    throttle: Throttle
    catalog: Catalog
    plan: Plan
    stats: Stats
    token: str
    forbidden_token: str

    def refuse(self, call: Call, now: float) -> Reply | None:
        """The reply to a request that costs no hit; ``None`` if it is to be accepted."""
        if not call.session_id:
            return _replies.no_route(call.path, call.accept)
        if call.method == "OPTIONS":
            return _replies.options()
        if call.method not in {"GET", "HEAD"}:
            return _replies.wrong_method(call.method, call.path, call.accept)
        if call.token not in {self.token, self.forbidden_token}:
            self.stats.unauthorized += 1
            return _replies.unauthenticated(call.accept, call.login)
        if self.throttle.refuses(now, call.peer):
            self.stats.throttled += 1
            headers = self.throttle.refused_headers(now, call.peer)
            return _replies.error(429, call.accept).with_headers(headers)
        return None

    def accept(self, call: Call, now: float) -> Accepted:
        """Count a request, and decide what is to go wrong with it."""
        fault = self.plan.take(call.session_id)
        if fault is not None:
            self.stats.faults += 1
        fault = fault or NO_FAULT
        if not fault.is_counted:
            return Accepted(fault, None)
        self.stats.accepted += 1
        return Accepted(fault, self.throttle.hit(now, call.peer))

    def reply(self, call: Call, accepted: Accepted, now: float) -> Reply:
        """The reply to an accepted request that is done at `now`, hits until then included."""
        fault = accepted.fault
        reply = self._faulty(call, fault) if fault.kind is Kind.REPLY else self._right(call)
        if fault.has_rate_limit:
            headers = self.throttle.passed_headers(now, call.peer, counted=accepted.hits)
            reply = reply.with_headers(headers)
        return reply.with_headers(dict(fault.headers))

    def _right(self, call: Call) -> Reply:
        if call.token == self.forbidden_token:
            return _replies.error(403, call.accept)
        body = self.catalog.body(call.session_id)
        if body is None:
            self.stats.not_found += 1
            return _replies.not_found(call.session_id, call.accept)
        return Reply(200, body)

    def _faulty(self, call: Call, fault: Fault) -> Reply:
        """What the fault says, and where it says nothing, what goes with its status."""
        if fault.payload is not None:
            return Reply(fault.code, fault.payload)
        if fault.origin is Origin.GATEWAY:
            return _replies.gateway_error(fault.code)
        match fault.code:
            case 200:
                return self._right(call)
            case 401:
                return _replies.unauthenticated(call.accept, call.login)
            case 404:
                return _replies.not_found(call.session_id, call.accept)
        return _replies.error(fault.code, call.accept)
