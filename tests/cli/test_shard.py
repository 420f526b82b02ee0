"""Shards, and the evidence of ids about the shard of a file."""

import itertools

import pytest

from raydocs_async.cli._shard import UNKNOWN_SHARD, Shard, ShardEvidence
from raydocs_async.sandbox._ids import session_id as make_id


def collect(ids: list[str]) -> ShardEvidence:
    """Return the evidence of a file with these ids."""
    found = ShardEvidence()
    for each in ids:
        found.add(each)
    return found


def select(shard: Shard, count: int) -> list[str]:
    """Return the first `count` ids of the sandbox that belong to a shard."""
    return list(itertools.islice(filter(shard.includes, map(make_id, itertools.count())), count))


@pytest.mark.parametrize(
    ("begun", "now"),
    [
        (Shard(1, 3), Shard(2, 3)),
        (Shard(1, 1), Shard(1, 2)),
        (Shard(2, 4), Shard(2, 2)),
        (Shard(1, 3), Shard(1, 1)),
        (Shard(3, 7), Shard(1, 2)),
    ],
)
def test_another_shard(begun: Shard, now: Shard) -> None:
    """The ids of a file show its shard; any other shard is a conflict."""
    ids = select(begun, 40)
    assert collect(ids).find_conflict(now, 40) == begun
    assert collect(ids).find_conflict(begun, 40) is None


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_few_ids_prove_nothing(count: int) -> None:
    """The difference of two hashes is not taken for the number of shards."""
    ids = [make_id(number) for number in range(500)]
    for first in range(len(ids) - count):
        assert collect(ids[first : first + count]).find_conflict(Shard(1, 1), count) is None


def test_a_shard_of_few_ids() -> None:
    """Few ids of another shard are a conflict, and the shard is inferred only if it is certain."""
    one = select(Shard(1, 3), 1)
    assert collect(one).find_conflict(Shard(2, 3), 1) == Shard(1, 3)
    assert collect(one).find_conflict(Shard(1, 3), 1) is None
    assert collect(select(Shard(1, 3), 4)).find_conflict(Shard(2, 3), 4) == Shard(1, 3)
    assert collect([]).find_conflict(Shard(2, 3), 0) is None
    assert collect(select(Shard(1, 3), 3)).find_conflict(Shard(1, 1), 3) is None
    two = [select(Shard(1, 2), 1)[0], select(Shard(2, 2), 2)[1]]
    assert collect(two).find_conflict(Shard(1, 2), 2) == UNKNOWN_SHARD


@pytest.mark.parametrize(
    ("shard", "words"),
    [
        (UNKNOWN_SHARD, "with another --shard"),
        (Shard(1, 1), "without --shard"),
        (Shard(2, 3), "with --shard 2/3"),
    ],
)
def test_a_shard_in_words(shard: Shard, words: str) -> None:
    """A shard is described by the option that selects it."""
    assert shard.describe() == words
