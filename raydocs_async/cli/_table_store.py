"""The rows of a table while it is made: on disk, as text.

So the memory does not depend on the number of rows, and the type of a column can be chosen when
all of its values are known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._table_columns import MAX_COLUMNS, Column, ColumnNames, Key, Kind
from raydocs_async.cli._table_database import Database
from raydocs_async.cli._text import name_choices

_MAX_BATCH_ROWS: Final = 4096
_MAX_BATCH_CHARS: Final = 16_000_000
_MAX_BATCH_CELLS: Final = 200_000


class RowStore:
    """Puts rows one by one into the table ``rows`` of a database.

    Args:
        database: An empty one.
        keys: The columns that the table has without any row, and their types without a value.
        wanted: The names of the columns to keep, in their order; ``None`` keeps all.
    """

    def __init__(
        self, database: Database, keys: Mapping[Key, Kind], wanted: Sequence[str] | None
    ) -> None:
        self._database = database
        # The rows of a batch without a value in the kept columns count, too.
        self._database.execute("CREATE TABLE rows (number BIGINT)")
        self._database.execute("CREATE TABLE sources (id VARCHAR)")
        self.columns: dict[Key, Column] = {}
        self.count = 0
        """Rows so far."""
        self._wanted = wanted
        self._names = ColumnNames()
        self._batch: dict[str, list[str | None]] = {}
        self._batch_rows = self._batch_chars = 0
        self._sources: list[str] = []
        for key, kind in keys.items():
            self._add_column(key).default = kind

    def add_source(self, session_id: str) -> None:
        """Add the id of a session, of which the following rows are made.

        Raises:
            duckdb.Error: the disk is full.
        """
        self._sources.append(session_id)
        if len(self._sources) == _MAX_BATCH_ROWS:
            self._flush_sources()

    def _flush_sources(self) -> None:
        self._database.execute("INSERT INTO sources SELECT unnest(?::VARCHAR[])", [self._sources])
        self._sources = []

    def count_repeated(self) -> int:
        """Return the number of the sessions that were added more than once.

        Raises:
            duckdb.Error: the disk is full.
        """
        self._flush_sources()
        repeated = "SELECT id FROM sources GROUP BY id HAVING count(*) > 1"
        ((count,),) = next(self._database.select(f"SELECT count(*) FROM ({repeated})"))
        return int(count)

    def add(self, row: dict[Key, Any]) -> None:
        """Add a row.

        Raises:
            CannotStart: the rows have too many columns.
            duckdb.Error: the disk is full.
        """
        for key, value in row.items():
            column = self.columns.get(key) or self._add_column(key)
            text = column.spell(value)
            if text is not None and column.is_kept:
                self._add_cell(column.id, text)
        self._batch_rows += 1
        self.count += 1
        if (
            self._batch_rows >= _MAX_BATCH_ROWS
            or self._batch_chars >= _MAX_BATCH_CHARS
            or self._batch_rows * len(self._batch) >= _MAX_BATCH_CELLS
        ):
            self._flush()

    def _add_column(self, key: Key) -> Column:
        if len(self.columns) == MAX_COLUMNS:
            raise CannotStart(
                f"the data has more than {MAX_COLUMNS} different paths, and each would be a "
                "column; make a table of `--rows fields`, which has a row for each value"
            )
        name = self._names.add(key)
        column = Column(f"c{len(self.columns)}", name, self._wanted is None or name in self._wanted)
        self.columns[key] = column
        if column.is_kept:
            # All columns are text until the last row is read, because any row can change a type.
            self._database.execute(f"ALTER TABLE rows ADD COLUMN {column.id} VARCHAR")
        return column

    def _add_cell(self, column_id: str, text: str) -> None:
        cells = self._batch.setdefault(column_id, [])
        cells.extend([None] * (self._batch_rows - len(cells)))
        cells.append(text)
        self._batch_chars += len(text)

    def _flush(self) -> None:
        cells = list(self._batch.values())
        for each in cells:
            each.extend([None] * (self._batch_rows - len(each)))
        names = "".join(f", {each}" for each in self._batch)
        lists = ", unnest(?::VARCHAR[])" * len(cells)
        sql = f"INSERT INTO rows (number{names}) SELECT unnest(range(?, ?)){lists}"
        self._database.execute(sql, [self.count - self._batch_rows, self.count, *cells])
        self._batch, self._batch_rows, self._batch_chars = {}, 0, 0

    def finish(self) -> list[Column]:
        """Store the last rows, and return the columns of the table.

        Raises:
            CannotStart: a column that was asked for does not exist.
            duckdb.Error: the disk is full.
        """
        self._flush()
        columns = {each.name: each for each in self._list_columns()}
        if self._wanted is None:
            return list(columns.values())
        for name in self._wanted:
            if name not in columns:
                there = name_choices(columns, name)
                raise CannotStart(f"there is no column {name!r}; there are {there}")
        return [columns[name] for name in self._wanted]

    def _list_columns(self) -> Iterator[Column]:
        """Yield the columns, but for those of an object that is null in some rows."""
        inner = {key[:length] for key in self.columns for length in range(1, len(key))}
        for key, column in self.columns.items():
            if column.kinds or key not in inner:
                yield column
