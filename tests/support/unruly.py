"""A server that answers most requests, and misbehaves at random with the others.

    python tests/support/unruly.py SEED

Run it as a process of its own, so that its files and its work are not counted as a client's. It
prints its port, and goes when its standard input is closed; then it prints, as JSON, how often it
was asked for each session and how many connections are still open. What becomes of a request
depends on the seed, on the id, and on how often that was asked for before: not on time.
"""

import asyncio
import itertools
import json
import random
import re
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_session

SHARE = 0.02
"""How many of the requests it misbehaves with."""
SLOW = 0.05
"""Seconds that a slow answer takes."""
FIRST_THROTTLED, THROTTLED_EVERY = 700, 40_000
"""Requests; a 429 stops every call for a second or two, so there are few."""

_OWN_ID = session_id(0).encode()
_BODY = json.dumps({**build_session(session_id(0)), "documents": [], "results": []}).encode()
_LINGER_ZERO = struct.pack("ii", 1, 0)
_asked = re.compile(rb"GET [^ ]*/([0-9a-f-]{36}) HTTP").findall


def reply(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """A reply as bytes."""
    length = "" if "Encoding: chunked" in headers else f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}{length}\r\n"
    return head.encode() + body


def session(asked: bytes) -> bytes:
    """The session that was asked for, as JSON."""
    return _BODY.replace(_OWN_ID, asked, 1)


class Unruly(asyncio.Protocol):
    """One connection."""

    seed: int
    requests = itertools.count(1)
    asked: ClassVar = Counter[str]()
    """How often for each session."""
    connections: ClassVar = set["Unruly"]()
    """Those that are open."""
    accepted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.connections.add(self)
        Unruly.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """It is not open any more."""
        self.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer each request as it comes; none has a body, none comes in two pieces."""
        for asked in _asked(data):
            self.answer(asked)

    def answer(self, asked: bytes) -> None:
        """Answer, or misbehave."""
        rand = random.Random(f"{self.seed} {asked!r} {self.asked[asked.decode()]}")
        self.asked[asked.decode()] += 1
        if next(self.requests) % THROTTLED_EVERY == FIRST_THROTTLED:
            self.transport.write(reply(b"", "429 Too Many Requests", "Retry-After: 0\r\n"))
        elif rand.random() < SHARE:
            rand.choice(FAULTS)(self, asked)
        else:
            self.transport.write(reply(session(asked)))

    def reset(self, asked: bytes) -> None:
        """A RST in the place of an answer."""
        tcp = self.transport.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()

    def cut(self, asked: bytes) -> None:
        """The end comes within the body."""
        self.transport.write(reply(session(asked))[:-20])
        self.transport.close()

    def slow(self, asked: bytes) -> None:
        """The answer comes late, and perhaps to nobody."""
        asyncio.get_running_loop().call_later(SLOW, self.transport.write, reply(session(asked)))

    def silent(self, asked: bytes) -> None:
        """There is no answer."""

    def unasked(self, asked: bytes) -> None:
        """An answer, and one more that nobody has asked for."""
        self.transport.write(reply(session(asked)) + reply(session(_OWN_ID)))

    def closing(self, asked: bytes) -> None:
        """The connection, which looks as if it could be kept, ends after the answer."""
        self.transport.write(reply(session(asked)))
        self.transport.close()


def says(answer: bytes) -> Callable[[Unruly, bytes], None]:
    """A fault that is an answer, in which the id asked for replaces that of the template."""
    return lambda line, asked: line.transport.write(answer.replace(_OWN_ID, asked, 1))


_TORN = _BODY[:-20]
FAULTS = (
    Unruly.reset,
    Unruly.cut,
    Unruly.slow,
    Unruly.silent,
    Unruly.unasked,
    Unruly.closing,
    says(reply(b'{"message": "broken"}', "500 Internal Server Error")),
    says(reply(b"<html>", "502 Bad Gateway")),
    says(reply(b"", "503 Service Unavailable", "Retry-After: 0\r\n")),
    says(reply(b'{"message": "no such session"}', "404 Not Found")),
    says(reply(b"", "302 Found", "Location: /elsewhere\r\n")),
    says(b"GARBAGE\r\n\r\n"),
    says(reply(b"zz\r\n", headers="Transfer-Encoding: chunked\r\n")),
    says(reply(b"x" * 64, headers="Content-Encoding: gzip\r\n")),
    says(reply(_TORN)),
    says(reply(b"<html>")),
    says(reply(b'{"id": null}')),
    says(reply(_BODY.replace(_OWN_ID, session_id(1).encode(), 1))),
)


async def main(seed: int) -> None:
    """Serve until the parent is done, and give account."""
    Unruly.seed = seed
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Unruly, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await asyncio.sleep(0.1)  # for the ends of connections that are on their way
    seen = {"asked": Unruly.asked, "accepted": Unruly.accepted, "open": len(Unruly.connections)}
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
