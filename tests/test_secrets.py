"""What must not be told: the token, and what documents say, wherever an error or a log may go."""

import asyncio
import copy
import json
import logging
import pickle
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from unittest.mock import AsyncMock

import aiohttp
import attrs
import pytest
from aiohttp.abc import ResolveResult
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import (
    ConfigurationError,
    Fetched,
    InvalidIdError,
    RateLimit,
    RaydocsClient,
    RaydocsError,
    RetryPolicy,
)
from raydocs_async._exchange import Failure, FailureKind, Request, Response, Transport
from raydocs_async._secret import Secret
from raydocs_async.events import Event
from tests.strategies import readings, spelled, tokens
from tests.support.clients import (
    ONCE,
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
    """S3: a CancelledError, which has passed aiohttp's frames, shows neither token nor data."""
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
    assert isinstance(outcome, Fetched)
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


@pytest.mark.parametrize("name", ["get_session", "get_chunks", "wait_for_session"])
async def test_a_token_in_the_place_of_an_id(name: str) -> None:
    """S3: arguments that were swapped do not show the token, not even the rest of a long one."""
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


async def test_plain_http_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """S8: a name that leads away from this machine is a mistake in the settings: no retry."""
    found = ResolveResult(
        hostname="", host="10.9.8.7", port=80, family=socket.AF_INET, proto=0, flags=0
    )
    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", AsyncMock(return_value=[found]))
    async with client_for("http://foo.localhost", retry=THRICE) as client:
        with pytest.raises(ConfigurationError, match=r"10\.9\.8\.7, .* allow_http=True") as caught:
            await client.get_session(SESSION_ID)
    assert len(caught.value.attempts) == 1
    assert TOKEN not in everything_told(caught.value)


async def test_plain_http_by_a_borrowed_session() -> None:
    """S8: a name that a borrowed session would look up is refused when the client is built."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ConfigurationError, match=r"http to foo\.localhost"):
            client_for("http://foo.localhost", http_session=session)


async def test_plain_http_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """S5: a borrowed session that would go through a proxy is a mistake in the settings."""
    async with WireServer(good) as proxy, aiohttp.ClientSession(trust_env=True) as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with client_for("http://127.0.0.1:1", http_session=session, retry=THRICE) as client:
            with pytest.raises(ConfigurationError, match="goes through a proxy") as caught:
                await client.get_session(SESSION_ID)
    assert len(caught.value.attempts) == 1
    assert proxy.connections == 0
    assert TOKEN not in everything_told(caught.value)


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


# -- a server that repeats the token -----------------------------------------------------------


@frozen
class Echo(Transport):
    """A transport that gives one answer again and again."""

    outcome: Response | Failure = field(repr=False)

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Give the answer."""
        return self.outcome

    async def close(self) -> None:
        """Nothing is open."""


class Records(logging.Handler):
    """All that is logged, with its arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.lines.append(f"{record.getMessage()} {vars(record)}")

    def __enter__(self) -> Self:
        logger = logging.getLogger("raydocs_async")
        logger.addHandler(self)
        logger.setLevel(logging.DEBUG)
        return self

    def __exit__(self, *_: object) -> None:
        logger = logging.getLogger("raydocs_async")
        logger.removeHandler(self)
        logger.setLevel(logging.NOTSET)


async def told_of(token: str, transport: Transport | None, base_url: str | None = None) -> str:
    """All that is kept or shown of a call that fails."""
    events: list[Event] = []
    with Records() as records:
        async with RaydocsClient(
            token,
            base_url=base_url,
            transport=transport,
            retry=RetryPolicy(attempts=2, initial=0, maximum=0),
            rate_limit=RateLimit(max_wait=1e-3),
            on_event=events.append,
        ) as client:
            with pytest.raises(RaydocsError) as caught:
                await client.get_session(SESSION_ID)
    error = caught.value
    told = [str(error), repr(error), repr(error.args), with_locals(error, skip=1), repr(events)]
    told += [repr(value) for value in attrs.asdict(error, recurse=False).values()]
    told += [pickle.dumps(error, protocol).decode("latin-1") for protocol in range(6)]
    return "\n".join([*told, repr(copy.deepcopy(error).attempts), *records.lines])


ECHOING_HEADERS = (
    *("X-Request-Id", "X-Amzn-RequestId", "Retry-After", "Date", "Location", "Content-Type"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "WWW-Authenticate"),
)
ECHOING_BODIES: list[Callable[[str], str]] = [
    lambda said: json.dumps({"message": said}),
    lambda said: json.dumps({"message": f"no: {said}", "errors": {said: [said]}}),
    lambda said: f'{{"message": "not valid: {said}"}}',
    lambda said: json.dumps({"message": json.dumps({"authorization": said})}),
    lambda said: f"<html><title>{said}</title><p>{said}</p></html>",
    lambda said: json.dumps({"id": said, "name": [said]}),
    lambda said: f'{{"id": "{said}',
    lambda said: said,
]


@st.composite
def echoes(draw: st.DrawFn, said: st.SearchStrategy[str]) -> Response | Failure:
    """What comes back, with a text in any of its places."""
    if draw(st.integers(0, 9)) == 0:
        return Failure(draw(st.sampled_from(FailureKind)), f"it failed: {draw(said)}")
    status = draw(st.sampled_from([200, 302, 400, 401, 403, 404, 418, 422, 429, 500, 503]))
    headers = draw(st.dictionaries(st.sampled_from(ECHOING_HEADERS), said, max_size=4))
    body = draw(st.sampled_from(ECHOING_BODIES))(draw(said))
    encoding = draw(st.sampled_from(["utf-8", "utf-16"]))
    return Response(status, headers, body.encode(encoding, "surrogatepass"))


@given(st.data())
def test_no_place_of_a_reply_tells_the_token(data: st.DataObject) -> None:
    """S2: wherever a reply has the token, in any spelling, nothing that is kept or shown has it."""
    token = data.draw(tokens)
    outcome = data.draw(echoes(spelled(token)))
    told = asyncio.run(told_of(token, Echo(outcome)))
    secret = token.partition("|")[2].lower()
    found = [each for each in readings(told) if secret in each.lower()]
    assert not found


@given(echoes(st.text(st.characters(categories=["L", "P", "Z", "C"]), max_size=30)))
def test_no_byte_of_a_reply_stops_a_call(outcome: Response | Failure) -> None:
    """B21: whatever characters a reply has, its error can be encoded and is printable."""

    async def call() -> RaydocsError:
        async with RaydocsClient(
            TOKEN, transport=Echo(outcome), retry=ONCE, rate_limit=RateLimit(max_wait=1e-3)
        ) as client:
            with pytest.raises(RaydocsError) as caught:
                await client.get_session(SESSION_ID)
        return caught.value

    error = asyncio.run(call())
    for text in (str(error), error.request_id or "", error.body_excerpt, *map(str, error.attempts)):
        text.encode()
        assert text.isprintable()


SANCTUM = "7|Qf/9+kZpLr7Wm2XyT5vB8nDs4"
QUOTED = {
    "JSON by PHP": SANCTUM.replace("/", "\\/"),
    "JSON in hex": SANCTUM.replace("|", "\\u007C"),
    "percent": SANCTUM.replace("|", "%7C").replace("/", "%2f"),
    "HTML": SANCTUM.replace("|", "&#124;"),
    "as it is": SANCTUM,
}
PLACES: dict[str, Callable[[str], bytes]] = {
    "a message": lambda said: reply(f'{{"message": "no {said}"}}'.encode(), status="401 X"),
    "a body": lambda said: reply(said.encode(), status="404 X"),
    "a session": lambda said: reply(f'{{"id": "{said}"}}'.encode()),
    "a request id": lambda said: reply(status="500 X", headers={"X-Request-Id": said}),
    "a location": lambda said: reply(status="302 X", headers={"Location": f"/?token={said}"}),
    "a reason": lambda said: reply(status=f"400 {said}"),
    "a wait": lambda said: reply(status="429 X", headers={"Retry-After": said}),
}


@pytest.mark.parametrize("spelling", QUOTED.values(), ids=[f"S2 {name}" for name in QUOTED])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
async def test_a_token_that_the_server_repeats_is_not_told(
    place: Callable[[str], bytes], spelling: str
) -> None:
    """S2: a server that quotes the request in its error does not make us tell the token."""
    async with WireServer(place(spelling)) as server:
        told = await told_of(SANCTUM, None, server.url)
    assert not [each for each in readings(told) if SANCTUM.partition("|")[2] in each]


async def test_what_the_server_says_besides_the_token_is_kept() -> None:
    """S2: only the token goes out of a message."""

    def quote(request: Received) -> bytes:
        said = request.headers["authorization"]
        return reply(f'{{"message": "not valid: {said}"}}'.encode(), status="401 Unauthorized")

    async with WireServer(quote) as server, client_for(server.url) as client:
        with pytest.raises(RaydocsError, match="not valid: Bearer <hidden>"):
            await client.get_session(SESSION_ID)


async def test_bytes_that_are_no_text_in_a_request_id() -> None:
    """B21: a request id that is not UTF-8 becomes one that can be printed and written."""
    answer = reply(status="404 X").replace(b"\r\n", b"\r\nX-Request-Id: a\xffb\xc2\x9b2J\r\n", 1)
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(RaydocsError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.request_id == "a\N{REPLACEMENT CHARACTER}b 2J"
