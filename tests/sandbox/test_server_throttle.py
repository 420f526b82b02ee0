"""The running sandbox's rate limit: its windows, its peers, and its clock."""

import asyncio
from email.utils import parsedate_to_datetime

import aiohttp
import pytest

from raydocs_async.sandbox import Sandbox
from tests.support.clients import UNKNOWN
from tests.support.plain_http import Connect, get, statuses


async def test_peers(connect: Connect) -> None:
    """Each peer address has its own window, whose number is in the log."""
    async with Sandbox(limit=1) as api:
        other = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
        async with aiohttp.ClientSession(
            f"{api.url}/extractions/sessions/", headers=connect(api).headers, connector=other
        ) as http:
            seen = await statuses(connect(api), *api.ids(2)), await statuses(http, *api.ids(2))
    assert seen == ([200, 429], [200, 429])
    assert [entry.window for entry in api.log] == [1, 1, 2, 2]


async def test_throttle(connect: Connect) -> None:
    """A request over the limit is a 429, and does not count."""
    async with Sandbox(limit=2) as api:
        http = connect(api)
        assert await statuses(http, *api.ids(4)) == [200, 200, 429, 429]
        refused = await get(http, UNKNOWN)
        assert (await refused.json()) == {"message": "Too Many Attempts."}
        assert refused.headers["Retry-After"] in {"59", "60"}
        assert api.throttle.hits(api.now) == 2


async def test_limit_can_change(connect: Connect) -> None:
    """The limit can be changed or removed while the sandbox runs."""
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
