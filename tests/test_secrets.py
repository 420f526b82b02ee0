"""Token and document data: hidden in errors, logs, ``repr``s and pickles."""

import asyncio
import copy
import logging
import pickle
from typing import Any

import aiohttp
import attrs
import pytest

from raydocs_async import ConfigurationError, Fetched, InvalidIdError, RaydocsClient, RaydocsError
from raydocs_async._secret import Secret
from tests.support.clients import (
    SESSION_ID,
    THRICE,
    TOKEN,
    client_for,
    transport_for,
    turns_of_the_loop,
    until,
)
from tests.support.hazards import DATA, GOOD, HAZARDS, cases
from tests.support.replies import good, reply, session_json
from tests.support.reports import everything_told, with_locals
from tests.support.wire import Answer, End, WireServer
from tests.support.worlds import Hazard, world

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def fail(hazard: Hazard) -> RaydocsError:
    """Return the error that the hazard causes."""
    async with world(hazard) as (_, client):
        with pytest.raises(RaydocsError) as caught:
            await client.get_session(SESSION_ID)
    return caught.value


@pytest.mark.looptime
@cases(HAZARDS)
async def test_no_failure_tells_a_secret(
    hazard: Hazard, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """S2, S3, S4: no form of an error, no log and no warning has the token or document data."""
    caplog.set_level(logging.DEBUG)
    error = await fail(hazard)
    logged = f"{caplog.text} {[record.__dict__ for record in caplog.records]}"
    warned = f"{[warning.message for warning in recwarn]}"
    assert TOKEN not in everything_told(error) + logged + warned
    assert DATA not in f"{error} {error!r} {error.args} {with_locals(error)} {logged} {warned}"


@pytest.mark.looptime
@cases({hazard.error.__name__: hazard for hazard in HAZARDS.values()})
async def test_every_error_pickles_and_copies(hazard: Hazard) -> None:
    """S6: a pickled or copied error is equal to the original."""
    error = await fail(hazard)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert attrs.asdict(other) == attrs.asdict(error)


ECHO = reply(session_json(SESSION_ID, name=DATA), headers={"X-Echo": f"Bearer {TOKEN}"})
ERROR = reply(DATA.encode() + bytes(9), status="404 X", headers={"X-Echo": f"Bearer {TOKEN}"})


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.HANG,), id="S3 headers"),
        pytest.param((GOOD[:-9], End.HANG), id="S3 body"),
        pytest.param((ECHO[:-9], End.HANG), id="S3 body after an echo"),
        pytest.param((ERROR[:-9], End.HANG), id="S3 an error's body"),
        pytest.param((reply(status="503 X", headers={"Retry-After": "9"}),), id="S3 back-off"),
    ],
)
async def test_a_cancellation_does_not_tell_a_secret(answer: Answer) -> None:
    """S3: the traceback of a CancelledError shows neither token nor data."""
    async with WireServer(answer) as server, client_for(server.url, retry=THRICE) as client:
        task = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        await turns_of_the_loop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    told = with_locals(caught.value, skip=1)
    assert "get_session" in told
    assert TOKEN not in told
    assert DATA not in told


ENDS = {
    "one id fails": (reply(status="404 X"),),
    "every id fails": (reply(status="401 X"),),
    "the caller gives up": (End.HANG,),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("method", ["get_sessions", "wait_for_session"])
async def test_a_later_failure_does_not_tell_what_was_fetched(method: str, end: Answer) -> None:
    """S3, S4: sessions fetched before a failure are not among the local variables of its frames."""
    unfinished = reply(session_json(SESSION_ID, name=DATA, status="processing"))
    async with WireServer(unfinished, end) as server, client_for(server.url) as client:
        calls = {
            "get_sessions": client.get_sessions([SESSION_ID, SESSION_ID], concurrency=1),
            "wait_for_session": client.wait_for_session(SESSION_ID, interval=1e-3),
        }
        call = asyncio.create_task(calls.pop(method))
        await until(lambda: len(server.requests) == 2 or call.done())
        await turns_of_the_loop()
        call.cancel()
        with pytest.raises((RaydocsError, asyncio.CancelledError)) as caught:
            await call
    calls.popitem()[1].close()
    locals_of_ours = with_locals(caught.value, skip=1)
    assert method in locals_of_ours
    assert TOKEN not in everything_told(caught.value)
    assert DATA not in f"{caught.value} {caught.value!r} {caught.value.args} {locals_of_ours}"


async def test_an_outcome_does_not_tell_what_was_fetched() -> None:
    """S4: the ``repr`` of an outcome or a stream does not show the session's data."""
    answer = reply(session_json(SESSION_ID, name=DATA))
    async with (
        WireServer(answer) as server,
        client_for(server.url) as client,
        client.stream_sessions([SESSION_ID]) as stream,
    ):
        (outcome,) = [outcome async for outcome in stream]
    assert isinstance(outcome, Fetched)
    assert DATA not in f"{outcome!r} {stream!r}"


async def test_a_defect_does_not_tell_the_token() -> None:
    """S3: the traceback of an exception of the caller's own callback does not show the token."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(broken)
    async with (
        WireServer(good) as server,
        client_for(server.url, trace_configs=[trace]) as client,
    ):
        with pytest.raises(ZeroDivisionError) as caught:
            await client.get_session(SESSION_ID)
    assert "_request" in with_locals(caught.value)
    assert TOKEN not in everything_told(caught.value)


BAD_TOKENS = {
    "LF": "s3cr3t\n",
    "CR LF": "s3cr3t\r\nX: y",
    "NUL": "s3cr3t\0",
    "space": "s3cr3t s3cr3t",
    "non-ASCII": "s3cr3tö",
    "lone surrogate": "s3cr3t\ud800",
    "DEL": "s3cr3t\x7f",
    "bytes": b"s3cr3t",
    "list": ["s3cr3t"],
    "empty": "",
}


@pytest.mark.parametrize("token", BAD_TOKENS.values(), ids=[f"S1 {name}" for name in BAD_TOKENS])
def test_a_bad_token_is_refused_without_being_told(token: Any) -> None:
    """S1: a token that HTTP cannot carry unchanged is refused, and not shown."""
    with pytest.raises(ConfigurationError, match="token") as caught:
        RaydocsClient(token)
    error = caught.value
    assert "s3cr3t" not in f"{error} {error!r} {error.args} {pickle.dumps(error)!r}"
    assert "s3cr3t" not in with_locals(error, skip=1)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"timeout": -1}, id="timeout"),
        pytest.param({"base_url": "nowhere"}, id="base_url"),
        pytest.param({"max_connections": 0}, id="max_connections"),
        pytest.param({"timeout": "soon"}, id="timeout of a wrong type"),
    ],
)
def test_a_client_that_cannot_be_built_does_not_tell_the_token(options: dict[str, Any]) -> None:
    """S3: the error about another setting does not show the token in any frame."""
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        RaydocsClient(TOKEN, **options)
    assert TOKEN not in everything_told(caught.value)


def test_a_token_from_the_environment_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3: nor does it show a token from the environment."""
    monkeypatch.setenv("RAYDOCS_API_TOKEN", TOKEN)
    with pytest.raises(ConfigurationError) as caught:
        RaydocsClient(timeout=-1)
    assert TOKEN not in everything_told(caught.value)


def test_reprs_do_not_tell_the_token() -> None:
    """S2: the ``repr``s and attributes of client and transport do not show the token."""
    client, transport = client_for("http://127.0.0.1:1"), transport_for("http://127.0.0.1:1")
    for thing in (client, transport):
        assert TOKEN not in f"{thing!r} {thing} {vars(thing)}"
    assert TOKEN not in repr(vars(transport)["_headers"])


@pytest.mark.parametrize("name", ["get_session", "get_chunks", "wait_for_session"])
async def test_a_token_in_the_place_of_an_id(name: str) -> None:
    """S3: a token passed as an id is not shown, not even the end of a long one."""
    token = TOKEN * 9
    async with RaydocsClient(token, base_url="http://127.0.0.1:1") as client:
        with pytest.raises(InvalidIdError) as caught:
            await getattr(client, name)(f"Bearer {token}")
        (failed,) = [outcome async for outcome in client.stream_sessions([token])]
    for error in (caught.value, failed.error):
        assert isinstance(error, InvalidIdError)
        assert "5ecr3t" not in f"{error} {error!r}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_is_not_pickled(protocol: int) -> None:
    """S2: neither the token nor a client can be pickled, by any protocol."""
    for thing in (Secret(TOKEN), client_for("http://127.0.0.1:1")):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(thing, protocol)


async def test_logs_hold_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """S4: the DEBUG log of a success has the session's id, but neither token nor data."""
    caplog.set_level(logging.DEBUG)
    answer = reply(session_json(SESSION_ID, name=DATA))
    async with WireServer(answer) as server, client_for(server.url) as client:
        session = await client.get_session(SESSION_ID)
    assert session.name == DATA
    assert SESSION_ID in caplog.text
    assert TOKEN not in caplog.text
    assert DATA not in caplog.text
