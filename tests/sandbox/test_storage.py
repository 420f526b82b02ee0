"""The storage behind the signed URLs."""

from urllib.parse import urlsplit
from uuid import UUID

import attrs
import pytest

from raydocs_async.sandbox import Fault
from raydocs_async.sandbox._catalog import Catalog
from raydocs_async.sandbox._faults import Plan
from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._replies import Reply
from raydocs_async.sandbox._requests import Admission, ServerRequest
from raydocs_async.sandbox._routes import Context
from raydocs_async.sandbox._schedule import Schedule
from raydocs_async.sandbox._sessions import build_document
from raydocs_async.sandbox._signing import Signer
from raydocs_async.sandbox._stats import Stats
from raydocs_async.sandbox._storage import Storage

NOW = 1_700_000_000.0
SIGNER = Signer(b"key")
DOCUMENT = build_document(UUID(session_id(0)), 0)
XML = {"Content-Type": "application/xml"}


def signed(document_id: str = str(DOCUMENT.id)) -> ServerRequest:
    """A request by a URL that was signed at `NOW`."""
    url = urlsplit(SIGNER.sign("http://x", document_id, NOW)["url"])
    return ServerRequest("GET", url.path, "", "*/*", query=url.query)


@pytest.fixture
def storage() -> Storage:
    """The storage of one session's files."""
    return Storage(Context(Catalog(1, Schedule()), SIGNER, "newest", 15), Plan(), Stats())


def answer(storage: Storage, request: ServerRequest, now: float = NOW) -> Reply:
    """The reply, by whichever step it is made."""
    admission = storage.admit(request, now)
    if isinstance(admission, Reply):
        return admission
    return storage.respond(request, admission, now)


def test_file(storage: Storage) -> None:
    """A signed URL leads to the file, without a token and without a trace of the throttle."""
    reply = answer(storage, signed())
    assert (reply.status, reply.body) == (200, DOCUMENT.file)
    assert sorted(reply.headers) == ["Content-Type", "ETag"]
    assert reply.headers["Content-Type"] == "application/pdf"


def test_authorization(storage: Storage) -> None:
    """A request with a token is refused, because it has two authentications."""
    reply = answer(storage, attrs.evolve(signed(), authorization="Bearer good"))
    assert (reply.status, reply.headers) == (400, XML)
    assert b"<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed" in reply.body


@pytest.mark.parametrize(
    ("request_", "now", "message"),
    [
        (signed(), NOW + 600, b"<Message>Request has expired</Message>"),
        (attrs.evolve(signed(), query=""), NOW, b"<Code>AccessDenied</Code>"),
        (attrs.evolve(signed(), method="HEAD"), NOW, b"<Code>SignatureDoesNotMatch</Code>"),
    ],
    ids=["expired", "not signed", "another method"],
)
def test_forbidden(storage: Storage, request_: ServerRequest, now: float, message: bytes) -> None:
    """An invalid URL is a 403 in XML."""
    reply = answer(storage, request_, now)
    assert (reply.status, reply.headers) == (403, XML)
    assert message in reply.body


def test_no_such_file(storage: Storage) -> None:
    """A document that is gone, or another path, is a 404 in XML."""
    gone = answer(storage, signed("770e8400-e29b-81d4-a716-446655440000"))
    other = answer(storage, ServerRequest("GET", "/files/", "", ""))
    assert (gone.status, other.status) == (404, 404)
    assert b"<Code>NoSuchKey</Code>" in gone.body
    assert storage.stats.not_found == 1


@pytest.mark.parametrize(
    ("fault", "status", "part"),
    [
        (Fault.status(503), 503, b"<Code>SlowDown</Code>"),
        (Fault.gateway(502), 502, b"<Message>HTTP status 502</Message>"),
        (Fault.body(b"text"), 200, b"text"),
        (Fault.status(200), 200, b"%PDF"),
        (Fault.cut(), 200, b"%PDF"),
    ],
)
def test_faults(storage: Storage, fault: Fault, status: int, part: bytes) -> None:
    """A fault hits the storage as it hits the API, with the storage's own errors."""
    storage.plan.script([fault])
    reply = answer(storage, signed())
    assert reply.status == status
    assert part in reply.body
    assert storage.stats.faults == 1


def test_faults_of_refused_requests(storage: Storage) -> None:
    """A request that is refused takes no fault from the plan."""
    storage.plan.script([Fault.status(503)])
    answer(storage, signed(), NOW + 600)
    assert storage.stats.faults == 0


def test_not_counted(storage: Storage) -> None:
    """A request for a file has no hit of the throttle, and none of its headers."""
    request = signed()
    storage.plan.script([Fault.status(503, headers={"X-Own": "1"})])
    admission = storage.admit(request, NOW)
    assert isinstance(admission, Admission)
    assert admission.hits is None
    assert storage.respond(request, admission, NOW).headers == {**XML, "X-Own": "1"}
