"""What the service answers, without a network."""

import json
from typing import Any

import pytest

from raydocs_async.sandbox import Fault, Throttle
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Plan
from raydocs_async.sandbox._replies import HTML, JSON, Reply
from raydocs_async.sandbox._service import NO_FAULT, NOTHING_WRONG, Accepted, Call, Service
from raydocs_async.sandbox._sessions import build_session, session_id
from raydocs_async.sandbox._stats import Stats

NOW = 1_700_000_000.0
PATH = "/extractions/sessions/"
KNOWN = session_id(0)


def call(target: str = KNOWN, token: str = "good", method: str = "GET", accept: str = JSON) -> Call:
    """A request for the session `target`."""
    return Call(method, PATH + target, f"Bearer {token}", accept)


def hit_by(fault: Fault) -> Accepted:
    """An accepted request that `fault` hits."""
    return Accepted(fault, 1)


def message(reply: Reply | None) -> Any:
    """What the error says."""
    assert reply is not None
    return json.loads(reply.body)["message"]


@pytest.fixture
def service() -> Service:
    """A service with one session, and two hits a window."""
    return Service(Throttle(2), Catalog(1), Plan(), Stats(), "good", "forbidden")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PATH + KNOWN, KNOWN),
        (PATH + "nonsense", "nonsense"),
        (PATH + KNOWN + "/", KNOWN),
        (PATH + KNOWN + "//", KNOWN),
        (PATH, ""),
        (PATH + "a/b", ""),
        ("/extractions/templates/a", ""),
        ("/", ""),
    ],
)
def test_session_id(path: str, expected: str) -> None:
    """A session's path has one part after the prefix, and slashes at its end do not matter."""
    assert Call("GET", path, "", "").session_id == expected


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [("Bearer x", "x"), ("bearer x", "x"), ("Basic x", ""), ("Bearer", ""), ("x", ""), ("", "")],
)
def test_token(authorization: str, expected: str) -> None:
    """Only a bearer token is one."""
    assert Call("GET", "", authorization, "").token == expected


def test_good_request_is_not_refused(service: Service) -> None:
    """Where all is well the request goes on."""
    assert service.refuse(call(), NOW) is None


def test_head(service: Service) -> None:
    """HEAD is allowed where GET is."""
    assert service.refuse(call(method="HEAD"), NOW) is None


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (call("a/b"), 404),
        (call(method="POST"), 405),
        (call(token="bad"), 401),
        (call(token=""), 401),
    ],
)
def test_refused_before_the_throttle(service: Service, refused: Call, status: int) -> None:
    """Without a route or a token there is neither a hit nor a rate-limit header."""
    reply = service.refuse(refused, NOW)
    assert reply is not None
    assert reply.status == status
    assert not [name for name in reply.headers if name.startswith("X-RateLimit")]
    assert service.throttle.hits(NOW) == 0


def test_unauthorized_is_counted(service: Service) -> None:
    """A redirect to the login page is as unauthorized as a 401."""
    replies = [service.refuse(call(token="bad", accept=accept), NOW) for accept in (JSON, "*/*")]
    assert [reply and reply.status for reply in replies] == [401, 302]
    assert service.stats.unauthorized == 2


def test_token_goes_before_the_throttle(service: Service) -> None:
    """Over the limit, a wrong token is still a 401."""
    service.throttle.limit = 1
    service.throttle.hit(NOW)
    assert message(service.refuse(call(token="bad"), NOW)) == "Unauthenticated."


def test_throttled(service: Service) -> None:
    """Over the limit, a good request is a 429 with all four headers, and is counted as that."""
    for _ in range(2):
        service.accept(call(), NOW)
    reply = service.refuse(call(), NOW)
    assert message(reply) == "Too Many Attempts."
    assert reply is not None
    assert reply.headers == {"Content-Type": JSON, **service.throttle.refused_headers(NOW)}
    assert (service.stats.accepted, service.stats.throttled) == (2, 1)


def test_session(service: Service) -> None:
    """A session comes with the state of the rate limit."""
    reply = service.reply(call(), service.accept(call(), NOW), NOW)
    assert json.loads(reply.body) == build_session(KNOWN)
    assert reply.headers == {"Content-Type": JSON, **service.throttle.passed_headers(NOW)}


@pytest.mark.parametrize("accept", ["*/*", ""])
def test_session_is_always_json(service: Service, accept: str) -> None:
    """A browser gets a session as JSON too."""
    reply = service.reply(call(accept=accept), NOTHING_WRONG, NOW)
    assert reply.headers["Content-Type"] == JSON


@pytest.mark.parametrize(
    ("failing", "status"), [(call("nonsense"), 404), (call(token="forbidden"), 403)]
)
def test_failure_costs_a_hit(service: Service, failing: Call, status: int) -> None:
    """A 403 and a 404 are accepted requests like any other, with their headers."""
    assert service.refuse(failing, NOW) is None
    reply = service.reply(failing, service.accept(failing, NOW), NOW)
    assert reply.status == status
    assert reply.headers["X-RateLimit-Remaining"] == "1"


def test_not_found_is_counted(service: Service) -> None:
    """A 404 for an id is counted; one that a forbidden token asked for is not known to be one."""
    service.reply(call("nonsense"), NOTHING_WRONG, NOW)
    service.reply(call("nonsense", token="forbidden"), NOTHING_WRONG, NOW)
    assert service.stats.not_found == 1


def test_fault_is_counted(service: Service) -> None:
    """A fault costs a hit, and is among the faults."""
    service.plan.script([Fault.status(500)])
    assert service.accept(call(), NOW) == Accepted(Fault.status(500), 1)
    assert service.accept(call(), NOW) == Accepted(NO_FAULT, 2)
    assert (service.stats.accepted, service.stats.faults) == (2, 1)


@pytest.mark.parametrize("status", [401, 429])
def test_scripted_refusal_is_free(service: Service, status: int) -> None:
    """A scripted refusal costs no hit, as a real one would not."""
    service.plan.script([Fault.status(status)])
    service.accept(call(), NOW)
    assert service.throttle.hits(NOW) == service.stats.accepted == service.stats.throttled == 0
    assert service.stats.faults == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "Unauthenticated."),
        (404, f"No query results for model [App\\Models\\ExtractionSession] {KNOWN}"),
        (500, "Server Error"),
    ],
)
def test_faulty_status(service: Service, status: int, expected: str) -> None:
    """A scripted status comes with the body that the framework gives it."""
    reply = service.reply(call(), hit_by(Fault.status(status)), NOW)
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
def test_no_rate_limit(service: Service, fault: Fault) -> None:
    """What the application does not answer has no rate-limit headers; its own ones are sent."""
    reply = service.reply(call(), hit_by(fault), NOW)
    assert reply.headers == {"Content-Type": JSON, "Retry-After": "7"}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_application_status(service: Service, status: int) -> None:
    """An application's own error costs a hit and has the rate-limit headers, whatever it is."""
    service.plan.script([Fault.status(status)])
    reply = service.reply(call(), service.accept(call(), NOW), NOW)
    assert reply.headers == {"Content-Type": JSON, **service.throttle.passed_headers(NOW)}
    assert service.throttle.hits(NOW) == 1


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        (Fault.maintenance(), 0),
        (Fault.gateway(502), 0),
        (Fault.gateway(504), 1),
        (Fault.gateway(502, counted=True), 1),
    ],
)
def test_cost_before_the_application(service: Service, fault: Fault, hits: int) -> None:
    """Maintenance costs no hit, and a gateway's error one if it had reached the application."""
    service.plan.script([fault])
    service.accept(call(), NOW)
    assert service.throttle.hits(NOW) == service.stats.accepted == hits
    assert service.stats.faults == 1


def test_maintenance_page(service: Service) -> None:
    """A browser gets maintenance as a page, and the gateway's error as JSON."""
    browser = call(accept="*/*")
    pages = [
        service.reply(browser, hit_by(fault), NOW)
        for fault in (Fault.maintenance(), Fault.gateway(503))
    ]
    assert [page.headers["Content-Type"] for page in pages] == [HTML, JSON]


def test_options(service: Service) -> None:
    """OPTIONS is answered by the framework: no token, no hit, and the methods in `Allow`."""
    reply = service.refuse(call(method="OPTIONS", token=""), NOW)
    assert reply == Reply(200, b"", {"Content-Type": HTML, "Allow": "GET,HEAD"})


def test_options_of_no_route(service: Service) -> None:
    """OPTIONS for a path that is no endpoint is a 404."""
    reply = service.refuse(call("a/b", method="OPTIONS"), NOW)
    assert reply is not None
    assert reply.status == 404


def test_each_peer_has_its_window(service: Service) -> None:
    """One address's hits do not count for another."""
    one, other = call(), call()._replace(peer="127.0.0.2")
    for _ in range(2):
        service.accept(one, NOW)
    assert message(service.refuse(one, NOW)) == "Too Many Attempts."
    assert service.refuse(other, NOW) is None
    reply = service.reply(other, service.accept(other, NOW), NOW)
    assert reply.headers["X-RateLimit-Remaining"] == "1"


def test_remaining_from_before_the_handler() -> None:
    """`ThrottleRequestsWithRedis` answers by the count as it was when it let the request in."""
    throttle = Throttle(5, store="redis-mw")
    service = Service(throttle, Catalog(1), Plan(), Stats(), "good", "forbidden")
    first = service.accept(call(), NOW)
    service.accept(call(), NOW)
    assert service.reply(call(), first, NOW).headers["X-RateLimit-Remaining"] == "4"


def test_faulty_body(service: Service) -> None:
    """A scripted body replaces the right one, and its type too."""
    reply = service.reply(call(), hit_by(Fault.body(b"<html>", content_type="text/html")), NOW)
    assert (reply.status, reply.body) == (200, b"<html>")
    assert reply.headers == {"Content-Type": "text/html", **service.throttle.passed_headers(NOW)}


def test_faulty_headers(service: Service) -> None:
    """A scripted 200 without a body is the right session, under other headers."""
    fault = Fault.status(200, headers={"x-ratelimit-remaining": "-5"})
    reply = service.reply(call(), hit_by(fault), NOW)
    assert json.loads(reply.body) == build_session(KNOWN)
    assert reply.headers["x-ratelimit-remaining"] == "-5"
    assert "X-RateLimit-Remaining" not in reply.headers
