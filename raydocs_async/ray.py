"""Bulk work on many machines, by Ray Data; needs the extra ``raydocs-async[ray]``.

::

    ids = ray.data.read_parquet("s3://bucket/ids")
    fetch_sessions(ids, address_resource="raydocs").write_parquet("s3://bucket/sessions")

Ray distributes the ids, starts the workers again that die, and writes the output. Each worker is a
fetcher with a client of its own, which keeps the rate limit of its machine's address.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from itertools import count
from typing import Final, NoReturn, Self

import pyarrow as pa
import ray
from ray import cloudpickle
from ray.data import ActorPoolStrategy, Dataset

from raydocs_async import _settings
from raydocs_async._ray_checkpoint import make_checkpoint
from raydocs_async._rows import Row, build_row
from raydocs_async._stream import Stream
from raydocs_async.client import RaydocsClient
from raydocs_async.errors import ConfigurationError, RaydocsError
from raydocs_async.models import Session

__all__ = ["SCHEMA", "fetch_sessions"]

SCHEMA: Final = pa.schema(
    [
        ("session_id", pa.string()),
        ("status", pa.string()),
        ("session", pa.large_string()),  # a column of the other type ends at 2 GiB
        ("error", pa.string()),
        ("error_type", pa.string()),
    ]
)
"""The columns of the result, the same ones for each block."""

_MAX_BLOCK_BYTES: Final = 1 << 30
_OUTAGE_LINE: Final = 60.0
"""Seconds between two lines about an outage."""


def fetch_sessions(
    ids: Dataset,
    *,
    column: str = "session_id",
    client: Callable[[], RaydocsClient] = RaydocsClient,
    address_resource: str | None = None,
    checkpoint: str | None = None,
    rows_per_block: int = 250,
) -> Dataset:
    """Fetch many sessions, on as many machines as have an address of their own.

    Args:
        ids: A dataset with a column of ids; an id in two rows is fetched twice.
        column: The name of that column, which holds strings.
        client: Builds the client of a fetcher; called without arguments in its process, with the
            fetcher's event loop running. By default, that process's environment has the token. So
            the token is in no argument of a task.
        address_resource: The name of the Ray resource that stands for an address; there is one
            fetcher for each unit of it, on the node that has it. By default, there is one fetcher.
        checkpoint: The path of a directory, on storage that every node reaches. An id that is done
            is not fetched again by the same command. An id that failed temporarily, or whose
            session is not finished, is, and so has a row of each run. `ids` must be read from
            files, and the result be written by ``write_parquet`` to the same path; not with
            ``mode=OVERWRITE``, which deletes the rows of earlier runs before the job ends with an
            error.
        rows_per_block: Ids that a fetcher takes at a time. If it dies, they are fetched again.

    Returns:
        A lazy dataset with the columns of `SCHEMA`, one row for each id. Take them from there, as
        Ray's ``schema()``, ``columns()`` and ``take()`` fetch sessions to answer, and what is
        written afterwards is fetched again:

        - ``session_id``, as in `ids`;
        - ``status``, and ``session``, the whole session as JSON text, which
          ``converter.loads(text.encode(), Session)`` reads;
        - ``error`` and ``error_type``, such as ``"NotFoundError"``, if the id failed.

        An error that would hit every id (the token, a shut limit, an outage that is longer than
        the client's ``max_wait``) ends the job, and is the first line of the exception.

    Raises:
        ConfigurationError: the cluster has no such resource, `ids` no such column, or an argument
            is unusable; nothing was sent.
    """
    _settings.count("rows_per_block", rows_per_block)
    fetchers = _count_fetchers(address_resource)
    _check_client(client)
    _check_column(ids, column)
    config = None if checkpoint is None else make_checkpoint(checkpoint, ids, column)
    # Without `strict`, small blocks are joined, and one fetcher gets them all.
    blocks = ids.select_columns([column]).repartition(
        target_num_rows_per_block=rows_per_block, strict=True
    )
    sessions = blocks.map_batches(
        _Fetcher,
        # Ray's events have the text of each argument. That of a `partial` could have the token.
        fn_constructor_args=(lambda: client(), column),  # noqa: PLW0108
        batch_size=None,
        batch_format="pyarrow",
        # A block that waits for a busy fetcher could be with an idle one.
        compute=ActorPoolStrategy(size=fetchers, max_tasks_in_flight_per_actor=1),
        num_cpus=0,
        resources={address_resource: 1} if address_resource else None,
    )
    context = sessions.context
    # Ray would end the job if no block moved for half an hour. A fetcher has deadlines of its own.
    context.execution_no_progress_timeout_s = -1
    # After a worker's death, Ray counts the blocks of a task. Those of two runs may be cut at
    # different rows, so that rows would be lost: each task has to return a single block.
    context.target_max_block_size = _MAX_BLOCK_BYTES
    if config is not None:
        context.checkpoint_config = config
    return sessions


def _count_fetchers(resource: str | None) -> int:
    if resource is None:
        return 1
    units = int(ray.cluster_resources().get(resource, 0)) if ray.is_initialized() else 0
    if units < 1:
        raise ConfigurationError(
            f"no node of the Ray cluster has the resource {resource!r}; connect by ray.init(), and "
            f"start one node for each address by ray start --resources='{{\"{resource}\": 1}}'"
        )
    return units


def _check_client(client: object) -> None:
    if not callable(client):
        raise ConfigurationError(
            "client must be a function that builds a RaydocsClient in the worker, not of type "
            f"{type(client).__name__}"
        )
    holds_token = _holds_token(client)
    if holds_token is None:
        raise ConfigurationError(
            "client cannot be sent to the workers, because it cannot be pickled; let the function "
            "itself build everything that it uses"
        )
    if holds_token:
        raise ConfigurationError(
            "client holds the token, which would be in the arguments of Ray's tasks; let the "
            "function read it from the worker's environment"
        )


def _holds_token(client: object) -> bool | None:
    """Return True if the pickled function has the token, and ``None`` if it cannot be pickled.

    The caller raises: crash reporters show the local variables of a frame that does.
    """
    token = os.environ.get("RAYDOCS_API_TOKEN", "").encode()
    try:
        pickled: bytes = cloudpickle.dumps(client)
    except Exception:
        # Ray's own message would show the variables of the function, and so perhaps the token.
        return None
    return bool(token) and token in pickled


def _check_column(ids: Dataset, column: str) -> None:
    _settings.instance("ids", ids, Dataset)
    schema = ids.schema()
    if schema is None:  # there are no rows
        return
    if column not in schema.names:
        raise ConfigurationError(
            f"ids has no column {column!r}, but {', '.join(map(repr, schema.names))}; name it by "
            "column="
        )
    found = schema.types[schema.names.index(column)]
    if not isinstance(found, pa.DataType) or not _is_text(found):
        raise ConfigurationError(f"the column {column!r} of ids must be strings, not {found}")


def _is_text(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        return _is_text(found.value_type)
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))


class _Fetcher:
    """Fetches one block after the other in a worker, by one client on one event loop.

    Not a coroutine function: Ray would run that on a loop of its own, which it blocks for seconds.
    """

    def __init__(self, make_client: Callable[[], RaydocsClient], column: str) -> None:
        self._make_client, self._column = make_client, column
        self._runner = asyncio.Runner()
        self._client: RaydocsClient | None = None

    def __call__(self, block: pa.Table) -> pa.Table:
        """Return the rows of a block of ids, in the order of the ids."""
        ids = block[self._column].cast(pa.string()).to_pylist()
        try:
            rows = self._runner.run(self._fetch(ids))
        except RaydocsError as exc:
            error = exc
        else:
            return pa.Table.from_pylist(rows, schema=SCHEMA)
        # Outside of the handler, where the error would be in its own context.
        raise _last_word(error) from error.with_traceback(None)

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            self._runner.run(client.close())
        self._runner.close()

    def __del__(self) -> None:
        """Close the connections; Ray lets go of a fetcher at the end of its process."""
        self.close()

    async def _fetch(self, ids: list[str | None]) -> list[Row]:
        # Not in `__init__`: Ray tries an actor that fails there again, and hides the reason.
        client = self._client = self._client or _build(self._make_client)
        rows: list[Row] = [{} for _ in ids]
        # Not `ordered`: one slow id would hold back the ones behind it.
        async with client.stream_sessions(list(map(_PlacedId, ids, count()))) as stream:
            lines = asyncio.create_task(_report_outages(stream))
            try:
                async for outcome in stream:
                    assert isinstance(outcome.id, _PlacedId)
                    place = outcome.id.place
                    rows[place] = build_row(ids[place], outcome)
            finally:
                lines.cancel()
        return rows


class _PlacedId(str):
    """An id with its place in the block."""

    __slots__ = ("place",)
    place: int

    def __new__(cls, text: str | None, place: int) -> Self:
        """Return a string with a place; an empty one, which is an invalid id, for ``None``."""
        self = super().__new__(cls, text or "")
        self.place = place
        return self


def _build(make_client: Callable[[], RaydocsClient]) -> RaydocsClient:
    client: object = make_client()
    if not isinstance(client, RaydocsClient):
        raise ConfigurationError(
            f"client must return a RaydocsClient, not an object of type {type(client).__name__}"
        )
    return client


async def _report_outages(stream: Stream[Session]) -> NoReturn:
    """Write a line about an outage to standard error, which Ray shows at the driver."""
    while True:
        await asyncio.sleep(_OUTAGE_LINE)
        progress = stream.progress
        if progress.outage is not None:
            sys.stderr.write(
                f"raydocs_async: the service has not answered for {progress.outage:.0f} s; "
                f"{progress.total} ids wait for it\n"
            )
            sys.stderr.flush()


def _last_word(error: RaydocsError) -> RuntimeError:
    # A cause without a traceback is the first line of the exception at the driver. Otherwise a
    # dozen lines about Ray would be above it.
    error.__cause__ = error.__context__ = None
    return RuntimeError("the job ends here, because this error would hit every id")
