"""The modules that do the commands' work, each imported at its first use.

Parsing a command line and printing help need none of them. Importing asyncio, aiohttp, rich and
portalocker takes several times as long as everything else that ``--help`` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "demo",
    "fetch",
    "merge",
    "parquet",
    "read",
    "report",
    "sandbox",
    "save",
    "table",
    "unfinished",
]

if TYPE_CHECKING:
    from raydocs_async.cli import _demo as demo
    from raydocs_async.cli import _fetch as fetch
    from raydocs_async.cli import _merge as merge
    from raydocs_async.cli import _parquet as parquet
    from raydocs_async.cli import _read as read
    from raydocs_async.cli import _report as report
    from raydocs_async.cli import _sandbox as sandbox
    from raydocs_async.cli import _save as save
    from raydocs_async.cli import _table as table
    from raydocs_async.cli import _unfinished as unfinished
else:  # a type checker that saw this function would accept every misspelt name

    def __getattr__(name: str) -> object:
        """Import a module of the list above (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"raydocs_async.cli._{name}")
