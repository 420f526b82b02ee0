"""A server on loopback that answers with scripted bytes, even such as no real server sends."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum, auto
from itertools import repeat
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from attrs import define, field, frozen

T = TypeVar("T")

_LINGER_ZERO = struct.pack("ii", 1, 0)


class End(Enum):
    """The ends of an answer, other than its last byte."""

    CLOSE = auto()
    """A FIN; on TLS it is announced (``close_notify``)."""
    HALF = auto()
    """A FIN, not announced, with the other direction left open until the client closes it."""
    NOTICE = auto()
    """An announced end of TLS, after which the connection stays open."""
    RESET = auto()
    """A RST: the socket is closed without lingering."""
    HANG = auto()
    """Silence, with the connection open, until the client closes it."""


@frozen
class Raw:
    """Bytes that are sent without the encryption, if there is one."""

    data: bytes


@frozen
class Pause:
    """A pause of so many seconds of the event loop."""

    seconds: float


@frozen
class Drip:
    """Bytes that are sent one at a time."""

    data: bytes
    every: float = 0.1
    """Seconds before each byte."""


@frozen
class Endless:
    """Bytes that are repeated for as long as the client reads them."""

    data: bytes


Step: TypeAlias = bytes | Raw | Pause | Drip | Endless | End | asyncio.Event
"""One step of a server; it waits for an event."""
Answer: TypeAlias = tuple[Step, ...] | bytes
Script: TypeAlias = Callable[["Received"], Answer]


@frozen
class Received:
    """One request as it came over the wire."""

    connection: int
    """The number of its connection, from 1 on."""
    head: bytes = field(repr=False)
    """Everything up to the empty line."""

    @property
    def target(self) -> str:
        """The target of the request line."""
        return self.head.split(b" ", 2)[1].decode("ascii")

    @property
    def session_id(self) -> str:
        """The last part of the path."""
        return self.target.rpartition("/")[2]

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers by name in lower case; the values of repeated ones are joined."""
        headers: dict[str, str] = {}
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = ", ".join(filter(None, [headers.get(name.lower()), value]))
        return headers


class WireServer:
    """A server that answers each request by its next answer, and repeats the last one.

    An answer is bytes, or a tuple of steps, or a function of the request that gives one. After an
    answer the connection stays open for the next request, unless its last step says otherwise.

    Args:
        answers: The answers in the order of the requests, on any connection.
        greetings: The steps on a new connection, before TLS and before any request; an entry for
            each connection, the last one for all later connections, too.
        tls: The server's TLS; ``None`` for plain http.
        port: The port to listen on; 0 for any free one.
    """

    def __init__(
        self,
        *answers: Answer | Script,
        greetings: tuple[tuple[Step, ...], ...] = ((),),
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self._answers = _with_last_repeated(answers)
        self._greetings = _with_last_repeated(greetings)
        self._tls = tls
        self.port = port
        """The port of the server."""
        self._open: set[asyncio.Task[None]] = set()
        self.connections = 0
        """The number of accepted connections."""
        self.requests: list[Received] = []
        """The requests that were read in whole, in the order of their arrival."""
        self.request_read = asyncio.Event()
        """Set whenever another request was read."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """The number of connections that the client has not closed."""
        return len(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        line = _Line(self.connections, reader, writer)
        try:
            with suppress(OSError, asyncio.CancelledError):  # a TLS error is an OSError, too
                await self._converse(line)
        finally:
            self._open.discard(task)
            writer.transport.abort() if line.reset else writer.close()

    async def _converse(self, line: "_Line") -> None:
        await line.play(next(self._greetings))
        if self._tls and not line.ended:
            line.tls = _Tls(self._tls)
        while not line.ended and (received := await line.read()):
            self.requests.append(received)
            self.request_read.set()
            answer = next(self._answers)
            await line.play(answer(received) if callable(answer) else answer)


class _Tls:
    """TLS from bytes to bytes, so that the server can break it off anywhere."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._read, self._written = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._read, self._written, server_side=True)

    def decrypted(self, data: bytes) -> bytes | None:
        """Return the content of the bytes so far; ``None`` if more of them are needed."""
        self._read.write(data)
        with suppress(ssl.SSLWantReadError):  # the handshake takes place here, too
            return self._tls.read()
        return None

    def encrypted(self, data: bytes = b"") -> bytes:
        """Return the bytes to send, `data` included."""
        if data:
            self._tls.write(data)
        return self._written.read()

    def notice(self) -> bytes:
        """Return the announcement of the end."""
        with suppress(ssl.SSLWantReadError):  # it would wait for the client's
            self._tls.unwrap()
        return self._written.read()


@define
class _Line:
    """A connection of the server."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: _Tls | None = None
    ended: bool = False
    reset: bool = False
    _buffer: bytes = b""

    async def read(self) -> Received | None:
        while b"\r\n\r\n" not in self._buffer:
            if not (data := await self._receive()):
                return None
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return Received(self.number, head)

    async def _receive(self) -> bytes:
        """Return the client's next bytes; none at the end."""
        while data := await self.reader.read(2**16):
            if self.tls is None:
                return data
            decrypted = self.tls.decrypted(data)
            await self._send_raw(self.tls.encrypted())
            if decrypted is not None:
                return decrypted
        return b""

    async def play(self, answer: Answer) -> None:
        for step in (answer,) if isinstance(answer, bytes) else answer:
            await self._do(step)

    async def _do(self, step: Step) -> None:
        match step:
            case bytes():
                await self._send(step)
            case Raw(data):
                await self._send_raw(data)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case End():
                await self._end(step)
            case asyncio.Event():
                await step.wait()
            case _:
                await self._repeat(step)

    async def _repeat(self, step: Drip | Endless) -> None:
        if isinstance(step, Endless):
            while True:
                await self._send(step.data)
        for byte in step.data:
            await asyncio.sleep(step.every)
            await self._send(bytes([byte]))

    async def _send(self, data: bytes) -> None:
        await self._send_raw(self.tls.encrypted(data) if self.tls else data)

    async def _send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def _end(self, end: End) -> None:
        self.ended = True
        if self.tls and end in (End.CLOSE, End.NOTICE):
            await self._send_raw(self.tls.notice())
        if end is End.HALF:
            self.writer.write_eof()
        if end is End.RESET:
            self.reset = True
            tcp = self.writer.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        elif end is not End.CLOSE:
            await self.reader.read()


def _with_last_repeated(given: tuple[T, ...]) -> Iterator[T]:
    yield from given
    yield from repeat(given[-1])
