"""The store that a configuration names."""

import os
from collections.abc import Callable
from pathlib import Path

from raydocs_async._limits import _address
from raydocs_async._limits._file import FileStore
from raydocs_async._limits._store import Store
from raydocs_async._limits._values import RateLimit, check_shared
from raydocs_async.errors import ConfigurationError


def open_store(configured: RateLimit, wake: Callable[[], None]) -> Store | None:
    """Return the store that all processes share; ``None`` if the limit is not shared.

    Args:
        configured: The configuration; the environment counts where it says nothing.
        wake: Called when an answer of the store has come later.

    Raises:
        ConfigurationError: the environment has an unusable value, or the library for Redis is
            missing.
    """
    value = configured.shared
    if value is None:
        value = os.environ.get("RAYDOCS_SHARED_LIMIT", "")
        check_shared("$RAYDOCS_SHARED_LIMIT", value)
    address = _address.parse(str(value))
    if address is not None:
        return _redis_store(address, wake)
    return FileStore(str(Path(value).absolute())) if value else None


def _redis_store(address: _address.RedisAddress, wake: Callable[[], None]) -> Store:
    try:
        # Here, because few use it, and its import takes as long as that of all the rest.
        from raydocs_async._limits._redis import RedisStore  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "a limit that is shared by Redis needs the package redis: "
            "pip install 'raydocs-async[redis]'"
        ) from error
    return RedisStore(address, wake)
