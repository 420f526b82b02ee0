"""The exceptions of aiohttp: a table that has a row for each of them."""

import importlib
import inspect
import pkgutil
import ssl
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import aiohttp
import pytest

from raydocs_async._aiohttp._failures import translate
from raydocs_async._exchange import FailureKind
from tests.support.clients import GET
from tests.support.replies import good
from tests.support.transports import open_transport
from tests.support.wire import WireServer

pytestmark = [pytest.mark.every_loop, pytest.mark.usefixtures("no_task_left")]


UNREACHABLE = {
    # what aiohttp raises within, and turns into another before a caller sees it
    "BadHttpMessage": "a ClientResponseError or a ClientPayloadError",
    "EofStream": "a stream's own end",
    "HttpProcessingError": "a ClientResponseError",
    "WebSocketError": "not by a GET",
    "WSHandshakeError": "not by a GET",
    "WSMessageTypeError": "not by a GET",
    "BadContentDispositionHeader": "a warning, of multipart bodies",
    "BadContentDispositionParam": "a warning, of multipart bodies",
    "LookupError": "of multipart bodies and payloads",
}


def client_modules() -> Iterator[ModuleType]:
    """Yield the modules of aiohttp, except those of its server."""
    for module in pkgutil.iter_modules(aiohttp.__path__, "aiohttp."):
        name = module.name.rpartition(".")[2]
        if not name.startswith(("web", "pytest_plugin", "worker", "test_utils")):
            yield importlib.import_module(module.name)


def exceptions_of_aiohttp() -> list[type[Exception]]:
    """Return each class of exception that aiohttp's client side defines."""
    found = {
        value
        for module in client_modules()
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Exception)
        and value.__module__.startswith("aiohttp.")
        and not {base.__name__ for base in value.__mro__} & UNREACHABLE.keys()
    }
    return sorted(found, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", exceptions_of_aiohttp(), ids=lambda kind: kind.__name__)
def test_the_exception_table_is_total(kind: type[Exception]) -> None:
    """Every exception that aiohttp's client can raise for a GET has a row."""
    assert translate(kind.__new__(kind)) is not None


def test_the_exceptions_of_aiohttp_are_found() -> None:
    """The list of exceptions that the table is checked against is not empty by accident."""
    names = {kind.__name__ for kind in exceptions_of_aiohttp()}
    assert {"ClientOSError", "ServerTimeoutError", "InvalidURL", "ClientPayloadError"} <= names
    assert len(names) >= 25


@pytest.mark.parametrize(
    ("exc", "kind", "sent"),
    [
        pytest.param(aiohttp.ConnectionTimeoutError(), FailureKind.TIMEOUT, False, id="connect"),
        pytest.param(aiohttp.SocketTimeoutError(), FailureKind.TIMEOUT, True, id="read"),
        pytest.param(TimeoutError(), FailureKind.TIMEOUT, True, id="bare"),
        pytest.param(
            aiohttp.ServerFingerprintMismatch(b"", b"", "", 0),
            FailureKind.CERTIFICATE,
            False,
            id="fingerprint",
        ),
        pytest.param(aiohttp.ClientPayloadError(), FailureKind.CUT, True, id="payload"),
        pytest.param(aiohttp.ClientConnectionError(), FailureKind.DISCONNECT, True, id="closed"),
        pytest.param(ssl.SSLError(), FailureKind.DISCONNECT, True, id="TLS in mid-stream"),
        pytest.param(aiohttp.InvalidURL("/"), FailureKind.SETUP, False, id="URL"),
        pytest.param(ValueError(), FailureKind.SETUP, False, id="value"),
        pytest.param(RuntimeError(), FailureKind.SETUP, False, id="run time"),
    ],
)
def test_each_exception_has_its_kind(exc: Exception, kind: FailureKind, sent: bool) -> None:
    """Each exception has its kind of failure, and says whether the server may have counted it."""
    failure = translate(exc)
    assert failure is not None
    assert (failure.kind, failure.sent) == (kind, sent)


def test_a_defect_is_not_translated() -> None:
    """An exception that no exchange should raise has no row."""
    assert translate(ZeroDivisionError()) is None


async def test_a_defect_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of the transport itself is no failure of the network, and is not hidden."""

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with WireServer(good) as server, open_transport(server.url) as transport:
        monkeypatch.setattr(transport, "_exchange", broken)
        with pytest.raises(ZeroDivisionError):
            await transport.send(GET)


@pytest.mark.parametrize(
    "exc", [ZeroDivisionError(), TimeoutError(), ValueError(), BrokenPipeError(32, "x")], ids=repr
)
@pytest.mark.parametrize(
    "signal", ["on_request_start", "on_connection_create_start", "on_request_end"]
)
async def test_a_defect_passes_through(signal: str, exc: Exception) -> None:
    """C15: an exception of the caller's own callback reaches the caller as it is."""

    async def broken(*_: object) -> None:
        raise exc

    trace = aiohttp.TraceConfig()
    getattr(trace, signal).append(broken)
    async with (
        WireServer(good) as server,
        open_transport(server.url, trace_configs=[trace]) as transport,
    ):
        with pytest.raises(type(exc)) as caught:
            await transport.send(GET)
    assert caught.value is exc
    assert exc.__context__ is None


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        pytest.param(
            aiohttp.ClientOSError(104, "Connection reset by peer"),
            "ClientOSError: Connection reset by peer",
            id="OSError",
        ),
        pytest.param(aiohttp.ServerDisconnectedError(), "ServerDisconnectedError", id="plain"),
        pytest.param(
            aiohttp.ClientConnectorError(
                SimpleNamespace(host="api.example", port=443),  # type: ignore[arg-type]
                OSError(111, "Connection refused"),
            ),
            "api.example:443: Connection refused",
            id="server",
        ),
    ],
)
def test_a_reason_is_in_words(exc: Exception, reason: str) -> None:
    """The reason names the server or the exception, and the system's message, but no header."""
    failure = translate(exc)
    assert failure is not None
    assert failure.reason == reason
