"""Arguments of `fetch_sessions` that cannot work are refused at the call, before any request."""

from typing import Any

import pyarrow as pa
import pytest
import ray

from raydocs_async import ConfigurationError, RateLimit, RateLimiter, RaydocsClient
from raydocs_async.ray import fetch_sessions
from raydocs_async.sandbox import Sandbox
from tests.engines.conftest import MakeIds

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def ids(write_ids: MakeIds) -> ray.data.Dataset:
    """A dataset that every argument suits."""
    return write_ids(["770e8400-e29b-41d4-a716-446655440000"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows_per_block": 0}, "rows_per_block"),
        ({"column": "key"}, "ids has no column 'key', but 'session_id'; name it by column="),
        ({"address_resource": "gpu"}, "no node of the Ray cluster has the resource 'gpu'"),
        ({"client": "a token"}, "client must be a function that builds a RaydocsClient"),
        ({"checkpoint": "relative/path"}, "checkpoint must be an absolute path or a URL"),
    ],
)
def test_unusable(ids: ray.data.Dataset, wrong: dict[str, Any], message: str) -> None:
    """Each unusable argument is named, with what to do."""
    with pytest.raises(ConfigurationError, match=message):
        fetch_sessions(ids, **wrong)


def test_no_dataset() -> None:
    """A list of ids is refused."""
    wrong: Any = ["770e8400-e29b-41d4-a716-446655440000"]
    with pytest.raises(ConfigurationError, match="ids must be a Dataset"):
        fetch_sessions(wrong)


@pytest.mark.parametrize("kind", [pa.int64(), pa.binary()], ids=str)
def test_column_of_another_type(kind: pa.DataType) -> None:
    """Ids that are no strings are refused, with the type that they have."""
    table = pa.table({"session_id": pa.array([], kind)})
    with pytest.raises(ConfigurationError, match=f"must be strings, not {kind}"):
        fetch_sessions(ray.data.from_arrow(table))


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_column_of_strings(kind: pa.DataType) -> None:
    """Ids may be long strings, or codes of a dictionary."""
    table = pa.table({"session_id": pa.array(["x"], kind)})
    assert isinstance(fetch_sessions(ray.data.from_arrow(table)), ray.data.Dataset)


def test_no_rows_and_no_columns() -> None:
    """Without rows, Ray knows no columns; that is no reason to refuse."""
    assert fetch_sessions(ray.data.from_items([])).count() == 0


def test_checkpoint_of_items(tmp_path: Any) -> None:
    """A checkpoint of ids in memory would skip none of them without a word, so it is refused."""
    items = ray.data.from_items([{"session_id": "770e8400-e29b-41d4-a716-446655440000"}])
    with pytest.raises(ConfigurationError, match="a checkpoint needs ids that are read from files"):
        fetch_sessions(items, checkpoint=str(tmp_path))


def test_resource_without_cluster(monkeypatch: pytest.MonkeyPatch, ids: ray.data.Dataset) -> None:
    """A resource is refused when the driver is not connected to a cluster."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigurationError, match=r"connect by ray\.init\(\)"):
        fetch_sessions(ids, address_resource="raydocs")


def test_limiter_in_a_closure(ids: ray.data.Dataset) -> None:
    """A limiter cannot be brought along, because two of them would count apart."""
    limiter = RateLimiter(RateLimit())
    with pytest.raises(ConfigurationError, match="build everything that it uses"):
        fetch_sessions(ids, client=lambda: RaydocsClient(rate_limit=limiter))


def test_nothing_is_sent(api: Sandbox, write_ids: MakeIds) -> None:
    """A call alone makes no request: the dataset is lazy."""
    fetch_sessions(write_ids(api.ids(3)), client=lambda: RaydocsClient(base_url=""))
    assert api.stats.requests == 0
