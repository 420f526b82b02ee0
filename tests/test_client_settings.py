"""The client's settings: their sources, and the values that are refused."""

import math
from typing import Any

import pytest

from raydocs_async import ConfigurationError, RaydocsClient
from raydocs_async._base_client import Default
from tests.support.clients import SESSION_ID, TOKEN, client_for
from tests.support.replies import good
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


async def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment gives the token and the base URL if the caller does not."""
    async with WireServer(good) as server:
        monkeypatch.setenv("RAYDOCS_API_TOKEN", "from-the-environment")
        monkeypatch.setenv("RAYDOCS_BASE_URL", server.url)
        async with RaydocsClient() as client:
            await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == "Bearer from-the-environment"


async def test_arguments_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments take precedence over the environment."""
    monkeypatch.setenv("RAYDOCS_API_TOKEN", "from-the-environment")
    monkeypatch.setenv("RAYDOCS_BASE_URL", "https://elsewhere.example")
    async with WireServer(good) as server, client_for(server.url) as client:
        await client.get_session(SESSION_ID)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        *(
            pytest.param(
                {name: value}, f"^{name} must be a finite number", id=f"C18 {name} {value}"
            )
            for name in ("timeout", "attempt_timeout")
            for value in (0, -1, math.nan, math.inf, -math.inf)
        ),
        *(
            pytest.param(
                {name: value}, f"^{name} must be a whole number from 1", id=f"C18 {name} {value}"
            )
            for name in ("max_response_bytes", "max_connections")
            for value in (0, -1)
        ),
        *(
            pytest.param({name: "3"}, f"^{name} must be .+, not a str$", id=f"C18 {name} a str")
            for name in (
                "attempt_timeout",
                "max_connections",
                "max_response_bytes",
                "retry",
                "rate_limit",
                "http_session",
            )
        ),
        pytest.param({"base_url": "api.example"}, "absolute", id="C20 base_url"),
        pytest.param({"base_url": "http://api.example"}, "shows the token", id="S8 http"),
        pytest.param({"token": ""}, "no token", id="S1 empty token"),
        pytest.param({"token": b"bytes"}, "no token", id="S1 bytes"),
        pytest.param({"token": "a\nb"}, "visible ASCII", id="S1 LF"),
    ],
)
def test_settings_that_cannot_work(options: dict[str, Any], says: str) -> None:
    """An invalid setting is a ConfigurationError, which is a ValueError."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        RaydocsClient(**{"token": TOKEN} | options)
    assert isinstance(caught.value, ValueError)


def test_no_token_at_all() -> None:
    """A client without a token is refused, and the error names the environment variable."""
    with pytest.raises(ConfigurationError, match="RAYDOCS_API_TOKEN"):
        RaydocsClient()


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf])
async def test_a_calls_time_out_that_cannot_work(timeout: float) -> None:
    """C18: an invalid time-out of a call is refused, and nothing is sent."""
    async with WireServer(good) as server, client_for(server.url) as client:
        with pytest.raises(ConfigurationError, match="timeout"):
            await client.get_session(SESSION_ID, timeout=timeout)
    assert server.connections == 0


def test_http_to_elsewhere_if_asked_for() -> None:
    """S8: `allow_http` allows plain http to another machine."""
    client = RaydocsClient(TOKEN, base_url="http://api.example", allow_http=True)
    assert repr(client) == "<RaydocsClient for http://api.example, open>"


def test_the_default_of_a_time_out_explains_itself() -> None:
    """The ``repr`` of the default time-out explains it in a signature."""
    assert repr(Default.CLIENT) == "<the client's>"
