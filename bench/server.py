"""A server that only answers: any session id gets the same 8 kB session, under that id.

Run it as a process of its own, so that its work is not counted as a client's. It prints its port
and goes when its standard input is closed.
"""

import asyncio
import json
import re
import sys

from raydocs_async.sandbox._ids import session_id
from raydocs_async.sandbox._sessions import build_session

BODY = json.dumps(build_session(session_id(0))).encode()
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Length: %d\r\n\r\n" % len(BODY)
)
_asked = re.compile(rb"GET [^ ]*/([0-9a-f-]{36}) HTTP").findall
_own_id = session_id(0).encode()


class Answer(asyncio.Protocol):
    """Answers each request as it comes; none has a body, none comes in two pieces."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Put the id that was asked for in the place of the body's own."""
        for asked in _asked(data):
            self.transport.write(_HEAD + BODY.replace(_own_id, asked, 1))


async def main() -> None:
    """Serve until the parent is gone."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
