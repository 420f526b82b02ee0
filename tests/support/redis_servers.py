"""Real Redis servers, each in a process of its own, and a slow way to reach one."""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from attrs import define, field
from redis import Redis

from tests.support.tls import CA

SERVER = os.environ.get("REDIS_SERVER", "redis-server")
"""The command; `valkey-server` takes the same arguments."""


@define
class RedisServer:
    """A server that listens on a socket in a folder, and keeps nothing on the disk."""

    folder: Path
    password: str = ""
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.start()

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return f"{self.folder}/redis"

    @property
    def url(self) -> str:
        """Its URL, with a key."""
        user = f":{self.password}@" if self.password else ""
        return f"unix://{user}{self.socket}?key=office"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        if shutil.which(SERVER) is None:
            pytest.fail(f"{SERVER} is missing; on Debian, apt-get install redis-server installs it")
        options = ["--port", "0", "--unixsocket", self.socket]
        options += ["--save", "", "--dir", str(self.folder), *self.options]
        if self.password:
            options += ["--requirepass", self.password]
        Path(self.socket).unlink(missing_ok=True)
        self._process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not Path(self.socket).exists():
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.005)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    @contextmanager
    def admin(self) -> Iterator[Redis]:
        """Connect to it, beside those that are tested."""
        password = self.password or None
        with closing(Redis(unix_socket_path=self.socket, password=password, protocol=2)) as redis:
            yield redis

    def connections(self) -> int:
        """Return the number of connections so far, that of this question included."""
        with self.admin() as redis:
            return int(redis.info("stats")["total_connections_received"])


@contextmanager
def redis_server(password: str = "", options: Sequence[str] = ()) -> Iterator[RedisServer]:
    """Run a server."""
    with tempfile.TemporaryDirectory() as folder:  # a test's own folder has too long a name
        server = RedisServer(Path(folder), password, options)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """Run a server that speaks TLS, and return its URL; `folder` gets its keys, and ``ca.pem``."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    issued = CA.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    CA.cert_pem.write_to_path(str(folder / "ca.pem"))
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    options = ["--tls-port", str(port), "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with redis_server(options=[*options, "--tls-ca-cert-file", str(folder / "ca.pem")]):
        yield f"rediss://127.0.0.1:{port}/0?key=office"


@define
class SlowWay:
    """A socket that passes everything on to a server, its replies late."""

    socket: str
    delay: float
    """Seconds by which a reply is late."""
    tasks: set[asyncio.Task[object]] = field(factory=set)

    @property
    def url(self) -> str:
        """The URL of the server by this way."""
        return f"unix://{self.socket}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client to the server."""
        # asyncio complains when the task of this method itself is cancelled.
        task = asyncio.create_task(self._connect(reader, writer))
        self.tasks.add(task)
        await asyncio.wait([task])

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(f"{Path(self.socket).parent}/redis")
        try:
            to_server = self._pass_on(reader, back, late=False)
            await asyncio.gather(to_server, self._pass_on(there, writer))
        finally:
            back.close()
            writer.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool = True
    ) -> None:
        while data := await reader.read(65536):
            await asyncio.sleep(self.delay * late)
            writer.write(data)
        writer.close()


@asynccontextmanager
async def slow_way(server: RedisServer, delay: float) -> AsyncIterator[SlowWay]:
    """Open a slow way to a server."""
    way = SlowWay(f"{server.folder}/{secrets.token_hex(4)}", delay)
    async with await asyncio.start_unix_server(way.serve, way.socket):
        yield way
        for task in way.tasks:
            task.cancel()
        await asyncio.gather(*way.tasks, return_exceptions=True)
