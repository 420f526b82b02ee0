"""Help for your own tests: the API on loopback, the API without sockets, and sample sessions.

With this line in a ``conftest.py``, every test can use the fixture `raydocs_sandbox`::

    pytest_plugins = ["raydocs_async.testing"]

`FakeTransport` is for tests that need no HTTP, or that run on a virtual clock; `build_session` is
for tests that need no client.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from raydocs_async._converter import converter
from raydocs_async.models import Session
from raydocs_async.sandbox import Sandbox
from raydocs_async.sandbox._fake import FakeTransport
from raydocs_async.sandbox._sessions import build_session as build_finished

__all__ = ["FakeTransport", "build_session", "build_session_json", "raydocs_sandbox"]


def build_session_json(
    session_id: str | UUID | None = None,
    *,
    data: Iterable[Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Return a finished session as the API sends it, for the `put` of a sandbox or a fake.

    Args:
        session_id: Its id; by default a new one. The same id gives the same content.
        data: Extracted data: one result for each item. By default, two results with invoices.
        changes: Top-level keys to add or replace, for example ``status="processing"``.

    Raises:
        ValueError: `session_id` is not a UUID.
    """
    # The sample's audit belongs to its own data, so results with other data have none.
    session = build_finished(str(session_id or uuid4()))
    if data is not None:
        sample = session["results"][0]
        session["results"] = [
            {**sample, "id": _nth_id(session["id"], n), "data": each, "audit_data": None}
            for n, each in enumerate(data)
        ]
    return session | changes


def _nth_id(session_id: str, n: int) -> str:
    return str(uuid5(UUID(session_id), f"built-{n}"))


def build_session(
    session_id: str | UUID | None = None,
    *,
    data: Iterable[Any] | None = None,
    **changes: Any,
) -> Session:
    """Return a `raydocs_async.Session` for tests that need no client; see `build_session_json`.

    Raises:
        APIResponseValidationError: The changes do not fit the model.
        ValueError: `session_id` is not a UUID.
    """
    return converter.structure(build_session_json(session_id, data=data, **changes), Session)


@pytest.fixture
def raydocs_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A running `Sandbox`, which ``RaydocsClient()`` finds by the environment.

    While the test runs, ``$RAYDOCS_BASE_URL`` and ``$RAYDOCS_API_TOKEN`` lead to the sandbox, and
    ``$RAYDOCS_SHARED_LIMIT`` is not set, because it shares the limit of the service. The sandbox
    runs in a thread, so tests with every async plugin and tests without async can use it.
    """
    with _in_a_thread(Sandbox()) as api:
        monkeypatch.setenv("RAYDOCS_BASE_URL", api.url)
        monkeypatch.setenv("RAYDOCS_API_TOKEN", api.token)
        monkeypatch.delenv("RAYDOCS_SHARED_LIMIT", raising=False)
        yield api


@contextmanager
def _in_a_thread(sandbox: Sandbox) -> Iterator[Sandbox]:
    # An event loop of its own, because the test's loop may be another plugin's, blocked, or absent.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="raydocs-sandbox", daemon=True)
    thread.start()

    def run(step: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(step, loop).result()

    try:
        run(sandbox.__aenter__())
        try:
            yield sandbox
        finally:
            run(sandbox.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
