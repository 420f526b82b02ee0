"""The transport's options, checked when they are made."""

from collections.abc import Sequence
from typing import Any

from aiohttp import ClientSession, TraceConfig
from attrs import Factory, field, frozen

from raydocs_async import _settings
from raydocs_async._base_url import parse_base_url


def _check(check: Any, *args: Any) -> Any:
    """Make an attrs validator of a function of `_settings`."""
    return lambda _self, attribute, value: check(attribute.name, value, *args)


def _accepted_url(options: "ConnectionOptions") -> str:
    borrowed = options.http_session is not None
    return parse_base_url(options.base_url, allow_http=options.allow_http, borrowed=borrowed)


def _listed(configs: Sequence[TraceConfig]) -> Sequence[TraceConfig]:
    return list(configs)  # the caller's own list may change later


@frozen(kw_only=True)
class ConnectionOptions:
    """Options of an `AiohttpTransport`.

    Raises:
        ConfigurationError: an option cannot work.
    """

    base_url: str
    """The base URL as configured; `url` is its accepted form."""
    http_session: ClientSession | None = field(
        validator=_check(_settings.instance, ClientSession | None), repr=False
    )
    """A session to borrow; never closed. Its own middlewares do not run."""
    allow_http: bool
    """Allow plain ``http`` to other machines."""
    max_response_bytes: int = field(validator=_check(_settings.count))
    """The longest body, in bytes after decompression."""
    max_connections: int = field(validator=_check(_settings.count))
    """Open connections, at most."""
    attempt_timeout: float = field(validator=_check(_settings.seconds))
    """Seconds for one exchange, from connecting to the body's last byte."""
    trace_configs: Sequence[TraceConfig] = field(converter=_listed)
    """Instrumentation of aiohttp."""
    url: str = field(init=False, default=Factory(_accepted_url, takes_self=True))
    """The base URL as it is used, without a final slash."""
