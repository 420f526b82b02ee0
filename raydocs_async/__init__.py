"""An asyncio client for Raydocs: extraction sessions, as typed values, within the rate limit.

::

    async with RaydocsClient(token="…") as client:
        session = await client.get_session("770e8400-e29b-41d4-a716-446655440000")

The names are loaded when they are first used, so that what needs no HTTP does not pay for it: a
worker that unpickles sessions, a command that prints its help. Their types are in `__init__.pyi`.
"""

import logging
from importlib import import_module
from typing import Final

from raydocs_async._version import __version__ as __version__

_HOMES: Final = {
    "_bulk": ("Outcome", "Progress", "SessionStream"),
    "_converter": ("converter",),
    "_limits._queue": ("RateLimiter",),
    "_limits._values": ("RateLimit", "RateLimitStatus"),
    "_retry": ("RetryPolicy",),
    "client": ("RaydocsClient",),
    "errors": (
        "APIConnectionError",
        "APIResponseValidationError",
        "APIStatusError",
        "APITimeoutError",
        "Attempt",
        "AuthenticationError",
        "BadRequestError",
        "ClientClosedError",
        "ConfigurationError",
        "InternalServerError",
        "InvalidSessionIdError",
        "NotFoundError",
        "PermissionDeniedError",
        "RateLimitError",
        "RaydocsError",
        "UnprocessableEntityError",
        "WaitTimeoutError",
    ),
    "models": (
        "Document",
        "DocumentRef",
        "DocumentStatus",
        "Parsing",
        "ParsingStatus",
        "Result",
        "ResultStatus",
        "Session",
        "SessionStatus",
        "Source",
    ),
}
_MODULES: Final = ("errors", "events", "models", "sandbox")
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

# The stub spells it out for those who cannot run this.
__all__ = [*_HOME_OF]  # noqa: PLE0604  # pyright: ignore[reportUnsupportedDunderAll]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """Load a public name from the module that defines it, and keep it (PEP 562)."""
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__", *_MODULES})
