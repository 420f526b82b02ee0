"""The rows of a table while it is made."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from raydocs_async.cli import _table_store
from raydocs_async.cli._exit import CannotStart
from raydocs_async.cli._table_columns import FIXED, Kind
from raydocs_async.cli._table_database import Database
from raydocs_async.cli._table_store import RowStore

ID = (FIXED, "id")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    with closing(Database(tmp_path)) as built:
        yield built


@pytest.fixture
def store(database: Database) -> RowStore:
    """A store with one fixed column."""
    return RowStore(database, {ID: Kind.TEXT}, None)


def rows(store: RowStore, database: Database) -> list[tuple[object, ...]]:
    """Return all rows, by the columns of the table."""
    ids = ", ".join(column.id for column in store.finish())
    return [row for some in database.select(f"SELECT {ids} FROM rows") for row in some]


@pytest.mark.parametrize("limit", ["_MAX_BATCH_ROWS", "_MAX_BATCH_CELLS", "_MAX_BATCH_CHARS"])
def test_batches(
    store: RowStore, database: Database, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """The rows are the same, however they are cut into batches, and keep their order."""
    monkeypatch.setattr(_table_store, limit, 3)
    added = [(str(number), None if number % 3 else f"x{number}") for number in range(10)]
    for first, second in added:
        store.add({ID: first} if second is None else {ID: first, ("data", "x"): second})
    assert rows(store, database) == added
    assert store.count == 10


def test_an_object_that_is_null(store: RowStore) -> None:
    """An object that is null in some rows has no column of its own; a null elsewhere has one."""
    store.add({ID: "1", ("data", "a"): None, ("data", "b"): None})
    store.add({ID: "2", ("data", "a", "x"): 1})
    assert [column.name for column in store.finish()] == ["id", "b", "a.x"]


def test_rows_without_a_kept_column(database: Database) -> None:
    """A row without a value in any kept column is a row all the same."""
    store = RowStore(database, {ID: Kind.TEXT}, ["x"])
    store.add({ID: "1"})
    store.add({ID: "2", ("data", "x"): 5})
    assert rows(store, database) == [(None,), ("5",)]


def test_too_many_columns(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data whose keys are values themselves is refused, with a remedy."""
    monkeypatch.setattr(_table_store, "MAX_COLUMNS", 3)
    store.add({ID: "1", ("data", "a"): 1, ("data", "b"): 1})
    with pytest.raises(CannotStart, match=r"more than 3 different paths.*--rows fields"):
        store.add({ID: "2", ("data", "c"): 1})


def test_repeated_sessions(store: RowStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that were added more than once are counted once each."""
    monkeypatch.setattr(_table_store, "_MAX_BATCH_ROWS", 2)
    for each in ("a", "b", "a", "c", "a", "c"):
        store.add_source(each)
    assert store.count_repeated() == 2
