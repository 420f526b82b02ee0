"""A DuckDB database on disk, for the rows of a table while it is made."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import duckdb

_BATCH: Final = 1000
_INTERRUPT_PERIOD: Final = 0.05
"""Seconds."""
_CONFIG: Final[dict[str, Any]] = {
    "memory_limit": "512MB",
    # With more, a COPY that keeps the order of the rows holds many of them in memory.
    "threads": 1,
    # The command must not load code from the network.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def connect(path: str, **config: str) -> duckdb.DuckDBPyConnection:
    """Open a database with bounded memory.

    Raises:
        duckdb.Error: that is impossible; the disk may be full.
    """
    return duckdb.connect(path, config=_CONFIG | config)


def quote(name: str) -> str:
    """Return a name as SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


class Database:
    """A database that signals can interrupt.

    Args:
        folder: A folder for the database, and for what does not fit into memory.
    """

    def __init__(self, folder: Path) -> None:
        self._duckdb = connect(str(folder / "rows.duckdb"), temp_directory=str(folder / "spill"))
        # Python handles no signal while its main thread is within DuckDB.
        self._thread = ThreadPoolExecutor(1)

    def execute(self, sql: str, parameters: list[Any] | None = None) -> None:
        """Execute a statement, and wait for its end.

        Raises:
            duckdb.Error: the statement has failed; the disk may be full.
            KeyboardInterrupt: a signal has come; the statement may run until `close`.
        """
        self._thread.submit(self._duckdb.execute, sql, parameters).result()

    def select(self, sql: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, some at a time.

        Raises:
            duckdb.Error: the query has failed; the disk may be full.
        """
        self.execute(sql)
        while rows := self._duckdb.fetchmany(_BATCH):
            yield rows

    def close(self) -> None:
        """Close the database; interrupt a statement that still runs."""
        idle = self._thread.submit(lambda: None)
        # Repeated, because DuckDB forgets an interrupt that comes before the statement begins.
        while not wait([idle], _INTERRUPT_PERIOD).done:
            self._duckdb.interrupt()
        self._thread.shutdown()
        self._duckdb.close()
