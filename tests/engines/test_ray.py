"""`raydocs_async.ray` on a real cluster of two nodes."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ray.exceptions import RayError

from raydocs_async import Session, converter
from raydocs_async.ray import SCHEMA, fetch_sessions
from raydocs_async.sandbox import Fault, Sandbox
from raydocs_async.testing import _in_a_thread
from tests.engines.conftest import TOKEN, MakeClient, MakeIds, client_of, together

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("cluster")]


def rows(path: Path) -> list[dict[str, Any]]:
    """All rows of the written files, which have to have one schema."""
    found: list[dict[str, Any]] = pq.read_table(path, schema=SCHEMA).to_pylist()
    return found


def text_of(job: Callable[[], object]) -> str:
    """The text that a driver prints when its job fails."""
    with pytest.raises(RayError) as caught:
        job()
    return str(caught.value)


def test_two_addresses(write_ids: MakeIds, tmp_path: Path) -> None:
    """Two addresses fetch each id once, and use both limits up: one row an id, and no 429."""
    window = 3.0
    with _in_a_thread(Sandbox(100, window, sessions=None, token=TOKEN)) as api:
        fetch_sessions(
            write_ids(api.ids(800)),
            client=together(client_of(api.url, per=window), tmp_path / "pids"),
            address_resource="raydocs",
            rows_per_block=50,
        ).write_parquet(str(tmp_path / "out"))
    found = rows(tmp_path / "out")
    assert sorted(row["session_id"] for row in found) == sorted(api.ids(800))
    assert {row["error"] for row in found} == {None}
    assert (api.stats.requests, api.stats.throttled) == (800, 0)
    opened = {entry.window: entry.time for entry in reversed(api.log)}
    assert opened[2] < opened[1] + window  # so they are of two addresses
    # Each address uses up all its windows but the last one, however Ray divides the blocks.
    assert sum(hits < 100 for hits in Counter(entry.window for entry in api.log).values()) <= 2


def test_one_address(api: Sandbox, write_ids: MakeIds, tmp_path: Path) -> None:
    """Four fetchers of two nodes behind one NAT share its limit by a file: hardly any 429."""
    pids, shared = tmp_path / "pids", str(tmp_path / "limit")
    fetch_sessions(
        write_ids(api.ids(600)),
        client=together(client_of(api.url, shared=shared), pids, fetchers=4),
        address_resource="behind_nat",
        rows_per_block=25,
    ).write_parquet(str(tmp_path / "out"))
    assert len(list(pids.iterdir())) == 4
    assert Counter(row["session_id"] for row in rows(tmp_path / "out")) == Counter(api.ids(600))
    assert api.stats.throttled <= 3
    times = sorted(entry.time for entry in api.log)
    assert times[-1] - times[0] < 600 / 100 + 1  # a window more than the floor


def test_sessions_and_errors(
    api: Sandbox, client: MakeClient, write_ids: MakeIds, tmp_path: Path
) -> None:
    """A block of only failures and one of sessions are read back as one Parquet table."""
    good = api.ids(2)
    ids = write_ids(["nonsense", "", *good], column="key")
    fetch_sessions(ids, column="key", client=client, rows_per_block=2).write_parquet(
        str(tmp_path / "out")
    )
    found = {row["session_id"]: row for row in rows(tmp_path / "out")}
    assert found.keys() == {"nonsense", "", *good}
    assert found["nonsense"]["error_type"] == "InvalidIdError"
    assert found["nonsense"]["error"].startswith("not a session id: 'nonsense'")
    session = converter.loads(found[good[0]]["session"], Session)
    assert (str(session.id), found[good[0]]["status"]) == (good[0], str(session.status))


def test_schema(api: Sandbox, client: MakeClient, write_ids: MakeIds) -> None:
    """Asking Ray for the columns fetches sessions; they are those that `SCHEMA` has for nothing."""
    job = fetch_sessions(write_ids(api.ids(20)), client=client, rows_per_block=10)
    assert job.schema(fetch_if_missing=False) is None
    assert api.stats.requests == 0
    schema = job.schema()
    assert schema is not None
    assert schema.names == SCHEMA.names
    assert 10 <= api.stats.requests <= 20


def test_no_ids(client: MakeClient, write_ids: MakeIds) -> None:
    """A dataset without ids has no rows, and makes no request."""
    assert fetch_sessions(write_ids([]), client=client).count() == 0


def test_wrong_token(api: Sandbox, write_ids: MakeIds, tmp_path: Path) -> None:
    """A 401 ends the whole job, once: at most 32 requests an address, and the driver is told."""
    pids = tmp_path / "pids"
    wrong = client_of(api.url, token="wr0ng-5ecr3t-token")
    job = fetch_sessions(
        write_ids(api.ids(500)),
        client=together(wrong, pids, fetchers=1),
        address_resource="raydocs",
        rows_per_block=50,
    )
    text = text_of(job.materialize)
    first = text.splitlines()[:4]
    assert any("AuthenticationError" in line for line in first), text
    assert any("token" in line for line in first), text
    assert api.stats.requests <= 32 * len(list(pids.iterdir()))
    assert "wr0ng-5ecr3t-token" not in text


def test_outage(api: Sandbox, write_ids: MakeIds, tmp_path: Path) -> None:
    """An outage longer than Ray's guard, but not than ``max_wait``, is survived: no id is lost."""
    ids = write_ids(api.ids(100))
    ids.context.execution_no_progress_timeout_s = 2
    api.script(*[Fault.maintenance()] * 34)
    fetch_sessions(ids, client=client_of(api.url, max_wait=60.0), rows_per_block=50).write_parquet(
        str(tmp_path / "out")
    )
    found = rows(tmp_path / "out")
    assert len(found) == 100
    assert {row["error"] for row in found} == {None}
    times = sorted(entry.time for entry in api.log if entry.status == 200)
    assert times[0] - min(entry.time for entry in api.log) > 2


def test_outage_too_long(api: Sandbox, write_ids: MakeIds) -> None:
    """An outage longer than ``max_wait`` ends the job with the service's last word."""
    api.script(*[Fault.maintenance()] * 10_000)
    job = fetch_sessions(write_ids(api.ids(100)), client=client_of(api.url, max_wait=1.0))
    text = text_of(job.materialize)
    assert any("503" in line for line in text.splitlines()[:4]), text


def test_killed_fetcher(api: Sandbox, write_ids: MakeIds, tmp_path: Path) -> None:
    """A fetcher killed by ``kill -9`` loses and doubles nothing, and repeats at most its block."""
    pids = tmp_path / "pids"
    make = together(client_of(api.url), pids)
    killer = threading.Thread(target=kill_one, args=(api, pids))
    killer.start()
    fetch_sessions(
        write_ids(api.ids(600)),
        client=make,
        address_resource="raydocs",
        rows_per_block=50,
    ).write_parquet(str(tmp_path / "out"))
    killer.join()
    assert len(list(pids.iterdir())) == 3  # both, and the one that came after
    counts = Counter(row["session_id"] for row in rows(tmp_path / "out"))
    assert counts == Counter(api.ids(600))
    assert 600 <= api.stats.requests <= 650


def kill_one(api: Sandbox, pids: Path) -> None:
    """Kill a fetcher when it has work under way."""
    while api.stats.requests < 150:
        time.sleep(0.01)
    os.kill(int(next(pids.iterdir()).name), signal.SIGKILL)
