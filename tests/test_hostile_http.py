"""What networks, servers and gateways do to a client; the ids are those of the list of hazards."""

from typing import Any

import pytest
from attrs import frozen

from raydocs_async import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RaydocsError,
    UnprocessableEntityError,
)
from tests.support.clients import OTHER_ID, SESSION_ID, THRICE, TOKEN, client_for
from tests.support.wire import (
    CHUNKED,
    GZIP,
    Answer,
    Drip,
    End,
    Endless,
    Step,
    WireServer,
    bomb,
    chunk,
    good,
    gzipped,
    reply,
    session_json,
)

pytestmark = pytest.mark.usefixtures("no_task_left")

BODY = session_json(SESSION_ID)
GOOD = reply(BODY)
MESSAGE = b'{"message": "so it is"}'


def case(
    id: str,
    *answer: Step,
    error: type[RaydocsError] = APIConnectionError,
    says: str,
    status: int | None = None,
    retried: bool,
) -> Any:
    """A row: what the server does each time, and what comes of it."""
    return pytest.param(Hazard(answer, error, says, status, 3 if retried else 1), id=id)


@frozen
class Hazard:
    """What the server answers to every request, and what the caller gets."""

    answer: tuple[Step, ...]
    error: type[RaydocsError]
    says: str
    status: int | None
    requests: int


LOST = "the connection was lost"
IN_TIME = "no complete answer in time"
INVALID = "not valid HTTP"
CUT = "cut short"
REDIRECT = "a redirect, which is not followed"

NETWORK = [
    case("N8 FIN before any byte", End.CLOSE, says=LOST, retried=True),
    case("N9 RST after the request", End.RESET, says=LOST, retried=True),
    case("N10 FIN after half the headers", GOOD[:30], End.CLOSE, says=LOST, retried=True),
    case("N10 RST after half the headers", GOOD[:30], End.RESET, says=LOST, retried=True),
    case("N13 silent", End.HANG, error=APITimeoutError, says=IN_TIME, retried=True),
    case("N14 drips headers", Drip(GOOD), error=APITimeoutError, says=IN_TIME, retried=True),
    case(
        "N15 drips the body",
        *(GOOD[:-100], Drip(GOOD[-100:])),
        error=APITimeoutError,
        says=IN_TIME,
        retried=True,
    ),
]
PROTOCOL = [
    case(id, *answer, says=INVALID, retried=True)
    for id, answer in {
        "H1 garbage": (b"GARBAGE\r\n\r\n",),
        "H1 HTTP/0.9": (BODY, End.CLOSE),
        "H1 HTTP/3.0": (GOOD.replace(b"/1.1", b"/3.0"),),
        "H2 HTTP/2 frame": (bytes.fromhex("000012040000000000000300000064"),),
        "H3 TLS bytes": (bytes.fromhex("15030100020246"),),
        "H4 status 99": (reply(BODY, status="99 Odd"),),
        "H4 status 1000": (reply(BODY, status="1000 Odd"),),
        "H5 header of 8191 bytes": (reply(BODY, headers={"X-Long": "x" * 8191}),),
        "H6 200 headers": (reply(BODY, headers={f"X-{n}": "x" for n in range(200)}),),
        "H6 NUL in a header": (reply(BODY, headers={"X-Odd": "a\0b"}),),
        "H7 two lengths": (reply(BODY, headers={"content-length": "5"}),),
        "H7 negative length": (reply(BODY, headers={"Content-Length": "-1"}),),
        "H7 25 digits": (reply(BODY, headers={"Content-Length": "1" * 25}),),
        "H8 length and chunked": (reply(chunk(BODY), headers=CHUNKED),),
        "H9 chunk size": (reply(b"zz\r\n" + BODY, framed=False, headers=CHUNKED),),
        "H9 huge chunk size": (reply(b"f" * 18 + b"\r\n", framed=False, headers=CHUNKED),),
    }.items()
]
STATUSES = [
    *(
        case(
            f"H10 status {status}",
            answer,
            error=APIStatusError,
            says=f"HTTP {status}",
            status=status,
            retried=False,
        )
        for status, answer in {
            101: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            201: reply(BODY, status="201 Created"),
            204: b"HTTP/1.1 204 No Content\r\n\r\n",
            206: reply(BODY, status="206 Partial Content"),
            304: b"HTTP/1.1 304 Not Modified\r\n\r\n",
            405: reply(status="405 Method Not Allowed"),
            600: reply(BODY, status="600 Odd"),
            999: reply(BODY, status="999 Odd"),
        }.items()
    ),
    *(
        case(
            f"H13 status {status}",
            reply(MESSAGE, status=f"{status} Odd"),
            error=error,
            says="so it is",
            status=status,
            retried=False,
        )
        for status, error in {
            400: BadRequestError,
            401: AuthenticationError,
            403: PermissionDeniedError,
            404: NotFoundError,
            422: UnprocessableEntityError,
        }.items()
    ),
    *(
        case(
            f"H14 status {status}",
            reply(MESSAGE, status=f"{status} Odd"),
            error=InternalServerError if status >= 500 else APIStatusError,
            says="so it is",
            status=status,
            retried=True,
        )
        for status in (408, 425, 500, 502, 503, 504)
    ),
    case(
        "B9 endless 500",
        reply(framed=False, status="500 Odd", headers=CHUNKED),
        Endless(chunk(b"x" * 4096)),
        error=InternalServerError,
        says="HTTP 500",
        status=500,
        retried=True,
    ),
    case(
        "B9 500 of bad gzip",
        reply(b"x" * 64, status="500 Odd", headers=GZIP),
        error=InternalServerError,
        says="HTTP 500",
        status=500,
        retried=True,
    ),
    case(
        "B9 404 cut by a RST",
        reply(b"x" * 64, status="404 Odd", headers={"Content-Length": "999"}),
        End.RESET,
        error=NotFoundError,
        says="HTTP 404",
        status=404,
        retried=False,
    ),
]
BODIES = [
    case("B1 cut length", GOOD[:-20], End.CLOSE, says=CUT, retried=True),
    case("B1 cut by a RST", GOOD[:-20], End.RESET, says=CUT, retried=True),
    case(
        "B2 cut chunks",
        reply(chunk(BODY)[:-20], framed=False, headers=CHUNKED),
        End.CLOSE,
        says=CUT,
        retried=True,
    ),
    case("B4 no gzip at all", reply(b"x" * 64, headers=GZIP), says=CUT, retried=True),
    *(
        case(
            id,
            *answer,
            error=APIResponseValidationError,
            says="truncated",
            status=200,
            retried=True,
        )
        for id, answer in {
            "B3 close-delimited, cut": (reply(BODY[:-20], framed=False), End.CLOSE),
            "B4 gzip cut at its length": (reply(gzipped(BODY)[:-30], headers=GZIP),),
            "B10 empty": (reply(),),
        }.items()
    ),
    *(
        case(
            id, reply(body), error=APIResponseValidationError, says=says, status=200, retried=False
        )
        for id, body, says in (
            ("B11 null", b"null", r"\$ is null"),
            ("B11 list", b"[]", r"\$ is an? (list|array)"),
            ("B12 HTML", b"<html><form>Log in</form></html>", "not JSON"),
            ("B19 UTF-16", BODY.decode().encode("utf-16"), "not JSON"),
        )
    ),
    case(
        "B6 gzip bomb",
        reply(bomb(512), headers=GZIP),
        says="larger than max_response_bytes",
        retried=False,
    ),
    case(
        "B7 endless chunks",
        reply(framed=False, headers=CHUNKED),
        Endless(chunk(b"x" * 4096)),
        says="larger than max_response_bytes",
        retried=False,
    ),
    case(
        "B8 length of 10 GB",
        reply(headers={"Content-Length": str(10 * 2**30)}),
        End.HANG,
        says="larger than max_response_bytes",
        retried=False,
    ),
]


@pytest.mark.looptime
@pytest.mark.parametrize("hazard", NETWORK + PROTOCOL + STATUSES + BODIES)
async def test_every_hazard_ends_in_its_error(hazard: Hazard) -> None:
    """A failure that stays becomes the right error, after as many wire requests as attempts."""
    async with (
        WireServer(hazard.answer) as server,
        client_for(
            server.url, retry=THRICE, attempt_timeout=5.0, max_response_bytes=10**6
        ) as client,
    ):
        with pytest.raises(hazard.error, match=hazard.says) as caught:
            await client.get_session(SESSION_ID)
    error = caught.value
    assert type(error) is hazard.error
    assert error.status == hazard.status
    assert error.session_id == SESSION_ID
    assert len(server.requests) == len(error.attempts) == hazard.requests


TRANSIENT = [
    param for param in NETWORK + PROTOCOL + STATUSES + BODIES if param.values[0].requests > 1
]


@pytest.mark.looptime
@pytest.mark.parametrize("hazard", TRANSIENT)
async def test_what_is_retried_may_go_well(hazard: Hazard) -> None:
    """A failure that passes is invisible to the caller, and costs one more wire request."""
    async with (
        WireServer(hazard.answer, good) as server,
        client_for(
            server.url, retry=THRICE, attempt_timeout=5.0, max_response_bytes=10**6
        ) as client,
    ):
        session = await client.get_session(SESSION_ID)
    assert str(session.id) == SESSION_ID
    assert len(server.requests) == 2


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((Drip(GOOD, every=0.01),), id="N14 drips, but soon enough"),
        pytest.param(b"\r\n" + GOOD, id="H1 empty line before the status"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, id="H10 100 before the reply"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD, id="H10 103 before the reply"),
        pytest.param(reply(BODY, headers={"Content-Type": "text/html"}), id="B13 text/html"),
        pytest.param(
            reply(BODY, headers={"Content-Type": "application/json; charset=idna"}),
            id="B20 charset idna",
        ),
        pytest.param(reply(BODY, headers={"Content-Type": "/;;;=\xff"}), id="B20 broken type"),
        pytest.param(reply(BODY, headers={"Set-Cookie": "\xff=;;=;"}), id="H6 broken cookie"),
        pytest.param(reply(gzipped(BODY), headers=GZIP), id="B6 honest gzip"),
        pytest.param(
            reply(chunk(BODY) + chunk(b""), framed=False, headers=CHUNKED), id="B2 whole chunks"
        ),
        pytest.param((reply(BODY, framed=False), End.CLOSE), id="B3 whole, close-delimited"),
    ],
)
async def test_what_is_only_odd_is_read(answer: Answer) -> None:
    """A reply that is unusual but whole gives its session, at the first attempt."""
    async with WireServer(answer) as server, client_for(server.url) as client:
        assert str((await client.get_session(SESSION_ID)).id) == SESSION_ID


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        pytest.param(None, id="H11 to another host"),
        pytest.param("/extractions/sessions", id="H12 to itself"),
        pytest.param("", id="H12 empty Location"),
        pytest.param("http://[", id="H12 broken Location"),
    ],
)
async def test_redirects_are_not_followed(status: int, location: str | None) -> None:
    """A redirect is an error that names its status; the token goes nowhere else."""
    async with WireServer(good) as elsewhere:
        target = elsewhere.url if location is None else location
        moved = reply(status=f"{status} Moved", headers={"Location": target})
        async with WireServer(moved) as server, client_for(server.url) as client:
            with pytest.raises(APIStatusError, match=f"HTTP {status}, {REDIRECT}") as caught:
                await client.get_session(SESSION_ID)
    assert caught.value.status == status
    assert len(server.requests) == 1
    assert elsewhere.connections == 0


async def test_304_is_not_called_a_redirect() -> None:
    """H10: a 304, which has no target, is not explained as a redirect."""
    answer = b"HTTP/1.1 304 Not Modified\r\n\r\n"
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(APIStatusError, match="HTTP 304") as caught:
            await client.get_session(SESSION_ID)
    assert "redirect" not in str(caught.value)


@pytest.mark.looptime
@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(b"more", id="H18 garbage"),
        pytest.param(b"\r\n\r\n", id="H18 empty lines"),
        pytest.param(reply(session_json(OTHER_ID)), id="H18 another's reply"),
        pytest.param(reply(session_json(OTHER_ID)) * 20, id="H18 twenty replies"),
    ],
)
async def test_bytes_after_the_body_never_become_an_answer(extra: bytes) -> None:
    """Whatever follows a body, each call gets its own session or an error, never another's."""

    def more(received: Any) -> bytes:
        return good(received) + extra

    async with WireServer(more) as server, client_for(server.url, retry=THRICE) as client:
        for asked in (SESSION_ID, "550e8400-e29b-41d4-a716-446655440000", SESSION_ID):
            try:
                answered = str((await client.get_session(asked)).id)
            except APIConnectionError:
                answered = asked
            assert answered == asked


@pytest.mark.looptime
@pytest.mark.usefixtures("half_jitter")
@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        pytest.param({"Retry-After": "7"}, 7.0, id="H15 seconds"),
        pytest.param(
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            9.0,
            id="H15 date",
        ),
        pytest.param({}, 0.25, id="H15 nothing"),
        pytest.param({"Retry-After": "0"}, 0.25, id="H15 zero"),
        pytest.param({"Retry-After": "soon"}, 0.25, id="H15 nonsense"),
    ],
)
async def test_a_503_is_waited_out(headers: dict[str, str], waits: float) -> None:
    """A 503's Retry-After is waited for in either form, or else the back-off."""
    server = WireServer(
        reply(MESSAGE, status="503 Odd", headers=headers), reply(b"no", status="404 X")
    )
    async with server, client_for(server.url, retry=THRICE) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.get_session(SESSION_ID)
    assert [attempt.waited for attempt in caught.value.attempts] == pytest.approx([0, waits])


@pytest.mark.looptime
async def test_a_503_for_too_long_is_not_waited_out() -> None:
    """H15: a Retry-After above the policy's cap fails the call at once, and is told."""
    answer = reply(MESSAGE, status="503 Odd", headers={"Retry-After": "3600"})
    async with WireServer(answer) as server, client_for(server.url, retry=THRICE) as client:
        with pytest.raises(InternalServerError, match="retry after 3600 s") as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_a_body_too_large_for_the_gateway_stops_at_the_budget() -> None:
    """H16: a 502 on every try ends after five attempts."""
    answer = reply(MESSAGE, status="502 Bad Gateway")
    async with WireServer(answer) as server, client_for(server.url, retry=THRICE) as client:
        with pytest.raises(InternalServerError):
            await client.get_session(SESSION_ID)
    assert len(server.requests) == 3


async def test_the_token_is_sent_once_and_only_as_a_header() -> None:
    """The token is in the one Authorization header, and nowhere else on the wire."""
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
    (received,) = server.requests
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert received.head.count(TOKEN.encode()) == 1
