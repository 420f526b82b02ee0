"""The body of a reply, read up to a limit and hidden from tracebacks."""

import asyncio

import aiohttp
from attrs import define, field

from raydocs_async._exchange import Sink

ERROR_BODY_LIMIT = 64 * 1024
"""The longest part of an error's body that is read, in bytes."""
ERROR_BODY_TIMEOUT = 5.0
"""Seconds to wait for an error's body; without it the status alone is reported."""


@define(eq=False)
class Reply:
    """A reply that is being read; its ``repr`` shows neither headers nor body.

    If a cancellation ends the reading, the traceback has these frames, and crash reporters print
    local variables.
    """

    response: aiohttp.ClientResponse = field(repr=False)
    chunks: list[bytes] = field(factory=list, repr=False)
    size: int = 0

    @property
    def body(self) -> bytes:
        """The bytes read so far."""
        return b"".join(self.chunks)

    async def read_up_to(self, limit: int) -> None:
        """Read the body; if it is longer than `limit` bytes, stop and close the connection."""
        content = self.response.content
        try:
            if content.is_eof():  # a small body, which came together with the headers
                self._add(content.read_nowait())
            while self.size <= limit and self._add(await content.readany()):
                pass
            if self.size > limit:
                self.response.close()
        except BaseException:
            self.response.close()  # the next request must not read the rest as its reply
            raise

    async def save(self, sink: Sink) -> bytes:
        """Hand the body to `sink`, piece by piece, and return the empty rest."""
        response = self.response
        try:
            length = (
                response.content_length if not response.headers.get("Content-Encoding") else None
            )
            await sink.begin(length, response.content_type)
            while piece := await response.content.readany():
                await sink.write(piece)
        except BaseException:
            response.close()
            raise
        return b""

    def _add(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        self.size += len(chunk)
        return bool(chunk)  # an empty chunk is the end


async def read_error(reply: Reply, until: float) -> bytes:
    """Return the beginning of an error's body; empty if it does not come in time."""
    left = until - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(ERROR_BODY_TIMEOUT, left / 2)):
            await reply.read_up_to(ERROR_BODY_LIMIT)
    except (aiohttp.ClientError, TimeoutError):
        return b""
    return reply.body[:ERROR_BODY_LIMIT]
