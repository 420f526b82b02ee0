"""An asyncio client for Raydocs: extraction sessions, as typed values, within the rate limit.

::

    async with RaydocsClient(token="…") as client:
        session = await client.get_session("770e8400-e29b-41d4-a716-446655440000")

The names are loaded when one of them is used first. A command that only prints its help needs none
of them, and importing aiohttp would take most of its time.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from raydocs_async._version import __version__ as __version__

logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:  # for type checkers, and for tools that freeze programs
    from raydocs_async._public import *  # noqa: F403
else:  # hidden from type checkers, which would accept every misspelt name

    def __getattr__(name: str) -> object:
        """Load the public names at the first use of one (PEP 562)."""
        # The import system asks for a private module's name before it imports that module.
        if name == "__all__" or not name.startswith("_"):
            public = vars(import_module(f"{__name__}._public"))
            found = {key: value for key, value in public.items() if not key.startswith("_")}
            globals().update(found, __all__=sorted(found))
        if name not in globals():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals()[name]

    def __dir__() -> list[str]:
        return [*__getattr__("__all__"), "__version__"]
