"""The caller's trace callbacks, whose exceptions are not the network's."""

from functools import partial
from typing import Any

from aiohttp import TraceConfig

from raydocs_async._aiohttp._failures import CallerError

_SIGNALS = [name for name in dir(TraceConfig) if name.startswith("on_")]


def mark_exceptions(config: TraceConfig) -> TraceConfig:
    """Return a `TraceConfig` whose callbacks are those of `config`.

    Its exceptions are `CallerError`, which carry those of the callbacks.
    """
    config.freeze()  # as aiohttp would: a callback that is added later has no effect
    marked = TraceConfig(config.trace_config_ctx)  # type: ignore[arg-type]  # any callable works
    for name in _SIGNALS:
        if signal := getattr(config, name):
            getattr(marked, name).append(partial(_send, signal))
    return marked


async def _send(signal: Any, *args: Any) -> None:
    try:
        await signal.send(*args)
    except Exception as exc:
        raise CallerError(exc) from None
