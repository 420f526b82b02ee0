"""The application behind the sandbox: replies as a function of the request and the time.

The order of the steps is the framework's own: routing, authentication, throttle, authorization,
look-up. Only a request that passes the throttle is counted, in the window of its peer's address.
"""

from attrs import field, frozen

from raydocs_async.sandbox import _replies
from raydocs_async.sandbox._faults import Fault, Kind, Origin, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._requests import Admission, ServerRequest, choose_fault
from raydocs_async.sandbox._routes import Context, Query, Resource
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import Throttle

_LOGIN = "/login"


@frozen
class Application:
    """The application behind one address. Each `now` is in seconds since the epoch."""

    throttle: Throttle
    context: Context
    plan: Plan
    stats: Stats
    token: str = field(repr=False)
    forbidden_token: str = field(repr=False)

    def admit(self, request: ServerRequest, now: float) -> Admission | Reply:
        """Count a request and choose its fault, or return the reply that ends it before that."""
        resource = request.resource
        if resource is None:
            return _replies.no_route(request.path, request.accept)
        return self._refuse(request, now) or self._count(request, resource, now)

    def _refuse(self, request: ServerRequest, now: float) -> Reply | None:
        """Return the reply to a request that costs no hit; ``None`` if it passes the throttle."""
        if request.method == "OPTIONS":
            return _replies.options()
        if request.method not in {"GET", "HEAD"}:
            return _replies.wrong_method(request.method, request.path, request.accept)
        # Before the throttle: a 401 costs no hit, and is never a 429.
        if request.token not in {self.token, self.forbidden_token}:
            self.stats.unauthorized += 1
            return _replies.unauthenticated(request.accept, request.base_url + _LOGIN)
        if self.throttle.refuses(now, request.peer):
            self.stats.throttled += 1
            headers = self.throttle.refused_headers(now, request.peer)
            return _replies.error(429, request.accept).with_headers(headers)
        return None

    def _count(self, request: ServerRequest, resource: Resource, now: float) -> Admission:
        # Chosen at arrival: with a latency, replies are made in another order than requests arrive.
        fault = choose_fault(request.path, resource, self.plan, self.stats)
        if not fault.is_counted:
            return Admission(resource, fault)
        self.stats.accepted += 1
        return Admission(resource, fault, self.throttle.hit(now, request.peer))

    def respond(self, request: ServerRequest, admission: Admission, now: float) -> Reply:
        """Return the reply to an admitted request, finished at `now`.

        Its rate-limit headers include the hits that other requests made in the meantime.
        """
        resource, fault, hits = admission
        if fault.kind is Kind.REPLY:
            reply = self._fail(request, resource, fault, now)
        else:
            reply = self._look_up(request, resource, now)
        if fault.has_rate_limit:
            headers = self.throttle.passed_headers(now, request.peer, counted=hits)
            reply = reply.with_headers(headers)
        # Last, because a fault may replace the rate-limit headers by wrong ones.
        return reply.with_headers(dict(fault.headers))

    def _look_up(self, request: ServerRequest, resource: Resource, now: float) -> Reply:
        if request.token == self.forbidden_token:
            return _replies.error(403, request.accept)
        query = Query(resource.id, request.query, request.base_url, now)
        reply = resource.route.reply(self.context, query)
        if reply is None:
            self.stats.not_found += 1
            return _replies.not_found(resource.route.owner, resource.id, request.accept)
        return reply

    def _fail(self, request: ServerRequest, resource: Resource, fault: Fault, now: float) -> Reply:
        """Return the fault's own body, or else the body that the server sends with its status."""
        if fault.payload is not None:
            return Reply(fault.code, fault.payload)
        if fault.origin is Origin.GATEWAY:
            return _replies.gateway_error(fault.code)
        owner, accept = resource.route.owner, request.accept
        match fault.code:
            case 200:
                return self._look_up(request, resource, now)
            case 401:
                return _replies.unauthenticated(accept, request.base_url + _LOGIN)
            case 404:
                return _replies.not_found(owner, resource.id, accept)
            case 422:
                return _replies.unprocessable(owner, accept)
        return _replies.error(fault.code, accept)
