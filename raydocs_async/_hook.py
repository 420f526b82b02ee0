"""Calls of the user's ``on_event`` hook."""

import logging
from inspect import iscoroutine

from raydocs_async.events import Event, Hook

_log = logging.getLogger("raydocs_async")


class Announcer:
    """Gives events to a hook, and logs the first exception that the hook raises.

    Later ones are not logged, because a broken hook raises at each of several events a request.
    `KeyboardInterrupt`, `SystemExit` and `asyncio.CancelledError` pass.
    """

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._has_failed = False

    def __call__(self, event: Event) -> None:
        """Give `event` to the hook."""
        try:
            _refuse_coroutine(self._hook(event))
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                _log.exception(
                    "on_event raised at %s; the call continues, and later exceptions of the hook "
                    "are not logged",
                    type(event).__name__,
                )


def _refuse_coroutine(returned: object) -> None:
    if iscoroutine(returned):
        returned.close()  # otherwise Python warns at each coroutine
        raise TypeError("on_event returned a coroutine, which is never awaited")
