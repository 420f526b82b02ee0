"""What networks, servers and gateways do to a client; the ids are those of the list of hazards."""

import asyncio
from typing import Any

import pytest

from raydocs_async import (
    APIConnectionError,
    APIStatusError,
    InternalServerError,
    NotFoundError,
)
from tests.support.clients import OTHER_ID, SESSION_ID, THRICE, TOKEN, client_for, until
from tests.support.hazards import BODY, GOOD, HAZARDS, MESSAGE, PASSING, cases
from tests.support.network import refused
from tests.support.replies import CHUNKED, GZIP, chunk, good, gzipped, reply, session_json
from tests.support.wire import Answer, Drip, End, WireServer
from tests.support.worlds import ATTEMPT_TIMEOUT, Hazard, world

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@pytest.mark.looptime
@cases(HAZARDS)
async def test_every_hazard_ends_in_its_error(hazard: Hazard) -> None:
    """A failure that stays becomes the right error, after as many wire requests as attempts."""
    async with world(hazard) as (server, client):
        with pytest.raises(hazard.error, match=hazard.says) as caught:
            await client.get_session(SESSION_ID, timeout=hazard.timeout)
        assert client.rate_limit_status.in_flight == 0
    error = caught.value
    assert type(error) is hazard.error
    assert error.status == hazard.status
    assert error.resource_id == SESSION_ID
    assert len(error.attempts) == hazard.attempts
    assert len(server.requests) == hazard.requests
    assert asyncio.get_running_loop().time() <= 3 * ATTEMPT_TIMEOUT + 2 * THRICE.maximum


@pytest.mark.looptime
@cases(PASSING)
async def test_what_is_retried_may_go_well(hazard: Hazard) -> None:
    """A failure that passes is invisible to the caller, and costs one more wire request."""
    async with world(hazard, good) as (server, client):
        session = await client.get_session(SESSION_ID)
    assert str(session.id) == SESSION_ID
    assert len(server.requests) == 1 + bool(hazard.answer)


@pytest.mark.looptime
async def test_a_port_that_opens_later() -> None:
    """N1: a server that was not there at the first attempt is found by the next."""
    with refused() as url:
        client = client_for(url, retry=THRICE)
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: client.rate_limit_status.in_flight)
        await until(lambda: not client.rate_limit_status.in_flight)
    port = int(url.rpartition(":")[2])
    async with client, WireServer(good, port=port) as server:
        assert str((await call).id) == SESSION_ID
    assert len(server.requests) == 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((Drip(GOOD[:40]), GOOD[40:]), id="N14 drips, but soon enough"),
        pytest.param(b"\r\n" + GOOD, id="H1 empty line before the status"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, id="H10 100 before the reply"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD, id="H10 103 before the reply"),
        pytest.param(reply(BODY, headers={"Content-Type": "text/html"}), id="B13 text/html"),
        *(
            pytest.param(
                reply(BODY, headers={"Content-Type": f"application/json; charset={charset}"}),
                id=f"B20 charset {charset}",
            )
            for charset in ("idna", "zlib", "foo", "utf-16")
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
            with pytest.raises(
                APIStatusError, match=f"HTTP {status}, a redirect, which is not followed"
            ) as caught:
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
