"""What the service answers, as a function of the request and the time: no socket, no loop.

The order of things is the service's own: is there such a route, who asks, has the window a hit
left, may they ask, is there such a session. Only what gets past the throttle is counted.
"""

from typing import NamedTuple

from attrs import frozen

from raydocs_async.sandbox import _replies
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Fault, Kind, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import Throttle

NO_FAULT = Fault.latency(0)

_PREFIX = "/extractions/sessions/"
_LOGIN = "/login"


class Call(NamedTuple):
    """What the service reads of a request."""

    method: str
    path: str
    authorization: str
    accept: str

    @property
    def session_id(self) -> str:
        """The id that is asked for, well-formed or not; empty if the path is no session's."""
        session_id = self.path.removeprefix(_PREFIX)
        return session_id if session_id != self.path and "/" not in session_id else ""

    @property
    def token(self) -> str:
        """The bearer token; empty if there is none."""
        scheme, _, token = self.authorization.partition(" ")
        return token if scheme.lower() == "bearer" else ""


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
        if call.method not in {"GET", "HEAD"}:
            return _replies.wrong_method(call.method, call.path, call.accept)
        if call.token not in {self.token, self.forbidden_token}:
            self.stats.unauthorized += 1
            return _replies.unauthenticated(call.accept, _LOGIN)
        if self.throttle.refuses(now):
            self.stats.throttled += 1
            headers = self.throttle.refused_headers(now)
            return _replies.error(429, call.accept).with_headers(headers)
        return None

    def accept(self, call: Call, now: float) -> Fault:
        """Count a request, and tell what is to go wrong with it, `NO_FAULT` for nothing."""
        fault = self.plan.take(call.session_id)
        if fault is not None:
            self.stats.faults += 1
        fault = fault or NO_FAULT
        if fault.is_counted:
            self.throttle.hit(now)
            self.stats.accepted += 1
        return fault

    def reply(self, call: Call, fault: Fault, now: float) -> Reply:
        """The reply to an accepted request that is done at `now`, hits until then included."""
        reply = self._faulty(call, fault) if fault.kind is Kind.REPLY else self._right(call)
        if fault.has_rate_limit:
            reply = reply.with_headers(self.throttle.passed_headers(now))
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
        match fault.code:
            case 200:
                return self._right(call)
            case 401:
                return _replies.unauthenticated(call.accept, _LOGIN)
            case 404:
                return _replies.not_found(call.session_id, call.accept)
        return _replies.error(fault.code, call.accept)
