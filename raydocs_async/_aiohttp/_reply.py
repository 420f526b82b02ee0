"""The body of a reply, read up to a limit and hidden from tracebacks."""

import asyncio
from collections.abc import Awaitable

import aiohttp
from attrs import define, field

from raydocs_async._aiohttp._failures import CallerError, EncodingError
from raydocs_async._exchange import Sink
from raydocs_async._secret import HiddenBytes

# Object stores keep ``aws-chunked`` of an upload as a header of the object, whose bytes are plain.
_PLAIN = frozenset({"", "identity", "aws-chunked"})

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
            while self.size <= limit and not content.at_eof():
                # A small body has come together with the headers, and is complete.
                self._add(content.read_nowait() if content.is_eof() else await content.readany())
            if self.size > limit:
                self.response.close()
        except BaseException:
            self.response.close()  # the next request must not read the rest as its reply
            raise

    async def save(self, sink: Sink) -> bytes:
        """Hand the body to `sink`, piece by piece, and return the empty rest.

        Raises:
            EncodingError: the body is compressed. Neither zlib nor aiohttp reports the end of a
                compressed body that was cut, and its length would be another than the file's.
            CallerError: the sink has failed.
        """
        if not self._is_plain:
            self.response.close()
            raise EncodingError("identity")
        try:
            await _hand_over(
                sink.begin(
                    self.response.content_length,
                    self.response.content_type,
                    is_delimited=self._is_delimited,
                )
            )
            while piece := HiddenBytes(await self.response.content.readany()):
                await _hand_over(sink.write(piece))
        except BaseException:
            self.response.close()
            raise
        return b""

    @property
    def _is_delimited(self) -> bool:
        chunked = "chunked" in self.response.headers.get("Transfer-Encoding", "").lower()
        return chunked or self.response.content_length is not None

    @property
    def _is_plain(self) -> bool:
        encodings = ",".join(self.response.headers.getall("Content-Encoding", ())).lower()
        return {each.strip() for each in encodings.split(",")} <= _PLAIN

    def _add(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.size += len(chunk)


async def _hand_over(step: Awaitable[None]) -> None:
    """Wait for a step of the sink, and mark its exception as the sink's."""
    try:
        await step
    except Exception as exc:
        raise CallerError(exc) from None


async def read_error(reply: Reply, until: float) -> bytes:
    """Return the beginning of an error's body; empty if it does not come in time."""
    left = until - asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(min(ERROR_BODY_TIMEOUT, left / 2)):
            await reply.read_up_to(ERROR_BODY_LIMIT)
    except (aiohttp.ClientError, TimeoutError):
        return b""
    return reply.body[:ERROR_BODY_LIMIT]
