"""The bodies of replies: cut, encoded, too large, or of an error."""

import asyncio
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from raydocs_async._aiohttp._reply import ERROR_BODY_LIMIT, ERROR_BODY_TIMEOUT
from raydocs_async._exchange import FailureKind
from tests.support.clients import GET, SESSION_ID, until
from tests.support.replies import CHUNKED, GZIP, bomb, chunk, good, gzipped, reply, session_json
from tests.support.transports import GOOD, failure_of, open_transport, response_of
from tests.support.wire import Answer, End, Endless, Pause, Step, WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]

MIB = 2**20


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param((GOOD[:-9], End.CLOSE), FailureKind.CUT, id="B1 length"),
        pytest.param(
            (reply(b"5\r\nabc", framed=False, headers=CHUNKED), End.CLOSE),
            FailureKind.CUT,
            id="B2 chunked",
        ),
        pytest.param((reply(b"x" * 9, headers=GZIP),), FailureKind.CUT, id="B4 not gzip"),
        pytest.param((reply(bytes(64 * 1024 + 1)),), FailureKind.TOO_LARGE, id="B8 one too many"),
    ],
)
async def test_a_body_that_fails(answer: Answer, kind: FailureKind) -> None:
    """A body that is cut or too long is a failure; the request was sent."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (kind, True)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "x-gzip", "gzip, br", "7b"])
async def test_an_encoding_that_was_not_asked_for(encoding: str) -> None:
    """B4: a body in another encoding is a failure, whichever packages are installed."""
    answer = reply(b"\x0b\x02\x80{}\x03", headers={"Content-Encoding": encoding})
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        failure = await failure_of(transport)
    assert (failure.kind, failure.sent) == (FailureKind.ENCODING, True)
    assert "not gzip or deflate" in failure.reason


@pytest.mark.parametrize("encoding", ["identity", "GZIP", "", "deflate"])
async def test_an_encoding_that_can_be_read(encoding: str) -> None:
    """B4: the requested encodings are read, in either case, and so is a body without encoding."""
    encoders: dict[str, Callable[[bytes], bytes]] = {"GZIP": gzipped, "deflate": zlib.compress}
    encode = encoders.get(encoding, bytes)
    answer = reply(encode(session_json(SESSION_ID)), headers={"Content-Encoding": encoding})
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        assert (await response_of(transport)).body == session_json(SESSION_ID)
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


async def test_a_body_as_long_as_the_cap() -> None:
    """A body of exactly `max_response_bytes` is read."""
    async with (
        WireServer(reply(bytes(64 * 1024))) as server,
        open_transport(server.url) as transport,
    ):
        assert len((await response_of(transport)).body) == 64 * 1024


async def test_a_chunked_body_one_byte_over_the_cap() -> None:
    """B7: without a length, the bytes of a body are counted, to the byte."""
    answer = reply(chunk(bytes(64 * 1024 + 1)) + chunk(b""), framed=False, headers=CHUNKED)
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        assert (await failure_of(transport)).kind is FailureKind.TOO_LARGE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((reply(bomb(64), headers=GZIP), End.HANG), id="B6 gzip bomb"),
        pytest.param(
            (reply(framed=False, headers=CHUNKED), Endless(chunk(bytes(4096)))), id="B7 endless"
        ),
        pytest.param((reply(headers={"Content-Length": str(10 * 2**30)}), End.HANG), id="B8 10 GB"),
    ],
)
async def test_a_body_over_the_cap_ends_its_connection(answer: Answer) -> None:
    """A body that is too large drops its connection; the next exchange succeeds."""
    async with WireServer(answer, good) as server, open_transport(server.url) as transport:
        assert (await failure_of(transport)).kind is FailureKind.TOO_LARGE
        assert (await response_of(transport)).body == session_json(SESSION_ID)
        await until(lambda: server.open_connections == 1)
    assert server.connections == 2


async def test_the_memory_for_a_gzip_bomb_is_bounded() -> None:
    """B6: 512 kB that inflate to 512 MiB take less than 16 MiB of memory."""
    answer = reply(bomb(512), headers=GZIP)
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        tracemalloc.start()
        try:
            await transport.send(GET)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * MIB


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(
            status,
            (
                reply(framed=False, status=f"{status} Odd", headers=CHUNKED),
                Endless(chunk(b"x" * 4096)),
            ),
            id=f"B9 endless {status}",
        )
        for status in (302, 404, 429, 500)
    ],
)
async def test_the_body_of_an_error_is_capped(status: int, answer: Answer) -> None:
    """An error with an endless body keeps its status and the beginning of its body."""
    async with WireServer(answer) as server, open_transport(server.url) as transport:
        response = await response_of(transport)
        await until(lambda: server.open_connections == 0)
    assert response.status == status
    assert response.body == b"x" * ERROR_BODY_LIMIT


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((End.CLOSE,), id="B1 cut"),
        pytest.param((End.RESET,), id="N9 reset"),
    ],
)
async def test_an_error_without_its_body_keeps_its_status(answer: tuple[Step, ...]) -> None:
    """An error whose body is lost keeps its status."""
    head = reply(b"{", status="404 Not Found", headers={"Content-Length": "99"})
    async with WireServer((head, *answer)) as server, open_transport(server.url) as transport:
        response = await response_of(transport)
    assert (response.status, response.body) == (404, b"")


@pytest.mark.looptime
async def test_the_body_of_an_error_is_not_waited_for() -> None:
    """The body of an error has a time-out of its own, after which the status alone counts."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with (
        WireServer((head, End.HANG)) as server,
        open_transport(server.url, attempt_timeout=60.0) as transport,
    ):
        assert (await response_of(transport)).status == 404
    assert asyncio.get_running_loop().time() == pytest.approx(ERROR_BODY_TIMEOUT)


@pytest.mark.looptime
async def test_an_errors_status_survives_the_end_of_the_attempt() -> None:
    """A received status counts, even if the attempt's time ends within the body."""
    head = reply(status="404 Not Found", headers={"Content-Length": "99"})
    async with (
        WireServer((Pause(3.0), head, End.HANG)) as server,
        open_transport(server.url, attempt_timeout=5.0) as transport,
    ):
        assert (await response_of(transport)).status == 404
