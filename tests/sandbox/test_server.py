"""The running sandbox: its replies over real connections."""

import asyncio
from typing import Any

import aiohttp
import pytest

from raydocs_async.sandbox import Fault, Sandbox
from raydocs_async.sandbox._server import _url
from raydocs_async.sandbox._stats import LogEntry
from tests.support.clients import UNKNOWN
from tests.support.plain_http import Connect, get, statuses


async def test_session(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A session is served as `session` returns it."""
    (session_id,) = api.ids(1)
    response = await get(http, session_id)
    assert response.status == 200
    assert response.content_type == "application/json"
    assert await response.json() == api.session(session_id)


async def test_put(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A payload of the user's own is served."""
    own = {"id": UNKNOWN, "name": "mine"}
    api.put(own)
    assert await (await get(http, UNKNOWN)).json() == own == api.session(UNKNOWN)
    assert UNKNOWN in api.ids(1001)


async def test_unknown_id(http: aiohttp.ClientSession) -> None:
    """An unknown id is the framework's 404, with the rate limit's headers."""
    response = await get(http, UNKNOWN)
    assert response.status == 404
    assert (await response.json())["message"].endswith(
        f"[App\\Models\\ExtractionSession] {UNKNOWN}"
    )
    assert response.headers["X-RateLimit-Remaining"] == "99"


async def test_encoded_path(http: aiohttp.ClientSession) -> None:
    """A malformed id is a 404 whose message has it decoded."""
    response = await get(http, "a%20b")
    assert (await response.json())["message"].endswith(" a b")


async def test_head(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """The reply to HEAD has the length of the body that it leaves out."""
    async with http.head(api.ids(1)[0]) as response:
        assert int(response.headers["Content-Length"]) > 7_000
        assert await response.read() == b""


async def test_tokens(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """The forbidden token is a 403, and any unknown one a 401."""
    (session_id,) = api.ids(1)
    seen = []
    for token in (api.token, api.forbidden_token, "other"):
        headers = {"Authorization": f"Bearer {token}"}
        seen.append((await get(http, session_id, headers=headers)).status)
    assert seen == [200, 403, 401]


async def test_browser(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """To a browser, a missing login is a redirect, and errors are pages."""
    browser = {"Accept": "*/*", "Authorization": ""}
    redirect = await get(http, UNKNOWN, headers=browser)
    assert (redirect.status, redirect.headers["Location"]) == (302, f"{api.url}/login")
    page = await get(http, UNKNOWN, headers={"Accept": "*/*"})
    assert (page.status, page.content_type) == (404, "text/html")
    assert api.stats.unauthorized == 1


async def test_trailing_slash(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A slash at the end of a session's path makes no difference."""
    assert await statuses(http, f"{api.ids(1)[0]}/") == [200]
    assert api.log[0].resource_id == api.ids(1)[0]


async def test_options(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """The reply to OPTIONS has the allowed methods, and the request does not count."""
    async with http.options(UNKNOWN) as reply:
        assert (reply.status, reply.headers["Allow"]) == (200, "GET,HEAD")
        assert await reply.read() == b""
    assert api.throttle.hits(api.now) == 0


async def test_every_reply_has_an_id(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Each reply has its own request id, even a 401 or a 404."""
    api.script(Fault.status(503))
    replies = [await get(http, target) for target in (UNKNOWN, UNKNOWN, "/")]
    replies.append(await get(http, UNKNOWN, headers={"Authorization": ""}))
    assert [reply.status for reply in replies] == [503, 404, 404, 401]
    assert len({reply.headers["X-Request-Id"] for reply in replies}) == 4


@pytest.mark.looptime
async def test_latency(connect: Connect) -> None:
    """The latency of an accepted request passes before its headers are made."""
    async with Sandbox(limit=2, latency=5) as api:
        http = connect(api)
        start = asyncio.get_running_loop().time()
        replies = await asyncio.gather(*(get(http, id_) for id_ in api.ids(2)))
        assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.5)
        assert {reply.headers["X-RateLimit-Remaining"] for reply in replies} == {"0"}
        assert (await get(http, UNKNOWN)).status == 429
        assert asyncio.get_running_loop().time() - start == pytest.approx(5, abs=0.5)


async def test_stats(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """Every request on the wire is counted, and once for its result."""
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
    """The statistics have the largest number of simultaneous requests."""
    async with Sandbox(latency=1) as api:
        http = connect(api)
        await asyncio.gather(*(get(http, id_) for id_ in api.ids(7)))
        await get(http, UNKNOWN)
    assert api.stats.peak_in_flight == 7


async def test_hidden_resend_is_counted(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A request that the HTTP client repeats by itself is counted twice."""
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
    """The log keeps only the latest entries."""
    async with Sandbox(log_size=2) as api:
        await statuses(connect(api), *api.ids(3))
        assert [entry.resource_id for entry in api.log] == api.ids(3)[1:]


@pytest.mark.parametrize(
    ("address", "expected"),
    [(("127.0.0.1", 80), "http://127.0.0.1:80"), (("::1", 80, 0, 0), "http://[::1]:80")],
)
def test_url(address: tuple[Any, ...], expected: str) -> None:
    """An IPv6 address is written in brackets."""
    assert _url(*address[:2]) == expected


async def test_pages(connect: Connect) -> None:
    """The query of a list's URL chooses its page."""
    async with Sandbox(per_page=2) as api:
        (session_id,) = api.ids(1)
        reply = await get(connect(api), f"{session_id}/documents?page=2")
        assert (await reply.json())["data"] == api.session(session_id)["documents"][2:]


async def test_shapes(connect: Connect) -> None:
    """A sandbox with `shapes` serves replies of older shapes."""
    async with Sandbox(shapes="oldest") as api:
        (session_id,) = api.ids(1)
        reply = await get(connect(api), f"{session_id}/documents")
        assert await reply.json() == api.session(session_id)["documents"]


@pytest.mark.looptime
async def test_sessions_finish(connect: Connect) -> None:
    """Sessions finish one after another on the server's clock, and stay finished."""
    finished = []
    async with Sandbox(finish_within=1000) as api:
        http = connect(api)
        for _ in range(5):
            bodies = [await (await get(http, each)).json() for each in api.ids(10)]
            assert bodies == [api.session(each) for each in api.ids(10)]
            finished.append(sum(body["status"] == "completed" for body in bodies))
            await asyncio.sleep(275)
    assert finished[0] == 0 < finished[1] < finished[2] < finished[3] <= finished[4] == 10
