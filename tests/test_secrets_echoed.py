"""A server that repeats the token, in any place and spelling of its reply."""

import asyncio
import copy
import json
import logging
import pickle
from collections.abc import Callable
from typing import Self

import attrs
import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async import RateLimit, RaydocsClient, RaydocsError, RetryPolicy
from raydocs_async._exchange import Failure, FailureKind, Request, Response, Transport
from raydocs_async.events import Event
from tests.strategies import readings, spelled, tokens
from tests.support.clients import ONCE, SESSION_ID, TOKEN, client_for
from tests.support.replies import reply
from tests.support.reports import with_locals
from tests.support.wire import Received, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


@frozen
class Echo(Transport):
    """A transport that always gives the same result."""

    outcome: Response | Failure = field(repr=False)

    async def send(self, request: Request, deadline: float) -> Response | Failure:
        """Return the result."""
        return self.outcome

    async def close(self) -> None:
        """Do nothing, because nothing is open."""


class Records(logging.Handler):
    """A handler that keeps all log records, with their arguments."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record."""
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
    """Return all that is kept or shown of a call that fails."""
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
    """Draw a result with a text in any of its places."""
    if draw(st.integers(0, 9)) == 0:
        return Failure(draw(st.sampled_from(FailureKind)), f"it failed: {draw(said)}")
    status = draw(st.sampled_from([200, 302, 400, 401, 403, 404, 418, 422, 429, 500, 503]))
    headers = draw(st.dictionaries(st.sampled_from(ECHOING_HEADERS), said, max_size=4))
    body = draw(st.sampled_from(ECHOING_BODIES))(draw(said))
    encoding = draw(st.sampled_from(["utf-8", "utf-16"]))
    return Response(status, headers, body.encode(encoding, "surrogatepass"))


@given(st.data())
def test_no_place_of_a_reply_tells_the_token(data: st.DataObject) -> None:
    """S2: wherever a reply has the token, in any spelling, nothing kept or shown has it."""
    token = data.draw(tokens)
    outcome = data.draw(echoes(spelled(token)))
    told = asyncio.run(told_of(token, Echo(outcome)))
    secret = token.partition("|")[2].lower()
    found = [each for each in readings(told) if secret in each.lower()]
    assert not found


@given(echoes(st.text(st.characters(categories=["L", "P", "Z", "C"]), max_size=30)))
def test_no_byte_of_a_reply_stops_a_call(outcome: Response | Failure) -> None:
    """B21: the error for a reply of any characters can be encoded and is printable."""

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
    """S2: the error for a reply that quotes the request does not show the token."""
    async with WireServer(place(spelling)) as server:
        told = await told_of(SANCTUM, None, server.url)
    assert not [each for each in readings(told) if SANCTUM.partition("|")[2] in each]


async def test_what_the_server_says_besides_the_token_is_kept() -> None:
    """S2: only the token is taken out of a message."""

    def quote(request: Received) -> bytes:
        said = request.headers["authorization"]
        return reply(f'{{"message": "not valid: {said}"}}'.encode(), status="401 Unauthorized")

    async with WireServer(quote) as server, client_for(server.url) as client:
        with pytest.raises(RaydocsError, match="not valid: Bearer <hidden>"):
            await client.get_session(SESSION_ID)


async def test_bytes_that_are_no_text_in_a_request_id() -> None:
    """B21: a request id that is not UTF-8 becomes printable."""
    answer = reply(status="404 X").replace(b"\r\n", b"\r\nX-Request-Id: a\xffb\xc2\x9b2J\r\n", 1)
    async with WireServer(answer) as server, client_for(server.url) as client:
        with pytest.raises(RaydocsError) as caught:
            await client.get_session(SESSION_ID)
    assert caught.value.request_id == "a\N{REPLACEMENT CHARACTER}b 2J"
