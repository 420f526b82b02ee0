"""A client and event loops: used before, after and beside its own, in threads and processes."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from raydocs_async import ConfigurationError, RaydocsClient, Session
from raydocs_async.testing import FakeTransport
from tests.support.clients import SESSION_ID, client_for, until
from tests.support.network import free_port
from tests.support.replies import good
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


def test_built_outside_of_a_loop() -> None:
    """C3: a client that was built outside of any event loop works in the next one."""
    port = free_port()
    client = client_for(f"http://127.0.0.1:{port}")

    async def use() -> UUID:
        async with WireServer(good, port=port), client:
            return (await client.get_session(SESSION_ID)).id

    assert asyncio.run(use()) == UUID(SESSION_ID)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda client: client.get_session(SESSION_ID), id="call"),
        pytest.param(lambda client: client.__aenter__(), id="enter"),
    ],
)
def test_a_second_event_loop(use: Callable[[RaydocsClient], Coroutine[Any, Any, Any]]) -> None:
    """C11: a client refuses a second event loop, but can be closed there after the first ended."""
    client = client_for("http://127.0.0.1:1")
    asyncio.run(client.__aenter__())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(use(client))
    asyncio.run(client.close())


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda client: client.get_session(SESSION_ID), id="get_session"),
        pytest.param(lambda client: client.get_sessions([SESSION_ID]), id="get_sessions"),
        pytest.param(lambda client: client.wait_for_session(SESSION_ID), id="wait_for_session"),
        pytest.param(lambda client: client.stream_sessions([SESSION_ID]).__anext__(), id="stream"),
        pytest.param(lambda client: client.__aenter__(), id="enter"),
        pytest.param(lambda client: client.close(), id="close"),
    ],
)
@pytest.mark.parametrize("fake", [False, True], ids=["aiohttp", "FakeTransport"])
def test_without_asyncio(
    use: Callable[[RaydocsClient], Coroutine[Any, Any, Any]], fake: bool
) -> None:
    """C11: without asyncio, every call is refused, and the error says that asyncio is needed."""
    client = client_for("http://127.0.0.1:1", transport=FakeTransport() if fake else None)
    with pytest.raises(ConfigurationError, match="needs asyncio"):
        use(client).send(None)


def test_the_rate_limit_without_asyncio() -> None:
    """Outside of an event loop, the state of the rate limit is refused in the same way."""
    with pytest.raises(ConfigurationError, match="needs asyncio"):
        _ = client_for("http://127.0.0.1:1").rate_limit_status


async def test_without_a_task() -> None:
    """C11: a coroutine that is driven by hand inside an event loop is refused."""
    async with client_for("http://127.0.0.1:1") as client:

        def drive() -> None:
            with pytest.raises(ConfigurationError, match="asyncio task") as caught:
                client.get_session(SESSION_ID).send(None)
            driven.set_result(caught.value)

        driven = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(drive)
        await driven


def test_closing_in_another_loop() -> None:
    """C11: closing in another loop is refused while the client's own loop is open."""
    with asyncio.Runner() as home:

        async def use() -> RaydocsClient:
            async with WireServer(good) as server:
                client = client_for(server.url)
                await client.get_session(SESSION_ID)
                return client

        client = home.run(use())
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(client.close())
        assert "open" in repr(client)
        home.run(client.close())


def test_closing_after_the_loop() -> None:
    """C11: a client whose loop was closed during a call can be closed in any other loop."""

    async def use() -> RaydocsClient:
        client = client_for("http://127.0.0.1", transport=FakeTransport(latency=60))
        calls.append(asyncio.create_task(client.get_session(SESSION_ID)))
        await until(lambda: client.rate_limit_status.in_flight)
        return client

    calls: list[asyncio.Task[Session]] = []
    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    client = loop.run_until_complete(use())
    loop.close()
    asyncio.run(client.close())
    assert "closed" in repr(client)
    calls[0]._log_destroy_pending = False  # type: ignore[attr-defined]  # its loop went first
    coroutine: Any = calls[0].get_coro()
    coroutine.close()  # as when it is collected


async def test_two_threads() -> None:
    """C12: a client refuses the event loop of a second thread."""
    errors: list[Exception] = []
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)

        def elsewhere() -> None:
            try:
                asyncio.run(client.get_session(SESSION_ID))
            except Exception as exc:
                errors.append(exc)

        await asyncio.to_thread(elsewhere)
    (error,) = errors
    assert isinstance(error, ConfigurationError)
    assert "another event loop" in str(error)


SCRIPT = """
import asyncio, os, sys
sys.path.append({root!r})
from raydocs_async import ConfigurationError
from tests.support.clients import SESSION_ID, client_for, until
from tests.support.replies import good
from tests.support.wire import End, WireServer

async def main():
    {main}

asyncio.run(main())
"""
CALL_IN_A_CHILD = """
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
        child = os.fork()
        if not child:
            try:
                asyncio.run(client.get_session(SESSION_ID))
            except ConfigurationError as exc:
                os._exit(7 if "another process" in str(exc) else 8)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await client.get_session(SESSION_ID)
    assert len(server.requests) == 2
"""
CLOSE_IN_A_CHILD = """
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        child = os.fork()
        if not child:
            try:
                asyncio.run(client.close())
            except ConfigurationError:
                os._exit(7)
            finally:
                os._exit(9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        call.cancel()
        await asyncio.wait([call])
"""
CLOSE_IN_A_THREAD = """
    async with WireServer((End.HANG,)) as server, client_for(server.url) as client:
        call = asyncio.create_task(client.get_session(SESSION_ID))
        await until(lambda: server.requests)
        try:
            await asyncio.to_thread(asyncio.run, client.close())
        except ConfigurationError:
            pass
        else:
            raise AssertionError("it was not refused")
        assert not call.done()
        call.cancel()
        await asyncio.wait([call])
"""


@pytest.mark.parametrize(
    "main",
    [
        pytest.param(CALL_IN_A_CHILD, id="C13 call after a fork"),
        pytest.param(CLOSE_IN_A_CHILD, id="C13 close after a fork, with a call under way"),
        pytest.param(CLOSE_IN_A_THREAD, id="C12 close in a thread, with a call under way"),
    ],
)
def test_another_process_or_thread(main: str) -> None:
    """A use in another process or thread is refused, and does not disturb the client at home."""
    root = str(Path(__file__).parent.parent)
    script = SCRIPT.format(root=root, main=main.strip())
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=5, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
