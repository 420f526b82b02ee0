"""Checkpoints of `raydocs_async.ray`: the ids of an earlier run that are done.

Ray writes the ids of each block beside its rows, and filters the ids that it reads by them. To Ray
every row is done, though. Here, the ids that only failed temporarily are taken out again, by the
rows in the output.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from pyarrow.fs import FileSelector, FileSystem
from ray.data import Dataset
from ray.data.checkpoint import CheckpointConfig
from ray.data.checkpoint.checkpoint_filter import (
    IdColumnCheckpointManager,
    NumpyArrayBasedCheckpointFilter,
)
from ray.data.checkpoint.interfaces import InvalidCheckpointingConfig
from ray.data.datasource.path_util import _unwrap_protocol

from raydocs_async._rows import FINAL, TEMPORARY, is_finished
from raydocs_async.errors import ConfigurationError

_ID: Final = "session_id"
_READERS: Final = ("Read", "ReadFiles")
"""Ray's operators behind which it filters ids."""


class Checkpoint(CheckpointConfig):
    """A checkpoint of ids that have another name in the input than in the output."""

    def __init__(self, path: str, column: str) -> None:
        super().__init__(
            _ID,
            path,
            delete_checkpoint_on_success=False,
            checkpoint_filter_cls=_Filter,
            checkpoint_manager_cls=_Manager,
        )
        self.column = column


def make_checkpoint(path: str, ids: Dataset, column: str) -> Checkpoint:
    """Return a checkpoint at `path`.

    Raises:
        ConfigurationError: the path is not usable, or Ray could not filter these ids.
    """
    if not _is_read(ids._logical_plan.dag):
        raise ConfigurationError(
            "a checkpoint needs ids that are read from files; write them to a file first, and "
            "read that by ray.data.read_parquet"
        )
    try:
        return Checkpoint(path, column)
    except InvalidCheckpointingConfig:
        raise ConfigurationError(
            f"checkpoint must be an absolute path or a URL of storage, not {path!r}"
        ) from None


def _is_read(operator: Any) -> bool:
    """Return True if all rows of an operator come from files."""
    if type(operator).__name__ in _READERS:
        return True
    inputs = operator.input_dependencies
    # Ray's own check accepts an operator without an input, and then filters nothing.
    return bool(inputs) and all(map(_is_read, inputs))


class _Filter(NumpyArrayBasedCheckpointFilter):
    """Drops the ids that are done from a block of the input."""

    def __init__(self, config: Checkpoint, done: Any) -> None:
        super().__init__(config, done)
        self.id_column = config.column


class _Manager(IdColumnCheckpointManager):
    """Loads the ids that are done."""

    def load_checkpoint(
        self, data_file_dir: str | None = None, data_file_filesystem: FileSystem | None = None
    ) -> Any:
        """Return a reference to the sorted ids, and their size in bytes."""
        self._output = (data_file_dir, data_file_filesystem or self.filesystem)
        return super().load_checkpoint(data_file_dir, data_file_filesystem)

    def _preprocess_data_pipeline(self, checkpoint_ds: Dataset) -> Dataset:
        """Drop the ids that are not done; Ray has deleted the files of unfinished writes before."""
        again = _find_unfinished(*self._output, self.checkpoint_path)
        return checkpoint_ds.map_batches(
            partial(_keep_others, ids=again), batch_format="pyarrow", batch_size=None
        )


def _keep_others(block: pa.Table, ids: pa.Array) -> pa.Table:
    # Without the nulls, which are of input rows without an id, and which Ray cannot sort.
    unwanted = pc.or_(pc.is_in(block[_ID], ids), pc.is_null(block[_ID]))
    return block.filter(pc.invert(unwanted))


def _find_unfinished(path: str | None, filesystem: FileSystem, checkpoint: str) -> pa.Array:
    """Return the ids that the output has no final row of.

    Raises:
        ConfigurationError: the output is not there, or is of another format.
    """
    output = None if path is None else _open_output(path, filesystem)
    if output is None:
        raise ConfigurationError(
            f"the checkpoint {checkpoint} has ids that are done, but there are no sessions in "
            f"{path}; write to the path of the first run by write_parquet, not with "
            "mode=OVERWRITE, which deletes its rows, or begin another checkpoint"
        )
    status, error_type = pads.field("status"), pads.field("error_type")
    has_failed = error_type.is_valid() & ~error_type.isin(TEMPORARY)
    is_final = has_failed | status.isin(FINAL)
    candidates = _read_ids(output, ~is_final)
    finished = _read_ids(output, pads.field(_ID).isin(candidates) & is_final)
    finished = pa.concat_arrays([finished, *_finished_without_status(output)])
    return candidates.filter(pc.invert(pc.is_in(candidates, finished)))


def _finished_without_status(output: pads.Dataset) -> Iterator[pa.Array]:
    """Yield the ids of sessions that only their results show to be finished."""
    rows = pads.field("status").is_null() & pads.field("error_type").is_null()
    for batch in output.to_batches(columns=[_ID, "session"], filter=rows):
        finished = [is_finished(text) for text in batch["session"].to_pylist()]
        yield batch[_ID].filter(pa.array(finished, pa.bool_()))


def _open_output(path: str, filesystem: FileSystem) -> pads.Dataset | None:
    """Open the rows of earlier runs; return ``None`` if there are none."""
    entries = filesystem.get_file_info(
        FileSelector(_unwrap_protocol(path), recursive=True, allow_not_found=True)
    )
    files = [each.path for each in entries if each.path.endswith(".parquet")]
    output = pads.dataset(files, filesystem=filesystem, format="parquet") if files else None
    return output if output and {_ID, "status", "error_type"} <= {*output.schema.names} else None


def _read_ids(output: pads.Dataset, rows: pads.Expression) -> pa.Array:
    return output.to_table(columns=[_ID], filter=rows)[_ID].unique()
