"""aiohttp's exceptions, and the transport's own, as a `Failure` in words of this library.

No exception leaves the transport: aiohttp's hold the request's headers, token included, and each
of its parse errors claims to be an HTTP 400.
"""

from collections.abc import Sequence

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from raydocs_async._exchange import Failure, FailureKind

READABLE_ENCODINGS = ("gzip", "deflate")
"""Encodings that the standard library decodes. By default aiohttp also accepts ``br`` and ``zstd``
if their packages are installed, and fails at each reply if their version does not fit."""


class WireError(Exception):
    """A connection error in a form that aiohttp does not know.

    aiohttp silently sends a GET again after the two exceptions that this one replaces. The server
    would count the second request, but the rate limiter and the retry policy would not see it.
    """


class TooLargeError(Exception):
    """A body longer than ``max_response_bytes``."""


class ExposureError(Exception):
    """The token would leave this machine unencrypted; raised before anything is sent."""


class EncodingError(Exception):
    """A body in an encoding that the request does not accept.

    Its arguments are the accepted ones; by default `READABLE_ENCODINGS`.
    """


class CallerError(Exception):
    """Carries an exception of a sink or a trace callback past `translate`.

    Both are the caller's code, whose ``TimeoutError`` would otherwise be one of the network.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


# The first matching row counts. A test fails if no row matches an exception of aiohttp.
_FAILURES: Sequence[tuple[type[Exception], FailureKind, bool]] = (
    (WireError, FailureKind.DISCONNECT, True),
    (TooLargeError, FailureKind.TOO_LARGE, True),
    (ExposureError, FailureKind.SETUP, False),
    (EncodingError, FailureKind.ENCODING, True),
    (aiohttp.ClientConnectorCertificateError, FailureKind.CERTIFICATE, False),
    (aiohttp.ServerFingerprintMismatch, FailureKind.CERTIFICATE, False),
    (aiohttp.ConnectionTimeoutError, FailureKind.TIMEOUT, False),
    (TimeoutError, FailureKind.TIMEOUT, True),
    (aiohttp.ClientConnectorError, FailureKind.CONNECT, False),
    (aiohttp.ClientPayloadError, FailureKind.CUT, True),
    (aiohttp.ClientResponseError, FailureKind.PROTOCOL, True),
    (aiohttp.ClientConnectionError, FailureKind.DISCONNECT, True),
    (aiohttp.ClientError, FailureKind.SETUP, False),
    (OSError, FailureKind.DISCONNECT, True),
    (ValueError, FailureKind.SETUP, False),
    (RuntimeError, FailureKind.SETUP, False),
)

# Statuses of a proxy's temporary refusals, besides all 5xx.
_TEMPORARY_REFUSALS = frozenset({408, 425, 429})


def translate(exc: Exception) -> Failure | None:
    """Return the failure that `exc` means; ``None`` for an exception that is a bug."""
    match exc:
        case aiohttp.ClientHttpProxyError(status=status):
            return _refusal(status)
        case aiohttp.ClientResponseError() if _is_undecodable(exc):
            return translate(EncodingError())  # raised by aiohttp at the reply's headers
    for kind, failure, sent in _FAILURES:
        if isinstance(exc, kind):
            return Failure(failure, reason(exc), sent)
    return None


def _is_undecodable(exc: BaseException | None) -> bool:
    while exc is not None and not isinstance(exc, ContentEncodingError):
        exc = exc.__cause__
    return exc is not None


def _refusal(status: int) -> Failure:
    """Return the failure for a proxy's answer to CONNECT.

    Its status came from the proxy, while aiohttp invents the 400 of its parse errors.
    """
    if status >= 500 or status in _TEMPORARY_REFUSALS:
        return Failure(FailureKind.CONNECT, f"the proxy answered HTTP {status}", sent=False)
    said = f"it answered HTTP {status}; check its address and credentials"
    return Failure(FailureKind.PROXY, said, sent=False)


def reason(exc: Exception) -> str:
    """Return the reason in words of this library, because the exception's can quote headers."""
    match exc:
        case WireError() | ExposureError():
            return str(exc)
        case TooLargeError():
            return "it was not read any further"
        case EncodingError():
            accepted = " or ".join(exc.args or READABLE_ENCODINGS)
            return f"its Content-Encoding is not {accepted}, which the request accepts"
        case TimeoutError() if type(exc) is TimeoutError:
            return "the attempt took too long"
        case aiohttp.ClientConnectorError() if exc.strerror and exc.host:
            return f"{exc.host}:{exc.port}: {exc.strerror}"
        case OSError() if exc.strerror:
            return f"{type(exc).__name__}: {exc.strerror}"
        case RuntimeError() if not isinstance(exc, aiohttp.ClientError):
            return str(exc)  # for example, a borrowed session is closed
        case _:
            return type(exc).__name__
