"""A sandbox from its arguments to its end: built, started, closed, and started again."""

import errno
from typing import Any

import pytest

from raydocs_async.sandbox import Sandbox
from tests.support.clients import UNKNOWN
from tests.support.plain_http import Connect, get


def test_session_is_a_copy() -> None:
    """Changing a session that was looked up does not change the served one."""
    api = Sandbox()
    (session_id,) = api.ids(1)
    api.session(session_id).clear()
    assert api.session(session_id)["id"] == session_id


def test_unknown_session() -> None:
    """Looking up a session that does not exist is a `KeyError`."""
    with pytest.raises(KeyError, match=UNKNOWN):
        Sandbox().session(UNKNOWN)


def test_not_running() -> None:
    """Before it is entered, a sandbox has no address and no time, and the error says so."""
    api = Sandbox()
    for name in ("url", "now"):
        with pytest.raises(RuntimeError, match="not running"):
            getattr(api, name)


async def test_close_ends_the_address() -> None:
    """After closing there is no address, while the statistics stay."""
    async with Sandbox() as api:
        pass
    assert "not running" in repr(api)
    with pytest.raises(RuntimeError, match="not running"):
        api.url  # noqa: B018


async def test_entered_twice(api: Sandbox) -> None:
    """A running sandbox refuses to be started again."""
    with pytest.raises(RuntimeError, match="running already"):
        await api.__aenter__()


async def test_entered_again(connect: Connect) -> None:
    """A closed sandbox can be started again, and keeps its statistics."""
    api = Sandbox()
    for _ in range(2):
        async with api:
            await get(connect(api), UNKNOWN)
    assert api.stats.requests == 2


async def test_port_in_use(api: Sandbox) -> None:
    """A port in use is an error at once, and leaves nothing behind."""
    port = int(api.url.rpartition(":")[2])
    with pytest.raises(OSError) as raised:  # noqa: PT011 - its words are the platform's
        await Sandbox(port=port).__aenter__()
    assert raised.value.errno == errno.EADDRINUSE


async def test_repr(api: Sandbox) -> None:
    """The ``repr`` shows the address and the limit, but not the token."""
    assert api.url in repr(api)
    assert "limit=100" in repr(api)
    assert api.token not in repr(api)


def test_no_sessions() -> None:
    """A sandbox may start without sessions."""
    with pytest.raises(ValueError, match="0 exist"):
        Sandbox(sessions=0).ids(1)


async def test_not_started() -> None:
    """Before its start a sandbox has the sessions of its start."""
    api = Sandbox(finish_within=1)
    assert api.session(api.ids(1)[0])["status"] == "pending"


@pytest.mark.parametrize(
    ("name", "value"), [("finish_within", 0), ("per_page", 0), ("shapes", "new"), ("sessions", -1)]
)
def test_bad_arguments(name: str, value: Any) -> None:
    """An argument out of its range is an error that names it."""
    with pytest.raises(ValueError, match=name):
        Sandbox(**{name: value})
