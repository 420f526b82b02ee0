"""A reply's body, read up to a limit, in a way that no frame shows it."""

import asyncio

import aiohttp
from attrs import define, field

from raydocs_async._exchange import Sink

ERROR_BODY_LIMIT = 64 * 1024
"""Bytes read of a body that only explains an error."""
ERROR_BODY_TIMEOUT = 5.0
"""Seconds given to such a body; the status is known already, and counts without it."""


@define(eq=False)
class Reply:
    """A reply that is being read; its ``repr`` shows neither headers nor body.

    A cancellation in the middle of a body leaves through these frames, and a crash reporter shows
    their local variables.
    """

    response: aiohttp.ClientResponse = field(repr=False)
    chunks: list[bytes] = field(factory=list, repr=False)
    size: int = 0

    @property
    def body(self) -> bytes:
        """The bytes read so far."""
        return b"".join(self.chunks)

    async def read_up_to(self, limit: int) -> None:
        """Read the body, or somewhat more than `limit` bytes of it; then close the connection."""
        content = self.response.content
        try:
            if content.is_eof():  # a small body comes with its headers
                self._add(content.read_nowait())
            while self.size <= limit and self._add(await content.readany()):
                pass
            if self.size > limit:
                self.response.close()
        except BaseException:
            self.response.close()  # what is left of the body must not be read as the next reply
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
        return bool(chunk)  # an empty one is the end


async def read_error(reply: Reply, until: float) -> bytes:
    """The beginning of an error's body, if it can be had; the status counts without it, too."""
    left = until - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(ERROR_BODY_TIMEOUT, left / 2)):
            await reply.read_up_to(ERROR_BODY_LIMIT)
    except (aiohttp.ClientError, TimeoutError):
        return b""
    return reply.body[:ERROR_BODY_LIMIT]
