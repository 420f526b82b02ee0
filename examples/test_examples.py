"""The examples as their users run them: real servers, each a process of its own, over HTTP.

Nothing is patched, and time is real. Raydocs is the sandbox, in this process.
"""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from attrs import define, field, frozen

from raydocs_async import Session, converter
from raydocs_async.sandbox import Fault, Sandbox

HERE = Path(__file__).parent
MISSING_ID = "11111111-1111-4111-8111-111111111111"
DEADLINE = 5.0
"""Seconds, as the examples have it."""
SOON = 3.0
"""Seconds within which something happens that waits for nothing; a busy machine has time."""
COMPLAINTS = re.compile(r"Traceback|Unclosed|ResourceWarning|never (?:awaited|retrieved)|destroyed")

# A started server serves many tests, so they share an event loop.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]


@frozen
class App:
    """One example, and how to run it."""

    command: str
    """The arguments for Python."""
    status_of_bad_id: int = 400
    exit_code: int = 0


WITNESS = """
from raydocs_async import RaydocsClient

async def close_and_tell(self, close=RaydocsClient.close):
    await close(self)
    print("the client is closed", flush=True)

RaydocsClient.close = close_and_tell
"""
"""For a process to run first: nothing outside of it can tell a closed client from a dead one."""

BY_SIGNAL = -signal.SIGTERM
"""How uvicorn ends: when all is shut down, it raises the signal again."""

APPS = {
    "fastapi": App("-m uvicorn fastapi_app:app --uds {socket}", 422, BY_SIGNAL),
    "litestar": App("-m granian --interface asgi litestar_app:app --uds {socket}"),
    "quart": App("-m hypercorn --graceful-timeout 10 quart_app:app --bind unix:{socket}"),
    "django": App("-m uvicorn django_app:application --uds {socket}", exit_code=BY_SIGNAL),
    "aiohttp": App("aiohttp_app.py"),
}


@frozen
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float


@define
class Server:
    """An example at work."""

    process: Process
    api: Sandbox
    """What it takes for Raydocs."""
    http: aiohttp.ClientSession
    log: Path

    @property
    def output(self) -> str:
        """All that it has said."""
        return self.log.read_text(encoding="utf-8")

    async def get(self, session_id: str) -> Answer:
        """Ask for a session."""
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self.http.get(f"/sessions/{session_id}") as reply:
            body = await reply.read()
            return Answer(reply.status, reply.headers, body, clock() - asked)

    async def start(self) -> None:
        """Wait until it answers."""
        while self.process.returncode is None:
            try:
                async with self.http.get("/"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
        await self.stop()
        pytest.fail(self.output)

    async def stop(self) -> None:
        """End it as a supervisor does."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await self.process.wait()


@asynccontextmanager
async def serving(app: App, api: Sandbox, **environment: str) -> AsyncIterator[Server]:
    """Run `app` against `api`. Whatever happens to it, it must not complain."""
    environment |= {"RAYDOCS_API_TOKEN": api.token, "RAYDOCS_BASE_URL": api.url}
    with TemporaryDirectory() as folder, NamedTemporaryFile() as log:
        socket = f"{folder}/socket"  # unlike a free port, nobody else can take it meanwhile
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *app.command.format(socket=socket).split(),
            cwd=HERE,
            env=os.environ | {"PYTHONWARNINGS": "default", "SOCKET": socket} | environment,
            stdout=log,
            stderr=STDOUT,
        )
        connector = aiohttp.UnixConnector(socket)
        async with aiohttp.ClientSession("http://127.0.0.1", connector=connector) as http:
            server = Server(process, api, http, Path(log.name))
            try:
                await server.start()
                yield server
            finally:
                await server.stop()
        assert not COMPLAINTS.search(server.output), server.output


async def until(condition: Callable[[], object], seconds: float) -> None:
    """Wait for what another process does, for so many seconds at most."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.01)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(APPS[name], id=name, marks=pytest.mark.xdist_group(name)) for name in APPS
    ],
)
def app(request: pytest.FixtureRequest) -> App:
    """Each of the examples."""
    found: App = request.param
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(app: App) -> AsyncIterator[Server]:
    """The example, running; for tests that leave it as it was."""
    async with Sandbox() as api, serving(app, api) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def fresh_server(app: App, tmp_path: Path) -> AsyncIterator[Server]:
    """The example, running for one test, with a witness; a window of Raydocs has two requests."""
    (tmp_path / "sitecustomize.py").write_text(WITNESS, encoding="utf-8")
    async with Sandbox(limit=2) as api, serving(app, api, PYTHONPATH=str(tmp_path)) as running:
        yield running


async def test_a_session_is_passed_on(server: Server) -> None:
    """The session that Raydocs has is the one that is read from here."""
    (session_id,) = server.api.ids(1)
    answer = await server.get(session_id)
    there = msgspec.json.encode(server.api.session(session_id))
    assert answer.status == 200
    assert converter.loads(answer.body, Session) == converter.loads(there, Session)


async def test_what_is_missing_there_is_missing_here(server: Server) -> None:
    """A session that does not exist is a 404."""
    assert (await server.get(MISSING_ID)).status == 404


async def test_a_bad_id_goes_no_further(app: App, server: Server) -> None:
    """What is no session id is its sender's mistake, and Raydocs is not asked."""
    asked = server.api.stats.requests
    assert (await server.get("no-id")).status == app.status_of_bad_id
    assert server.api.stats.requests == asked


async def test_maintenance_is_passed_on(server: Server) -> None:
    """When Raydocs says that it is away for long, so does the app, at once."""
    server.api.script(Fault.status(503, retry_after=3600))
    answer = await server.get(MISSING_ID)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "3600")
    assert answer.seconds < SOON


async def test_no_answer_in_time(server: Server) -> None:
    """When Raydocs is silent, the request ends by its deadline, in a 504."""
    server.api.script(Fault.stall())
    answer = await server.get(MISSING_ID)
    assert answer.status == 504
    assert DEADLINE <= answer.seconds < DEADLINE + SOON


async def test_any_other_failure_is_logged(server: Server) -> None:
    """What only the operator can mend is a 502, and a line in the log."""
    server.api.script(Fault.status(403))
    assert (await server.get(MISSING_ID)).status == 502
    await until(lambda: "'sessions-read'" in server.output, SOON)


async def test_nobody_is_served_who_has_gone(server: Server) -> None:
    """When the one who asked goes away, the call to Raydocs ends, well before its deadline."""
    server.api.log.clear()
    asked = server.api.stats.requests
    server.api.script(Fault.stall())
    asking = asyncio.create_task(server.get(MISSING_ID))
    await until(lambda: server.api.stats.requests > asked, SOON)
    asking.cancel()
    await until(lambda: server.api.log, SOON)


async def test_a_known_wait_is_told_at_once(fresh_server: Server) -> None:
    """With the window used up, the app knows when to come back, and does not ask Raydocs."""
    statuses = [(await fresh_server.get(MISSING_ID)).status for _ in range(2)]
    answer = await fresh_server.get(MISSING_ID)
    assert [*statuses, answer.status] == [404, 404, 503]
    assert 50 < int(answer.headers["Retry-After"]) <= 61
    assert answer.seconds < SOON
    assert fresh_server.api.stats.requests == 2


async def test_the_end_is_orderly(app: App, fresh_server: Server) -> None:
    """On SIGTERM what is under way is answered, the client is closed, and the process ends."""
    fresh_server.api.latency = 0.5
    asking = asyncio.create_task(fresh_server.get(*fresh_server.api.ids(1)))
    await until(lambda: fresh_server.api.stats.requests, SOON)
    await fresh_server.stop()
    assert (await asking).status == 200
    assert fresh_server.output.count("the client is closed") == 1
    assert fresh_server.process.returncode == app.exit_code


async def test_processes_share_a_window() -> None:
    """Two processes get a whole window between them, for a 429 each; then both know the wait."""
    app = APPS["fastapi"]
    async with Sandbox(limit=6) as api, serving(app, api) as one, serving(app, api) as other:
        answers = [await server.get(MISSING_ID) for _ in range(6) for server in (one, other)]
        assert sorted(answer.status for answer in answers) == 6 * [404] + 6 * [503]
        assert all(int(answer.headers["Retry-After"]) > 50 for answer in answers[6:])
        assert api.stats.throttled <= 2


async def test_a_client_that_is_built_before_a_fork() -> None:
    """A client that was built, and not yet used, when gunicorn forked works in its workers."""
    app = App(
        "-m gunicorn django_app:application --preload --workers 2 --worker-class asgi"
        " --no-control-socket --bind unix:{socket}"
    )
    async with Sandbox() as api, serving(app, api) as server:
        assert (await server.get(*api.ids(1))).status == 200
        await server.stop()
        assert server.process.returncode == 0


async def test_a_job_leaves_its_reserve_to_requests(tmp_path: Path) -> None:
    """Bulk work stops short of the reserve, and who asks meanwhile is answered at once."""
    ids = tmp_path / "ids"
    async with Sandbox(limit=100) as api:
        ids.write_text("\n".join(api.ids(200)), encoding="utf-8")
        async with serving(App(f"bulk_beside_requests.py {ids}"), api) as server:
            await until(lambda: api.stats.requests == 80, DEADLINE)
            answer = await server.get(*api.ids(1))
        assert answer.status == 200
        assert answer.seconds < SOON
        assert api.stats.requests == 81


async def test_workers_and_a_job_share_a_limit(tmp_path: Path) -> None:
    """Four workers and a job spend one window, without a 429, and the workers go first."""
    ids = tmp_path / "ids"
    app = App("-m uvicorn fastapi_app:app --workers 4 --uds {socket}")
    shared = {"RAYDOCS_SHARED_LIMIT": str(tmp_path / "limit")}
    # uvicorn's supervisor leaves its socket to the end of its process.
    quiet = {"PYTHONWARNINGS": "default,ignore:unclosed <socket.socket:ResourceWarning"}
    async with Sandbox(limit=100) as api, serving(app, api, **shared, **quiet) as server:
        ids.write_text("\n".join(api.ids(200)), encoding="utf-8")
        environment = {"RAYDOCS_API_TOKEN": api.token, "RAYDOCS_BASE_URL": api.url}
        job = await asyncio.create_subprocess_exec(
            sys.executable, "bulk_job.py", ids, cwd=HERE, env=os.environ | environment | shared
        )
        try:
            await until(lambda: api.stats.requests == 80, 2 * DEADLINE)
            answers = await asyncio.gather(*map(server.get, api.ids(20)))
        finally:
            job.terminate()
            await job.wait()
        assert [answer.status for answer in answers] == [200] * 20
        assert max(answer.seconds for answer in answers) < SOON
        assert (api.stats.requests, api.stats.throttled) == (100, 0)
