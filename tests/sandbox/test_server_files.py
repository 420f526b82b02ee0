"""The running sandbox's storage of files: signed URLs without the token."""

import asyncio
import hashlib

import aiohttp
import pytest

from raydocs_async.sandbox import Fault, Sandbox
from tests.support.plain_http import Connect, get, statuses


async def url_of(http: aiohttp.ClientSession, document_id: str) -> str:
    """Return the signed URL of a document's file."""
    reply = await get(http, f"/extractions/documents/{document_id}/url")
    url: str = (await reply.json())["url"]
    return url


async def test_file(api: Sandbox, http: aiohttp.ClientSession) -> None:
    """A document's URL leads to its file, which needs no token and does not count."""
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
    """A request for a file with the API's token is refused, as by the real storage."""
    url = await url_of(http, api.session(api.ids(1)[0])["documents"][0]["id"])
    assert await statuses(http, url) == [400]


@pytest.mark.looptime
async def test_file_expires(connect: Connect) -> None:
    """A signed URL expires after ten minutes of the server's time."""
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
