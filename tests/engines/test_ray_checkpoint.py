"""Checkpoints: the same command again fetches only the ids that are not done."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.data import SaveMode
from ray.exceptions import RayError

from raydocs_async import ConfigurationError
from raydocs_async._ray_checkpoint import Checkpoint, _Filter, _keep_others
from raydocs_async.ray import fetch_sessions
from raydocs_async.sandbox import Fault, Sandbox
from tests.engines.conftest import MakeClient, MakeIds, client_of
from tests.engines.job import fetch_all

TESTS = Path(__file__).parents[1]

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("cluster")]


def found(path: Path) -> Counter[tuple[str, str | None]]:
    """The ids in the output, each with the type of its error."""
    rows = pq.read_table(path).to_pylist()
    return Counter((row["session_id"], row["error_type"]) for row in rows)


def test_later_runs(api: Sandbox, client: MakeClient, write_ids: MakeIds, tmp_path: Path) -> None:
    """A second run fetches what failed temporarily or was not finished, and a third nothing."""
    ids = api.ids(40)
    bad, unfinished, plain = ids[3], ids[30], ids[31]
    api.script_for(bad, *[Fault.status(500)] * 100)
    finished = api.session(unfinished)
    api.put({**finished, "status": "processing"})
    api.put({**api.session(plain), "status": None})
    dataset = write_ids([*ids, "nonsense"], column="key")

    def run() -> int:
        before = api.stats.requests
        job = fetch_sessions(
            dataset,
            column="key",
            client=client,
            checkpoint=str(tmp_path / "done"),
            rows_per_block=10,
        )
        job.write_parquet(str(tmp_path / "out"))
        return api.stats.requests - before

    assert run() >= 40
    api.clear_script()
    api.put(finished)
    assert run() == 2
    again = [(unfinished, None), (bad, "InternalServerError")]
    bad_id = ("nonsense", "InvalidIdError")
    assert found(tmp_path / "out") == Counter([*((each, None) for each in ids), *again, bad_id])
    assert run() == 0


DRIVER = """
import sys
import ray
from tests.engines.conftest import client_of
from tests.engines.job import fetch_all

address, url, ids, done, out = sys.argv[1:]
ray.init(address=address, log_to_driver=False, logging_level="ERROR")
client = client_of(url, per=4.0)  # writing keeps up with it
fetch_all(ids, out, done, client=client, rows_per_block=50)
"""


def test_killed_driver(
    cluster: Cluster, folder: str, api: Sandbox, write_ids: MakeIds, tmp_path: Path
) -> None:
    """A driver killed by ``kill -9`` repeats at most two blocks of each address, and loses none."""
    write_ids(api.ids(400))
    paths = [str(tmp_path / name) for name in ("ids.parquet", "done", "out")]
    command = [sys.executable, "-c", DRIVER, cluster.address, api.url, *paths]
    # The driver imports `tests`, but the package from where it is installed.
    (tmp_path / "importable").mkdir()
    (tmp_path / "importable" / "tests").symlink_to(TESTS)
    environment = {k: v for k, v in os.environ.items() if "COVERAGE" not in k} | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "importable"), *filter(None, sys.path)]),
        "RAY_TMPDIR": folder,
    }

    driver = subprocess.Popen(command, env=environment)
    while not any(tmp_path.glob("out/*.parquet")) and driver.poll() is None:
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_until_quiet(api)
    assert 0 < api.stats.requests < 400

    subprocess.run(command, env=environment, check=True)
    assert found(tmp_path / "out") == Counter((each, None) for each in api.ids(400))
    assert 400 <= api.stats.requests <= 400 + 2 * 2 * 50
    requests = api.stats.requests
    ids, done, out = paths
    fetch_all(ids, out, done, client=client_of(api.url), rows_per_block=50)
    assert api.stats.requests == requests


def wait_until_quiet(api: Sandbox) -> None:
    """Wait until the fetchers of a killed driver are gone."""
    before = -1
    while before != api.stats.requests:
        before = api.stats.requests
        time.sleep(2)


def test_another_output(
    api: Sandbox, client: MakeClient, write_ids: MakeIds, tmp_path: Path
) -> None:
    """A run that writes elsewhere is refused: the ids that are done are not there."""
    ids, done = write_ids(api.ids(3)), str(tmp_path / "done")
    fetch_sessions(ids, client=client, checkpoint=done).write_parquet(str(tmp_path / "out"))
    with pytest.raises((ConfigurationError, RayError), match="there are no sessions in"):
        fetch_sessions(ids, client=client, checkpoint=done).write_parquet(str(tmp_path / "b"))
    assert api.stats.requests == 3


def test_overwritten_output(
    api: Sandbox, client: MakeClient, write_ids: MakeIds, tmp_path: Path
) -> None:
    """A run that deletes the rows of earlier ones is refused: their ids would be skipped."""
    ids, done, out = write_ids(api.ids(3)), str(tmp_path / "done"), str(tmp_path / "out")
    fetch_sessions(ids, client=client, checkpoint=done).write_parquet(out)
    again = fetch_sessions(ids, client=client, checkpoint=done)
    with pytest.raises((ConfigurationError, RayError), match="mode=OVERWRITE, which deletes"):
        again.write_parquet(out, mode=SaveMode.OVERWRITE)
    assert api.stats.requests == 3


def test_filter(tmp_path: Path) -> None:
    """The filter drops the ids that are done by their column's own name."""
    done = ray.put(np.array(["a", "c"], dtype=object))
    keep = _Filter(Checkpoint(str(tmp_path), "key"), done)
    block = pa.table({"key": ["a", "b", "c", "d"]})
    assert keep.filter_rows_for_block(block)["key"].to_pylist() == ["b", "d"]


def test_ids_that_are_not_done() -> None:
    """Unfinished ids, and rows without an id, are not in the sorted list of those done."""
    block = pa.table({"session_id": ["a", None, "b"]})
    assert _keep_others(block, pa.array(["b"])).to_pydict() == {"session_id": ["a"]}
