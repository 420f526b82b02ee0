"""The application's replies, without a network."""

import json
from typing import Any

import pytest

from raydocs_async.sandbox import Fault, Throttle
from raydocs_async.sandbox._application import Application
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import NO_FAULT, Plan
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._replies import HTML, JSON, Reply
from raydocs_async.sandbox._requests import Admission, ServerRequest
from raydocs_async.sandbox._routes import Context
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._sessions import build_session
from raydocs_async.sandbox._signing import Signer
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._throttle import PEER

NOW = 1_700_000_000.0
PATH = "/extractions/sessions/"
KNOWN = session_id(0)
CONTEXT = Context(Catalog(1, Schedule()), Signer(b"key"), "newest", 15)


def request(
    target: str = KNOWN,
    token: str = "good",
    method: str = "GET",
    accept: str = JSON,
    peer: str = PEER,
) -> ServerRequest:
    """A request for the session `target`."""
    return ServerRequest(method, PATH + target, f"Bearer {token}", accept, peer)


def refused(app: Application, rejected: ServerRequest) -> Reply:
    """The reply to a request that does not pass the throttle."""
    reply = app.admit(rejected, NOW)
    assert isinstance(reply, Reply)
    return reply


def admitted(app: Application, accepted: ServerRequest) -> Admission:
    """The admission of a request that passes the throttle."""
    admission = app.admit(accepted, NOW)
    assert isinstance(admission, Admission)
    return admission


def answer(app: Application, accepted: ServerRequest) -> Reply:
    """The reply to a request that passes the throttle."""
    return app.respond(accepted, admitted(app, accepted), NOW)


def answer_hit_by(app: Application, fault: Fault, accepted: ServerRequest | None = None) -> Reply:
    """The reply to a counted request that `fault` hits."""
    hit = accepted or request()
    assert hit.resource
    return app.respond(hit, Admission(hit.resource, fault, 1), NOW)


def message(reply: Reply) -> Any:
    """The words of an error."""
    return json.loads(reply.body)["message"]


@pytest.fixture
def app() -> Application:
    """An application with one session, and two hits a window."""
    return Application(Throttle(2), CONTEXT, Plan(), Stats(), "good", "forbidden")


def test_good_request_is_not_refused(app: Application) -> None:
    """Where all is well the request goes on."""
    assert admitted(app, request())


def test_head(app: Application) -> None:
    """HEAD is allowed where GET is."""
    assert admitted(app, request(method="HEAD"))


@pytest.mark.parametrize(
    ("rejected", "status"),
    [
        (request("a/b"), 404),
        (request(method="POST"), 405),
        (request(token="bad"), 401),
        (request(token=""), 401),
    ],
)
def test_refused_before_the_throttle(
    app: Application, rejected: ServerRequest, status: int
) -> None:
    """Without a route or a token there is neither a hit nor a rate-limit header."""
    reply = refused(app, rejected)
    assert reply.status == status
    assert not [name for name in reply.headers if name.startswith("X-RateLimit")]
    assert app.throttle.hits(NOW) == 0


def test_unauthorized_is_counted(app: Application) -> None:
    """A redirect to the login page is as unauthorized as a 401."""
    replies = [refused(app, request(token="bad", accept=accept)) for accept in (JSON, "*/*")]
    assert [reply.status for reply in replies] == [401, 302]
    assert app.stats.unauthorized == 2


def test_token_goes_before_the_throttle(app: Application) -> None:
    """Over the limit, a wrong token is still a 401."""
    app.throttle.limit = 1
    app.throttle.hit(NOW)
    assert message(refused(app, request(token="bad"))) == "Unauthenticated."


def test_throttled(app: Application) -> None:
    """Over the limit, a good request is a 429 with all four headers, and is counted as that."""
    for _ in range(2):
        admitted(app, request())
    reply = refused(app, request())
    assert message(reply) == "Too Many Attempts."
    assert reply.headers == {"Content-Type": JSON, **app.throttle.refused_headers(NOW)}
    assert (app.stats.accepted, app.stats.throttled) == (2, 1)


def test_session(app: Application) -> None:
    """A session comes with the state of the rate limit."""
    reply = answer(app, request())
    assert json.loads(reply.body) == build_session(KNOWN)
    assert reply.headers == {"Content-Type": JSON, **app.throttle.passed_headers(NOW)}


@pytest.mark.parametrize("accept", ["*/*", ""])
def test_session_is_always_json(app: Application, accept: str) -> None:
    """A browser gets a session as JSON too."""
    reply = answer(app, request(accept=accept))
    assert reply.headers["Content-Type"] == JSON


@pytest.mark.parametrize(
    ("failing", "status"), [(request("nonsense"), 404), (request(token="forbidden"), 403)]
)
def test_failure_costs_a_hit(app: Application, failing: ServerRequest, status: int) -> None:
    """A 403 and a 404 are accepted requests like any other, with their headers."""
    reply = answer(app, failing)
    assert reply.status == status
    assert reply.headers["X-RateLimit-Remaining"] == "1"


def test_not_found_is_counted(app: Application) -> None:
    """A 404 for an id is counted; one that a forbidden token asked for is not known to be one."""
    answer(app, request("nonsense"))
    answer(app, request("nonsense", token="forbidden"))
    assert app.stats.not_found == 1


def test_fault_is_counted(app: Application) -> None:
    """A fault costs a hit, and is among the faults."""
    app.plan.script([Fault.status(500)])
    assert admitted(app, request())[1:] == (Fault.status(500), 1)
    assert admitted(app, request())[1:] == (NO_FAULT, 2)
    assert (app.stats.accepted, app.stats.faults) == (2, 1)


@pytest.mark.parametrize("status", [401, 429])
def test_scripted_refusal_is_free(app: Application, status: int) -> None:
    """A scripted refusal costs no hit, as a real one would not."""
    app.plan.script([Fault.status(status)])
    admitted(app, request())
    assert app.throttle.hits(NOW) == app.stats.accepted == app.stats.throttled == 0
    assert app.stats.faults == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "Unauthenticated."),
        (404, f"No query results for model [App\\Models\\ExtractionSession] {KNOWN}"),
        (422, "The session id field must be a valid UUID."),
        (500, "Server Error"),
    ],
)
def test_faulty_status(app: Application, status: int, expected: str) -> None:
    """A scripted status comes with the body that the framework gives it."""
    reply = answer_hit_by(app, Fault.status(status))
    assert reply.status == status
    assert message(reply) == expected


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(401, retry_after=7),
        Fault.status(429, retry_after=7),
        Fault.maintenance(retry_after=7),
        Fault.gateway(502, retry_after=7),
        Fault.gateway(504, retry_after=7),
    ],
    ids=["401", "429", "maintenance", "502", "504"],
)
def test_no_rate_limit(app: Application, fault: Fault) -> None:
    """What the application does not answer has no rate-limit headers; its own ones are sent."""
    reply = answer_hit_by(app, fault)
    assert reply.headers == {"Content-Type": JSON, "Retry-After": "7"}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_application_status(app: Application, status: int) -> None:
    """An application's own error costs a hit and has the rate-limit headers, whatever it is."""
    app.plan.script([Fault.status(status)])
    reply = answer(app, request())
    assert reply.headers == {"Content-Type": JSON, **app.throttle.passed_headers(NOW)}
    assert app.throttle.hits(NOW) == 1


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        (Fault.maintenance(), 0),
        (Fault.gateway(502), 0),
        (Fault.gateway(504), 1),
        (Fault.gateway(502, counted=True), 1),
    ],
)
def test_cost_before_the_application(app: Application, fault: Fault, hits: int) -> None:
    """Maintenance costs no hit, and a gateway's error one if it had reached the app."""
    app.plan.script([fault])
    admitted(app, request())
    assert app.throttle.hits(NOW) == app.stats.accepted == hits
    assert app.stats.faults == 1


def test_maintenance_page(app: Application) -> None:
    """A browser gets maintenance as a page, and the gateway's error as JSON."""
    browser = request(accept="*/*")
    pages = [
        answer_hit_by(app, fault, browser) for fault in (Fault.maintenance(), Fault.gateway(503))
    ]
    assert [page.headers["Content-Type"] for page in pages] == [HTML, JSON]


def test_options(app: Application) -> None:
    """OPTIONS is answered by the framework: no token, no hit, and the methods in `Allow`."""
    reply = refused(app, request(method="OPTIONS", token=""))
    assert reply == Reply(200, b"", {"Content-Type": HTML, "Allow": "GET,HEAD"})


def test_options_of_no_route(app: Application) -> None:
    """OPTIONS for a path that is no endpoint is a 404."""
    reply = refused(app, request("a/b", method="OPTIONS"))
    assert reply.status == 404


def test_each_peer_has_its_window(app: Application) -> None:
    """One address's hits do not count for another."""
    one, other = request(), request(peer="127.0.0.2")
    for _ in range(2):
        admitted(app, one)
    assert message(refused(app, one)) == "Too Many Attempts."
    reply = answer(app, other)
    assert reply.headers["X-RateLimit-Remaining"] == "1"


def test_remaining_from_before_the_handler() -> None:
    """`ThrottleRequestsWithRedis` answers by the count as it was when it let the request in."""
    throttle = Throttle(5, store="redis-mw")
    app = Application(throttle, CONTEXT, Plan(), Stats(), "good", "forbidden")
    first = admitted(app, request())
    admitted(app, request())
    assert app.respond(request(), first, NOW).headers["X-RateLimit-Remaining"] == "4"


def test_faulty_body(app: Application) -> None:
    """A scripted body replaces the right one, and its type too."""
    reply = answer_hit_by(app, Fault.body(b"<html>", content_type="text/html"))
    assert (reply.status, reply.body) == (200, b"<html>")
    assert reply.headers == {"Content-Type": "text/html", **app.throttle.passed_headers(NOW)}


def test_faulty_headers(app: Application) -> None:
    """A scripted 200 without a body is the right session, under other headers."""
    fault = Fault.status(200, headers={"x-ratelimit-remaining": "-5"})
    reply = answer_hit_by(app, fault)
    assert json.loads(reply.body) == build_session(KNOWN)
    assert reply.headers["x-ratelimit-remaining"] == "-5"
    assert "X-RateLimit-Remaining" not in reply.headers


def test_repr(app: Application) -> None:
    """Neither tokens nor the key of signed URLs are shown."""
    assert not [secret for secret in ("good", "forbidden", "key") if secret in repr(app)]


def test_not_found_names_the_owner(app: Application) -> None:
    """A 404 for a list names the resource that the id belongs to."""
    reply = answer(app, request("nonsense/documents"))
    assert message(reply) == "No query results for model [App\\Models\\ExtractionSession] nonsense"
