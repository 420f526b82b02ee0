"""One fetcher in this process, without a cluster: a block of ids in, a block of rows out."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pytest

from raydocs_async import AuthenticationError, ConfigurationError, RaydocsClient
from raydocs_async.ray import SCHEMA, _Fetcher, _report_outages
from raydocs_async.sandbox import Fault, Sandbox
from tests.engines.conftest import TOKEN
from tests.support.clients import OTHER_ID


@pytest.fixture
def made() -> list[RaydocsClient]:
    """The clients that the fetcher has built."""
    return []


@pytest.fixture
def fetcher(api: Sandbox, made: list[RaydocsClient]) -> Iterator[_Fetcher]:
    """A fetcher on the sandbox."""

    def make() -> RaydocsClient:
        made.append(RaydocsClient(TOKEN, base_url=api.url))
        return made[-1]

    fetcher = _Fetcher(make, "key")
    yield fetcher
    fetcher.close()


def block(ids: Sequence[str | None], kind: Any = None) -> pa.Table:
    """A block of ids."""
    return pa.table({"key": pa.array(ids, kind or pa.string())})


def test_order(api: Sandbox, fetcher: _Fetcher) -> None:
    """The rows are in the order of the ids, although one's reply comes last."""
    ids = api.ids(5)
    api.script_for(ids[2], Fault.latency(0.2))
    rows = fetcher(block(ids)).to_pylist()
    assert [row["session_id"] for row in rows] == ids
    assert api.log[-1].resource_id == ids[2]


def test_repeated_id(api: Sandbox, fetcher: _Fetcher) -> None:
    """An id in two rows of the input has two rows in the output."""
    first, second = api.ids(2)
    rows = fetcher(block([first, second, first])).to_pylist()
    assert [row["session_id"] for row in rows] == [first, second, first]


@pytest.mark.parametrize("ids", [[], ["nonsense"], [OTHER_ID]])
def test_schema(fetcher: _Fetcher, ids: list[str | None]) -> None:
    """A block has the same columns without sessions, and without rows."""
    assert fetcher(block(ids)).schema == SCHEMA


@pytest.mark.parametrize(
    "kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_kinds_of_strings(api: Sandbox, fetcher: _Fetcher, kind: pa.DataType) -> None:
    """Ids may be long strings, or codes of a dictionary."""
    rows = fetcher(block([*api.ids(1)], kind))
    assert rows["error"].to_pylist() == [None]


def test_missing_id(fetcher: _Fetcher) -> None:
    """A row without an id stays one, with an error."""
    (row,) = fetcher(block([None])).to_pylist()
    assert (row["session_id"], row["error_type"]) == (None, "InvalidIdError")


def test_one_client(api: Sandbox, fetcher: _Fetcher, made: list[RaydocsClient]) -> None:
    """A fetcher has one client for its life, so that the rate limit is counted once."""
    fetcher(block([*api.ids(2)]))
    fetcher(block([*api.ids(2)]))
    assert len(made) == 1


def test_end(api: Sandbox) -> None:
    """Connections are closed when Ray lets go of a fetcher, without a warning."""
    fetcher = _Fetcher(lambda: RaydocsClient(TOKEN, base_url=api.url), "key")
    fetcher(block([*api.ids(2)]))
    del fetcher


def test_fatal_error(api: Sandbox) -> None:
    """An error that would hit every id is the cause, without a traceback that would hide it."""
    with (
        closing(_Fetcher(lambda: RaydocsClient("wrong", base_url=api.url), "key")) as fetcher,
        pytest.raises(RuntimeError, match="the job ends here") as caught,
    ):
        fetcher(block([*api.ids(2)]))
    cause = caught.value.__cause__
    assert isinstance(cause, AuthenticationError)
    assert cause.__cause__ is None


def test_not_a_client() -> None:
    """A function that returns something else is named as the reason."""
    wrong: Any = dict
    with (
        closing(_Fetcher(wrong, "key")) as fetcher,
        pytest.raises(RuntimeError, match="the job ends here") as caught,
    ):
        fetcher(block(["x"]))
    assert isinstance(caught.value.__cause__, ConfigurationError)
    assert "must return a RaydocsClient, not an object of type dict" in str(caught.value.__cause__)


@pytest.mark.looptime
async def test_lines_in_an_outage(capsys: pytest.CaptureFixture[str]) -> None:
    """An outage has a line a minute on standard error, and there is none without an outage."""
    stream = Mock(progress=SimpleNamespace(outage=None, total=250))
    lines = asyncio.create_task(_report_outages(stream))
    await asyncio.sleep(61)
    assert capsys.readouterr().err == ""
    stream.progress = SimpleNamespace(outage=31.0, total=250)
    await asyncio.sleep(60)
    lines.cancel()
    assert capsys.readouterr().err == (
        "raydocs_async: the service has not answered for 31 s; 250 ids wait for it\n"
    )
