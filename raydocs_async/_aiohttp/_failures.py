"""aiohttp's exceptions, and the transport's own, as a `Failure` in words of this library.

No exception leaves the transport: aiohttp's hold the request's headers, token included, and each
of its parse errors claims to be an HTTP 400.
"""

from collections.abc import Sequence

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from raydocs_async._exchange import Failure, FailureKind

READABLE_ENCODINGS = ("gzip", "deflate")
"""Those that the standard library decodes. aiohttp asks also for ``br`` and ``zstd`` when their
packages are installed, in whatever version, and fails at each reply if that one does not fit."""


class WireError(Exception):
    """A connection error that aiohttp must not see, since it would send the request once more.

    aiohttp repeats a GET, silently, on the two exceptions that this one replaces. The repetition
    counts at the server, and would escape the rate limiter and the retry policy.
    """


class TooLargeError(Exception):
    """A body over the cap."""


class ExposureError(Exception):
    """The token would leave this machine in clear; raised before anything is sent."""


class EncodingError(Exception):
    """A body in an encoding that was not asked for."""


# The first row that fits counts. A test fails when aiohttp has an exception that none fits.
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

# A proxy's refusals that may be over at the next attempt, as are all of its 5xx.
_TEMPORARY_REFUSALS = frozenset({408, 425, 429})


def translate(exc: Exception) -> Failure | None:
    """The failure that `exc` stands for; ``None`` for what no exchange should raise."""
    match exc:
        case aiohttp.ClientHttpProxyError(status=status):
            return _refusal(status)
        case aiohttp.ClientResponseError() if _is_undecodable(exc):
            return translate(EncodingError())  # aiohttp gives up at such a reply's headers
    for kind, failure, sent in _FAILURES:
        if isinstance(exc, kind):
            return Failure(failure, reason(exc), sent)
    return None


def _is_undecodable(exc: BaseException | None) -> bool:
    while exc is not None and not isinstance(exc, ContentEncodingError):
        exc = exc.__cause__
    return exc is not None


def _refusal(status: int) -> Failure:
    """The failure for a proxy's answer to CONNECT, whose status really is one, unlike others'."""
    if status >= 500 or status in _TEMPORARY_REFUSALS:
        return Failure(FailureKind.CONNECT, f"the proxy answered HTTP {status}", sent=False)
    said = f"it answered HTTP {status}; check its address and credentials"
    return Failure(FailureKind.PROXY, said, sent=False)


def reason(exc: Exception) -> str:
    """Return the failure in words of our own: the exception's can quote headers."""
    match exc:
        case WireError() | ExposureError():
            return str(exc)
        case TooLargeError():
            return "it was not read any further"
        case EncodingError():
            asked_for = " or ".join(READABLE_ENCODINGS)
            return f"its Content-Encoding is not {asked_for}, which is what was asked for"
        case TimeoutError() if type(exc) is TimeoutError:
            return "the attempt took too long"
        case aiohttp.ClientConnectorError() if exc.strerror and exc.host:
            return f"{exc.host}:{exc.port}: {exc.strerror}"
        case OSError() if exc.strerror:
            return f"{type(exc).__name__}: {exc.strerror}"
        case RuntimeError() if not isinstance(exc, aiohttp.ClientError):
            return str(exc)  # such as that a borrowed session is closed
        case _:
            return type(exc).__name__
