"""The running sandbox, over real connections."""

import asyncio
import errno
import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from raydocs_async.sandbox import Chaos, Fault, Sandbox
from raydocs_async.sandbox._server import _url
from raydocs_async.sandbox._stats import LogEntry

Connect = Callable[[Sandbox], aiohttp.ClientSession]

UNKNOWN = "770e8400-e29b-41d4-a716-446655440000"


async def get(http: aiohttp.ClientSession, target: str, **options: Any) -> aiohttp.ClientResponse:
    """A reply, read to its end."""
    async with http.get(target, allow_redirects=False, **options) as response:
        await response.read()
        return response


async def statuses(http: aiohttp.ClientSession, *targets: str) -> list[int]:
    """The statuses of requests that are sent one after another."""
    return [(await get(http, target)).status for target in targets]


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until something has happened."""
    while not condition():  # noqa: ASYNC110 - what it waits for has no event
        await asyncio.sleep(0.001)


async def exchange(api: Sandbox, session_id: str) -> bytes:
    """All bytes of one reply, from a client that knows nothing of HTTP."""
    address = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(*address)
    head = f"GET /extractions/sessions/{session_id} HTTP/1.1\r\nHost: x\r\n"
    writer.write(f"{head}Authorization: Bearer {api.token}\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_session(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """It serves what it says it serves."""
    (session_id,) = api.ids(1)
    response = await get(http, session_id)
    assert response.status == 200
    assert response.content_type == "application/json"
    assert await response.json() == api.session(session_id)


async def test_put(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """It serves a payload of the user's own."""
    own = {"id": UNKNOWN, "name": "mine"}
    api.put(own)
    assert await (await get(http, UNKNOWN)).json() == own == api.session(UNKNOWN)
    assert UNKNOWN in api.ids(1001)


def test_session_is_a_copy() -> None:
    """Changing a session that was looked up changes nothing."""
    api = Sandbox()
    (session_id,) = api.ids(1)
    api.session(session_id).clear()
    assert api.session(session_id)["id"] == session_id


def test_unknown_session() -> None:
    """To look up a session that does not exist is a `KeyError`."""
    with pytest.raises(KeyError, match=UNKNOWN):
        Sandbox().session(UNKNOWN)


async def test_unknown_id(http: aiohttp.ClientSession) -> None:
    """An unknown id is the framework's 404, with the rate limit's headers."""
    response = await get(http, UNKNOWN)
    assert response.status == 404
    assert (await response.json())["message"].endswith(
        f"[App\\Models\\ExtractionSession] {UNKNOWN}"
    )
    assert response.headers["X-RateLimit-Remaining"] == "99"


async def test_encoded_path(http: aiohttp.ClientSession) -> None:
    """A malformed id is one 404 more, and is repeated as it was meant."""
    response = await get(http, "a%20b")
    assert (await response.json())["message"].endswith(" a b")


async def test_head(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """HEAD tells the length of the body that it leaves out."""
    async with http.head(api.ids(1)[0]) as response:
        assert int(response.headers["Content-Length"]) > 7_000
        assert await response.read() == b""


async def test_tokens(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """The forbidden token is known and may not; any other is unknown."""
    (session_id,) = api.ids(1)
    seen = []
    for token in (api.token, api.forbidden_token, "other"):
        headers = {"Authorization": f"Bearer {token}"}
        seen.append((await get(http, session_id, headers=headers)).status)
    assert seen == [200, 403, 401]


async def test_browser(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Where JSON is not the first choice, a missing login is a redirect, and errors are pages."""
    browser = {"Accept": "*/*", "Authorization": ""}
    redirect = await get(http, UNKNOWN, headers=browser)
    assert (redirect.status, redirect.headers["Location"]) == (302, f"{api.url}/login")
    page = await get(http, UNKNOWN, headers={"Accept": "*/*"})
    assert (page.status, page.content_type) == (404, "text/html")
    assert api.stats.unauthorized == 1


async def test_trailing_slash(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A slash at the end of a session's path does not matter."""
    assert await statuses(http, f"{api.ids(1)[0]}/") == [200]
    assert api.log[0].resource_id == api.ids(1)[0]


async def test_options(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """OPTIONS is answered with the methods that there are, and costs nothing."""
    async with http.options(UNKNOWN) as reply:
        assert (reply.status, reply.headers["Allow"]) == (200, "GET,HEAD")
        assert await reply.read() == b""
    assert api.throttle.hits(api.now) == 0


async def test_peers(connect: Connect) -> None:
    """Each peer address has a window of its own, with a number in the log."""
    async with Sandbox(limit=1) as api:
        other = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(
            f"{api.url}/extractions/sessions/", headers=connect(api).headers, connector=other
        ) as http:
            seen = await statuses(connect(api), *api.ids(2)), await statuses(http, *api.ids(2))
    assert seen == ([200, 429], [200, 429])
    assert [entry.window for entry in api.log] == [1, 1, 2, 2]


async def test_every_reply_has_an_id(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Each reply has an id of its own, a 401 and a 404 too."""
    api.script(Fault.status(503))
    replies = [await get(http, target) for target in (UNKNOWN, UNKNOWN, "/")]
    replies.append(await get(http, UNKNOWN, headers={"Authorization": ""}))
    assert [reply.status for reply in replies] == [503, 404, 404, 401]
    assert len({reply.headers["X-Request-Id"] for reply in replies}) == 4


async def test_throttle(connect: Connect) -> None:
    """Over the limit it answers 429, and the refusal costs nothing."""
    async with Sandbox(limit=2) as api:
        http = connect(api)
        assert await statuses(http, *api.ids(4)) == [200, 200, 429, 429]
        refused = await get(http, UNKNOWN)
        assert (await refused.json()) == {"message": "Too Many Attempts."}
        assert refused.headers["Retry-After"] in {"59", "60"}
        assert api.throttle.hits(api.now) == 2


async def test_limit_can_change(connect: Connect) -> None:
    """The limit may be changed, or lifted, while the sandbox runs."""
    async with Sandbox(limit=1) as api:
        http = connect(api)
        assert await statuses(http, *api.ids(2)) == [200, 429]
        api.throttle.limit = None
        response = await get(http, api.ids(1)[0])
        assert response.status == 200
        assert not [name for name in response.headers if name.startswith("X-RateLimit")]


@pytest.mark.looptime
async def test_window_on_a_virtual_clock(connect: Connect) -> None:
    """A minute of the loop's clock is a minute of the window, to the second of its headers."""
    async with Sandbox(limit=1) as api:
        http = connect(api)
        assert await statuses(http, *api.ids(2)) == [200, 429]
        await asyncio.sleep(59.9)
        assert await statuses(http, *api.ids(1)) == [429]
        await asyncio.sleep(0.2)
        assert await statuses(http, *api.ids(2)) == [200, 429]
        assert [entry.window for entry in api.log] == [1, 1, 1, 2, 2]


@pytest.mark.looptime
async def test_date_follows_the_virtual_clock(connect: Connect) -> None:
    """The `Date` of a reply is the server's time, not the machine's."""
    async with Sandbox() as api:
        http = connect(api)
        first = await get(http, UNKNOWN)
        await asyncio.sleep(7200)
        second = await get(http, UNKNOWN)
    early, late = (parsedate_to_datetime(reply.headers["Date"]) for reply in (first, second))
    assert 7199 <= (late - early).total_seconds() <= 7201


@pytest.mark.looptime
async def test_latency(connect: Connect) -> None:
    """Latency is spent by accepted requests, before their headers are made."""
    async with Sandbox(limit=2, latency=5) as api:
        http = connect(api)
        start = asyncio.get_running_loop().time()
        replies = await asyncio.gather(*(get(http, id_) for id_ in api.ids(2)))
        assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.5)
        assert {reply.headers["X-RateLimit-Remaining"] for reply in replies} == {"0"}
        assert (await get(http, UNKNOWN)).status == 429
        assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.5)


@pytest.mark.looptime
async def test_fault_latency(connect: Connect) -> None:
    """A late reply comes later by what was said, and is right."""
    async with Sandbox() as api:
        http = connect(api)
        api.script(Fault.latency(20))
        start = asyncio.get_running_loop().time()
        assert await statuses(http, *api.ids(1)) == [200]
        assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.5)


async def test_script(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Scripted faults hit the next requests, or those for one session."""
    first, second = api.ids(2)
    api.script(Fault.status(500), Fault.status(503, retry_after="2"))
    api.script_for(second, Fault.status(502))
    assert await statuses(http, first, second, first, first) == [500, 502, 503, 200]


async def test_a_script_can_be_cleared(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """What has not hit yet is forgotten, for one session and for all."""
    first, second = api.ids(2)
    api.script(Fault.status(500))
    api.script_for(second, Fault.status(502))
    api.clear_script()
    assert await statuses(http, first, second) == [200, 200]


async def test_chaos(connect: Connect) -> None:
    """Random faults hit some requests, and the rest go well."""
    async with Sandbox(chaos=Chaos(0.5, (Fault.status(500),), seed=1)) as api:
        seen = Counter(await statuses(connect(api), *api.ids(50)))
    assert seen[200] + seen[500] == 50
    assert seen[500] == api.stats.faults > 10


@pytest.mark.parametrize("status", [204, 304, 418, 600, 999])
async def test_odd_status(api: Sandbox, http: aiohttp.ClientSession, status: int) -> None:
    """A status that nobody expects, or that has no body, is sent as it was scripted."""
    api.script(Fault.status(status))
    assert await statuses(http, UNKNOWN, *api.ids(1)) == [status, 200]


async def test_scripted_body(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A scripted body arrives byte for byte."""
    api.script(Fault.body(b"\xff<html>", content_type="text/html"))
    async with http.get(UNKNOWN) as response:
        assert await response.read() == b"\xff<html>"
        assert response.content_type == "text/html"


async def test_cut(api: Sandbox) -> None:
    """A cut reply promises the whole body, and ends after half of it."""
    api.script(Fault.cut())
    (session_id,) = api.ids(1)
    whole = await asyncio.wait_for(exchange(api, session_id), 5)
    head, _, body = whole.partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert b"X-RateLimit-Remaining: 99" in head
    assert len(body) == promised // 2


async def test_reset(api: Sandbox) -> None:
    """A reset connection is a reset, not an end, and comes before any byte."""
    api.script(Fault.reset())
    with pytest.raises(ConnectionResetError):
        await exchange(api, UNKNOWN)


async def test_stall_ends_with_the_client(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A stalled request is given up as soon as its client has gone."""
    api.script(Fault.stall())
    request = asyncio.create_task(get(http, UNKNOWN))
    await until(lambda: api.stats.faults)
    assert not api.log
    request.cancel()
    await until(lambda: api.log)
    assert api.log[0].status is None
    assert not api.stats.statuses


@pytest.mark.looptime
async def test_close_ends_a_stall(connect: Connect) -> None:
    """Closing does not wait for stalled or late requests: their clients see a broken connection."""
    loop = asyncio.get_running_loop()
    async with Sandbox() as api:
        http = connect(api)
        api.script(Fault.stall(), Fault.latency(60))
        requests = [asyncio.create_task(get(http, id_)) for id_ in api.ids(2)]
        await until(lambda: api.stats.faults == 2)
        start = loop.time()
    assert loop.time() - start < 0.01
    results = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results)


async def test_close_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """After closing there is no task, and nothing was complained about."""
    caplog.set_level(logging.WARNING)
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no complaint
    tasks = asyncio.all_tasks()
    faults = (Fault.stall(), Fault.cut(), Fault.reset(), Fault.latency(60))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Sandbox())
        api.script(*faults)
        clients = [asyncio.create_task(exchange(api, id_)) for id_ in api.ids(len(faults) + 1)]
        await until(lambda: api.stats.requests == len(clients))
    assert asyncio.all_tasks() - set(clients) == tasks
    await asyncio.gather(*clients, return_exceptions=True)
    assert not caplog.records


async def test_stats(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Every request on the wire is counted, once for what became of it."""
    api.throttle.limit = 3
    api.script(Fault.status(500))
    await get(http, UNKNOWN, headers={"Authorization": ""})
    assert await statuses(http, UNKNOWN, UNKNOWN, *api.ids(2)) == [500, 404, 200, 429]
    stats = api.stats
    assert (stats.requests, stats.accepted, stats.throttled) == (5, 3, 1)
    assert (stats.unauthorized, stats.not_found, stats.faults) == (1, 1, 1)
    assert stats.statuses == {401: 1, 500: 1, 404: 1, 200: 1, 429: 1}
    assert stats.peak_in_flight == 1


@pytest.mark.looptime
async def test_peak_in_flight(connect: Connect) -> None:
    """It tells how many requests were being answered at once."""
    async with Sandbox(latency=1) as api:
        http = connect(api)
        await asyncio.gather(*(get(http, id_) for id_ in api.ids(7)))
        await get(http, UNKNOWN)
    assert api.stats.peak_in_flight == 7


async def test_hidden_resend_is_counted(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A request that the HTTP client repeats by itself came twice over the wire."""
    api.script(Fault.reset())
    assert await statuses(http, *api.ids(1)) == [200]
    assert (api.stats.requests, api.stats.accepted) == (2, 2)


async def test_log(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A log entry has the time, path, resource, status and window of a request."""
    (session_id,) = api.ids(1)
    await statuses(http, "/other", session_id)
    first, second = api.log
    assert first == LogEntry(first.time, "/other", None, None, 404, 0)
    path = f"/extractions/sessions/{session_id}"
    assert second == LogEntry(second.time, path, "session", session_id, 200, 1)
    assert 0 <= first.time <= second.time < 10


async def test_log_is_bounded(connect: Connect) -> None:
    """The log keeps the latest records alone."""
    async with Sandbox(log_size=2) as api:
        await statuses(connect(api), *api.ids(3))
        assert [entry.resource_id for entry in api.log] == api.ids(3)[1:]


def test_not_running() -> None:
    """Before it is entered there is neither an address nor a time, and the error says so."""
    api = Sandbox()
    for name in ("url", "now"):
        with pytest.raises(RuntimeError, match="not running"):
            getattr(api, name)


async def test_close_ends_the_address() -> None:
    """Afterwards there is no address any more, while what was counted stays."""
    async with Sandbox() as api:
        pass
    assert "not running" in repr(api)
    with pytest.raises(RuntimeError, match="not running"):
        api.url  # noqa: B018


async def test_entered_twice(api: Sandbox) -> None:
    """A sandbox that runs cannot be started again."""
    with pytest.raises(RuntimeError, match="running already"):
        await api.__aenter__()


async def test_entered_again(connect: Connect) -> None:
    """A sandbox that was closed can be started again, and has kept its counters."""
    api = Sandbox()
    for _ in range(2):
        async with api:
            await get(connect(api), UNKNOWN)
    assert api.stats.requests == 2


async def test_port_in_use(api: Sandbox) -> None:
    """A port that is taken is an error at once, and leaves nothing behind."""
    port = int(api.url.rpartition(":")[2])
    with pytest.raises(OSError) as raised:  # noqa: PT011 - its words are the platform's
        await Sandbox(port=port).__aenter__()
    assert raised.value.errno == errno.EADDRINUSE


async def test_repr(api: Sandbox) -> None:
    """Its repr tells where it is and how it is throttled, and not the token."""
    assert api.url in repr(api)
    assert "limit=100" in repr(api)
    assert api.token not in repr(api)


@pytest.mark.parametrize(
    ("address", "expected"),
    [(("127.0.0.1", 80), "http://127.0.0.1:80"), (("::1", 80, 0, 0), "http://[::1]:80")],
)
def test_url(address: tuple[Any, ...], expected: str) -> None:
    """An IPv6 address is written in brackets."""
    assert _url(*address[:2]) == expected


def test_no_sessions() -> None:
    """A sandbox may start empty."""
    with pytest.raises(ValueError, match="0 exist"):
        Sandbox(sessions=0).ids(1)


async def url_of(http: aiohttp.ClientSession, document_id: str) -> str:
    """The signed URL of a document's file."""
    reply = await get(http, f"/extractions/documents/{document_id}/url")
    url: str = (await reply.json())["url"]
    return url


async def test_file(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A document's URL leads to its file, which needs no token and costs no hit."""
    document = api.session(api.ids(1)[0])["documents"][0]
    url = await url_of(http, document["id"])
    async with aiohttp.ClientSession() as anonymous, anonymous.get(url) as reply:
        file = await reply.read()
    assert hashlib.sha256(file).hexdigest() == document["sha256"]
    assert not [name for name in reply.headers if name.startswith("X-RateLimit")]
    assert api.throttle.hits(api.now) == api.stats.accepted == 1
    assert [(entry.resource, entry.resource_id) for entry in api.log] == [
        ("url of document", document["id"]),
        ("file of document", document["id"]),
    ]


async def test_file_with_a_token(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A request for a file with the API's token is refused, as the storage does."""
    url = await url_of(http, api.session(api.ids(1)[0])["documents"][0]["id"])
    assert await statuses(http, url) == [400]


@pytest.mark.looptime
async def test_file_expires(connect: Connect) -> None:
    """A signed URL leads nowhere after ten minutes of the server's time."""
    async with Sandbox() as api, aiohttp.ClientSession() as anonymous:
        url = await url_of(connect(api), api.session(api.ids(1)[0])["documents"][0]["id"])
        await asyncio.sleep(598)
        assert await statuses(anonymous, url) == [200]
        await asyncio.sleep(3)
        assert await statuses(anonymous, url) == [403]


async def test_a_cut_file(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A fault for the path of a file hits its download, and not the request for its URL."""
    document_id = api.session(api.ids(1)[0])["documents"][0]["id"]
    api.script_for(f"/files/{document_id}", Fault.cut())
    url = await url_of(http, document_id)
    async with aiohttp.ClientSession() as anonymous:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(anonymous, url)
        assert await statuses(anonymous, url) == [200]


async def test_pages(connect: Connect) -> None:
    """The query of a list's URL chooses its page."""
    async with Sandbox(per_page=2) as api:
        (session_id,) = api.ids(1)
        reply = await get(connect(api), f"{session_id}/documents?page=2")
        assert (await reply.json())["data"] == api.session(session_id)["documents"][2:]


async def test_shapes(connect: Connect) -> None:
    """A sandbox serves older shapes when it is configured so."""
    async with Sandbox(shapes="oldest") as api:
        (session_id,) = api.ids(1)
        reply = await get(connect(api), f"{session_id}/documents")
        assert await reply.json() == api.session(session_id)["documents"]


@pytest.mark.looptime
async def test_sessions_finish(connect: Connect) -> None:
    """Sessions finish one after another on the server's clock, and then they stay finished."""
    finished = []
    async with Sandbox(finish_within=1000) as api:
        http = connect(api)
        for _ in range(5):
            bodies = [await (await get(http, each)).json() for each in api.ids(10)]
            assert bodies == [api.session(each) for each in api.ids(10)]
            finished.append(sum(body["status"] == "completed" for body in bodies))
            await asyncio.sleep(275)
    assert finished[0] == 0 < finished[1] < finished[2] < finished[3] <= finished[4] == 10


async def test_not_started() -> None:
    """A sandbox that has not started has sessions as they will be at its start."""
    api = Sandbox(finish_within=1)
    assert api.session(api.ids(1)[0])["status"] == "pending"


@pytest.mark.parametrize(
    ("name", "value"), [("finish_within", 0), ("per_page", 0), ("shapes", "new"), ("sessions", -1)]
)
def test_bad_arguments(name: str, value: Any) -> None:
    """An argument out of its range is an error that names it."""
    with pytest.raises(ValueError, match=name):
        Sandbox(**{name: value})
