"""What must not be told: the token, and what documents say, wherever an error or a log may go."""

import asyncio
import copy
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from raydocs_async import ConfigurationError, RaydocsClient, RaydocsError
from raydocs_async._secret import Secret, SecretBytes
from tests.support.clients import (
    SESSION_ID,
    THRICE,
    TOKEN,
    client_for,
    transport_for,
    turns_of_the_loop,
    until,
)
from tests.support.hazards import DATA, GOOD, HAZARDS, Hazard, cases, world
from tests.support.wire import (
    Answer,
    End,
    Received,
    WireServer,
    good,
    reply,
    session_json,
)

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


def with_locals(error: BaseException, *, skip: int = 0) -> str:
    """The traceback as a crash reporter takes it, without the caller's own frames."""
    trace = error.__traceback__
    for _ in range(skip):
        assert trace is not None
        trace = trace.tb_next
    told = traceback.TracebackException(type(error), error, trace, capture_locals=True)
    return "".join(told.format())


def everything_told(error: BaseException) -> str:
    """All forms in which an error may leave the process."""
    told = [str(error), repr(error), repr(error.args), with_locals(error)]
    told += [repr(vars(error)), "".join(traceback.format_exception(error))]
    if isinstance(error, RaydocsError):
        told += [repr(error.attempts), pickle.dumps(error, 0).decode("latin-1")]
    return "\n".join(told)


async def fail(hazard: Hazard) -> RaydocsError:
    """The error that comes of it."""
    async with world(hazard) as (_, client):
        with pytest.raises(RaydocsError) as caught:
            await client.get_session(SESSION_ID)
    return caught.value


@pytest.mark.looptime
@cases(HAZARDS)
async def test_no_failure_tells_a_secret(
    hazard: Hazard, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    """S2, S3, S4: no form of an error, no log and no warning holds token or document data."""
    caplog.set_level(logging.DEBUG)
    error = await fail(hazard)
    logged = f"{caplog.text} {[record.__dict__ for record in caplog.records]}"
    warned = f"{[warning.message for warning in recwarn]}"
    assert TOKEN not in everything_told(error) + logged + warned
    assert DATA not in f"{error} {error!r} {error.args} {with_locals(error)} {logged} {warned}"


@pytest.mark.looptime
@cases({hazard.error.__name__: hazard for hazard in HAZARDS.values()})
async def test_every_error_pickles_and_copies(hazard: Hazard) -> None:
    """S6: an error that was pickled or copied is the same error."""
    error = await fail(hazard)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert attrs.asdict(other) == attrs.asdict(error)


@pytest.mark.looptime
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.HANG,), id="S3 headers"),
        pytest.param((GOOD[:-9], End.HANG), id="S3 body"),
        pytest.param((reply(status="503 X", headers={"Retry-After": "9"}),), id="S3 back-off"),
    ],
)
async def test_a_cancellation_does_not_tell_the_token(answer: Answer) -> None:
    """S3: a CancelledError, which has passed aiohttp's frames, does not show the token."""
    async with WireServer(answer) as server, client_for(server.url, retry=THRICE) as client:
        task = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        await turns_of_the_loop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert "get_session" in with_locals(caught.value)
    assert TOKEN not in everything_told(caught.value)


ENDS = {
    "one id fails": (reply(status="404 X"),),
    "every id fails": (reply(status="401 X"),),
    "the caller gives up": (End.HANG,),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("method", ["get_sessions", "wait_for_session"])
async def test_a_later_failure_does_not_tell_what_was_fetched(method: str, end: Answer) -> None:
    """S3, S4: sessions that a call has got already are not among the locals of its frames."""
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
    """S4: an outcome and a stream, printed or logged, do not show what the session holds."""
    answer = reply(session_json(SESSION_ID, name=DATA))
    async with (
        WireServer(answer) as server,
        client_for(server.url) as client,
        client.stream_sessions([SESSION_ID]) as stream,
    ):
        (outcome,) = [outcome async for outcome in stream]
    assert outcome.session is not None
    assert DATA not in f"{outcome!r} {stream!r}"


async def test_a_defect_does_not_tell_the_token() -> None:
    """S3: an exception of the caller's own callback, out of aiohttp's frames, does not, either."""

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
    """S1: a token that HTTP would not carry as it is is refused, and not shown."""
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
    """S3: whatever is wrong with the other settings, no frame shows the token."""
    with pytest.raises((ConfigurationError, TypeError)) as caught:
        RaydocsClient(TOKEN, **options)
    assert TOKEN not in everything_told(caught.value)


def test_a_token_from_the_environment_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3: the same for a token that the environment gives."""
    monkeypatch.setenv("RAYDOCS_API_TOKEN", TOKEN)
    with pytest.raises(ConfigurationError) as caught:
        RaydocsClient(timeout=-1)
    assert TOKEN not in everything_told(caught.value)


def test_reprs_do_not_tell_the_token() -> None:
    """S2: neither client nor transport show the token, nor do their attributes."""
    client, transport = client_for("http://127.0.0.1:1"), transport_for("http://127.0.0.1:1")
    for thing in (client, transport):
        assert TOKEN not in f"{thing!r} {thing} {vars(thing)}"
    assert TOKEN not in repr(vars(transport)["_headers"])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_is_not_pickled(protocol: int) -> None:
    """S2: neither the token nor a client goes into a pickle, by any protocol."""
    for thing in (Secret(TOKEN), client_for("http://127.0.0.1:1")):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(thing, protocol)


async def test_logs_hold_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """S4: the DEBUG log of a success names the session, but neither token nor data."""
    caplog.set_level(logging.DEBUG)
    answer = reply(session_json(SESSION_ID, name=DATA))
    async with WireServer(answer) as server, client_for(server.url) as client:
        session = await client.get_session(SESSION_ID)
    assert session.name == DATA
    assert SESSION_ID in caplog.text
    assert TOKEN not in caplog.text
    assert DATA not in caplog.text


async def test_proxies_and_netrc_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: neither a proxy nor a netrc entry in the environment changes what is sent, or where."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with WireServer(good) as proxy, WireServer(good) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with client_for(server.url) as client:
            await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert proxy.connections == 0


async def test_a_borrowed_session_with_netrc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: where a borrowed session reads netrc, it is our token that is sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        WireServer(good) as server,
        aiohttp.ClientSession(trust_env=True) as session,
        client_for(server.url, http_session=session) as client,
    ):
        await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_token_that_the_server_repeats_is_not_told() -> None:
    """S2: a server that quotes the request in its error does not make us tell the token."""

    def quote(request: Received) -> bytes:
        said = request.headers["authorization"]
        return reply(f'{{"message": "not valid: {said}"}}'.encode(), status="401 Unauthorized")

    async with WireServer(quote) as server, client_for(server.url) as client:
        with pytest.raises(RaydocsError, match="not valid: Bearer <hidden>") as caught:
            await client.get_session(SESSION_ID)
    assert TOKEN not in everything_told(caught.value)


def test_the_token_as_bytes_is_as_hidden() -> None:
    """S2: the form that is looked for in replies is neither shown nor pickled."""
    token = SecretBytes(TOKEN.encode())
    assert repr(token) == repr(Secret(TOKEN))
    with pytest.raises(TypeError):
        pickle.dumps(token)
