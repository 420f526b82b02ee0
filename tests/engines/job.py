"""The job of the how-to "Many machines"."""

from collections.abc import Callable

import ray

from raydocs_async import RaydocsClient
from raydocs_async.ray import fetch_sessions


def fetch_all(
    ids: str,
    sessions: str,
    checkpoint: str,
    client: Callable[[], RaydocsClient] = RaydocsClient,
    rows_per_block: int = 250,
) -> None:
    """Fetch the sessions whose ids are in a Parquet file; called again, continue."""
    fetch_sessions(
        ray.data.read_parquet(ids),
        client=client,
        address_resource="raydocs",
        checkpoint=checkpoint,
        rows_per_block=rows_per_block,
    ).write_parquet(sessions)
