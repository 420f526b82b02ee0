"""The token shows in no output, no error and no file of Ray, even if a function has it."""

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.data._internal.metadata_exporter import sanitize_for_struct

from raydocs_async import ConfigurationError, RaydocsClient
from raydocs_async.ray import fetch_sessions
from raydocs_async.sandbox import Sandbox
from tests.engines.conftest import TOKEN, MakeClient, MakeIds
from tests.support.reports import with_locals

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("cluster")]


@pytest.fixture
def ids(write_ids: MakeIds) -> ray.data.Dataset:
    """A dataset of one id."""
    return write_ids(["770e8400-e29b-41d4-a716-446655440000"])


def files_with_token(cluster: Cluster) -> list[Path]:
    """The files of Ray's session that have the token: its logs, and those of its workers."""
    head: Any = cluster.head_node
    files = [path for path in Path(head.get_session_dir_path()).rglob("*") if path.is_file()]
    assert len(files) > 10
    return [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_token_of_the_environment(
    cluster: Cluster, api: Sandbox, client: MakeClient, write_ids: MakeIds, tmp_path: Path
) -> None:
    """The token is in no row, and in no file that Ray writes about its jobs."""
    fetch_sessions(write_ids(api.ids(20)), client=client).write_parquet(str(tmp_path / "out"))
    assert TOKEN not in str(pq.read_table(tmp_path / "out").to_pylist())
    assert files_with_token(cluster) == []


def closure_with_lock() -> MakeClient:
    """A function with the token and with an object that cannot be pickled."""
    token, lock = TOKEN + "", threading.Lock()
    return lambda: RaydocsClient(f"{token}{lock}")


def closure_with_client() -> MakeClient:
    """A function with a client, which refuses to be pickled, and which has the token."""
    client = RaydocsClient(TOKEN)
    return lambda: client


def closure_with_token() -> MakeClient:
    """A function with the token alone, which could be pickled."""
    token = TOKEN + ""
    return lambda: RaydocsClient(token)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (closure_with_lock, "client cannot be sent to the workers"),
        (closure_with_client, "client cannot be sent to the workers"),
        (closure_with_token, "client holds the token"),
    ],
)
def test_refused_function(
    make: Callable[[], MakeClient],
    message: str,
    *,
    ids: ray.data.Dataset,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A function with the token is refused without showing it, in captured locals neither."""
    monkeypatch.setenv("RAYDOCS_API_TOKEN", TOKEN)
    with pytest.raises(ConfigurationError, match=message) as caught:
        fetch_sessions(ids, client=make())
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert TOKEN not in with_locals(caught.value, skip=1)
    assert TOKEN not in "".join(capfd.readouterr())
    assert files_with_token(cluster) == []


def test_arguments_in_events(ids: ray.data.Dataset) -> None:
    """Ray's events have the text of each argument; that of a function with a token has none."""
    assert "RAYDOCS_API_TOKEN" not in os.environ
    job = fetch_sessions(ids, client=partial(RaydocsClient, TOKEN))
    event = str(sanitize_for_struct(job._logical_plan.dag._get_args()))
    assert "_Fetcher" in event
    assert TOKEN not in event
