"""The storage behind the API's signed URLs: it checks the signature, and nothing else.

It knows neither tokens nor the API's throttle, and its errors are XML, as those of Amazon S3.
"""

from xml.sax.saxutils import escape

from attrs import frozen

from raydocs_async.sandbox._faults import Kind, Plan
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._requests import Admission, ServerRequest, choose_fault
from raydocs_async.sandbox._routes import Context, Query, Resource
from raydocs_async.sandbox._stats import Stats

_ERRORS = {
    403: ("AccessDenied", "Access Denied"),
    404: ("NoSuchKey", "The specified key does not exist."),
    500: ("InternalError", "We encountered an internal error. Please try again."),
    503: ("SlowDown", "Please reduce your request rate."),
}
_TWO_MECHANISMS = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query "
    "string parameter or the Authorization header should be specified"
)


@frozen
class Storage:
    """The files of all documents. Each `now` is in seconds since the epoch."""

    context: Context
    plan: Plan
    stats: Stats

    def admit(self, request: ServerRequest, now: float) -> Admission | Reply:
        """Choose the request's fault, or return the reply that refuses the request."""
        resource = request.resource
        if resource is None:
            return _error(404)
        if request.authorization:
            return _error(400, ("InvalidArgument", _TWO_MECHANISMS))
        signer = self.context.signer
        invalid = signer.check(request.method, resource.id, request.query, now)
        if invalid is not None:
            return _error(403, invalid)
        return Admission(resource, choose_fault(request.path, resource, self.plan, self.stats))

    def respond(self, request: ServerRequest, admission: Admission, now: float) -> Reply:
        """Return the reply to an admitted request."""
        fault = admission.fault
        if fault.kind is not Kind.REPLY or (fault.code == 200 and fault.payload is None):
            reply = self._look_up(request, admission.resource, now)
        elif fault.payload is not None:
            reply = Reply(fault.code, fault.payload)
        else:
            reply = _error(fault.code)
        return reply.with_headers(dict(fault.headers))

    def _look_up(self, request: ServerRequest, resource: Resource, now: float) -> Reply:
        query = Query(resource.id, request.query, request.base_url, now)
        reply = resource.route.reply(self.context, query)
        if reply is None:
            self.stats.not_found += 1
        return reply or _error(404)


def _error(status: int, error: tuple[str, str] | None = None) -> Reply:
    """Return an error with this code and message, by default the usual ones of `status`."""
    code, message = error or _ERRORS.get(status, ("Error", f"HTTP status {status}"))
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Reply(status, (head + body).encode(), {"Content-Type": "application/xml"})
