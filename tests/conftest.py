"""Fixtures for all tests."""

import asyncio
import asyncio.constants
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.util import find_spec
from typing import Any

import pytest
import uvloop
from hypothesis import settings

from raydocs_async import RaydocsClient
from raydocs_async.sandbox import Sandbox
from tests.support.loops import VirtualUvloop

# A timing is no claim of a test; a busy machine would fail those that use files or processes.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# Without it, looptime asks for the current loop before any is there, and leaks the one it gets.
asyncio.set_event_loop(None)
# In debug mode each handle keeps where it was made; ten frames of it take a fifth of the time.
asyncio.constants.DEBUG_STACK_DEPTH = 2  # type: ignore[misc]


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked `every_loop` run on uvloop, too; looptime makes asyncio's own clock virtual."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("every_loop"):
        virtual = item.get_closest_marker("looptime")
        loops["uvloop"] = VirtualUvloop if virtual else uvloop.new_event_loop
    return loops


# The tests in a browser have a session of their own, whose environment has playwright.
collect_ignore = [] if find_spec("playwright") else ["browser"]

SETTINGS = ("RAYDOCS_API_TOKEN", "RAYDOCS_BASE_URL", "RAYDOCS_SHARED_LIMIT")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests reaches a client."""
    for name in (*SETTINGS, "NETRC", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.fixture
def half_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs are half of their bound."""
    monkeypatch.setattr("random.random", lambda: 0.5)


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """When the test is over, the loop has its tasks of before, and nothing to complain about."""
    before, loop = asyncio.all_tasks(), asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    await asyncio.sleep(0)  # what has just been closed takes a turn of the loop to go
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
    assert complaints == []


@pytest.fixture
async def api() -> AsyncIterator[Sandbox]:
    """A running sandbox with its defaults, among them the service's own limit."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def client(api: Sandbox) -> AsyncIterator[RaydocsClient]:
    """A client of the sandbox, with the defaults."""
    async with RaydocsClient(api.token, base_url=api.url) as opened:
        yield opened
