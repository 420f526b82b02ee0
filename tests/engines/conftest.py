"""A Ray cluster of two nodes, each with an address of its own, and the API that both see."""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.data import DataContext, Dataset

from raydocs_async import RateLimit, RaydocsClient, RetryPolicy
from raydocs_async.sandbox import Sandbox
from raydocs_async.testing import _in_a_thread

TOKEN = "tok-5ecr3t-of-ray-0123456789"
ADDRESSES = ("127.0.0.1", "127.0.0.2")
_STORE = 80 * 2**20

MakeClient = Callable[[], RaydocsClient]
MakeIds = Callable[..., Dataset]


def pytest_configure(config: pytest.Config) -> None:
    """Let Ray warn of itself: its own code uses what it calls deprecated."""
    config.addinivalue_line("filterwarnings", r"ignore:::ray\.")


@pytest.fixture(scope="session")
def folder() -> Iterator[str]:
    """A directory for Ray, which wants none below an environment, and short paths of sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as path:
        yield path


@pytest.fixture(scope="session")
def cluster(folder: str) -> Iterator[Cluster]:
    """Two nodes with one unit of ``raydocs`` each; their processes find the address to use.

    Their coverage is not measured: it would double the time of their imports, which is most of all.
    """
    unmeasured = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    own = {"RAYDOCS_API_TOKEN": TOKEN, "RAY_TMPDIR": folder}
    with mock.patch.dict(os.environ, unmeasured | own, clear=True):
        head = {"num_cpus": 2, "object_store_memory": _STORE, "include_dashboard": False}
        nodes = Cluster(initialize_head=True, head_node_args=head)
        for address in ADDRESSES:
            nodes.add_node(
                num_cpus=0,  # reading and writing stay on the head: each worker imports for seconds
                object_store_memory=_STORE,
                resources={"raydocs": 1, "behind_nat": 2},
                env_vars={"TEST_ADDRESS": address},
            )
    try:
        ray.init(address=nodes.address, log_to_driver=False, logging_level=logging.ERROR)
        DataContext.get_current().enable_progress_bars = False
        yield nodes
    finally:
        ray.shutdown()
        nodes.shutdown()


@pytest.fixture
def api() -> Iterator[Sandbox]:
    """A sandbox that allows each address 100 requests a second."""
    with _in_a_thread(Sandbox(100, 1.0, sessions=None, token=TOKEN)) as sandbox:
        yield sandbox


@pytest.fixture
def client(api: Sandbox) -> MakeClient:
    """A client of that sandbox, from the address of its node; it finds the token by itself."""
    return client_of(api.url)


def client_of(
    url: str,
    *,
    per: float = 1.0,
    max_wait: float = 300.0,
    token: str | None = None,
    shared: str | None = None,
) -> MakeClient:
    """A function that builds a client, and that is pickled by value, as one of a script is.

    Clients with a `shared` limit have one address, as behind a NAT.
    """

    def make() -> RaydocsClient:  # pragma: no cover  (runs on the nodes)
        address = ADDRESSES[0] if shared else os.environ.get("TEST_ADDRESS", ADDRESSES[0])
        return RaydocsClient(
            token,
            base_url=url,
            rate_limit=RateLimit(requests=100, per=per, max_wait=max_wait, shared=shared),
            retry=RetryPolicy(attempts=2, initial=0.1),
            http_session=aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(local_addr=(address, 0))
            ),
        )

    return make


def together(make: MakeClient, folder: Path, fetchers: int = len(ADDRESSES)) -> MakeClient:
    """The same function, which first waits for the other fetchers.

    A busy machine starts one of them seconds before another, and it could take all blocks.
    `folder` has a file for each fetcher, whose name is the id of its process.
    """
    folder.mkdir()

    def wait_and_make() -> RaydocsClient:  # pragma: no cover  (runs on the nodes)
        (folder / str(os.getpid())).touch()
        end = time.monotonic() + 60
        while len(list(folder.iterdir())) < fetchers and time.monotonic() < end:
            time.sleep(0.01)
        return make()

    return wait_and_make


@pytest.fixture
def write_ids(tmp_path: Path, cluster: Cluster) -> MakeIds:
    """Write ids to a file, and read that as a dataset."""

    def write(ids: list[str], column: str = "session_id") -> Dataset:
        path = tmp_path / "ids.parquet"
        pq.write_table(pa.table({column: pa.array(ids, pa.string())}), path)
        return ray.data.read_parquet(str(path))

    return write
