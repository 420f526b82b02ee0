"""The bulk engine: one outcome an id, with bounded work and a lazy input.

The service is a stand-in (`Stub`) in virtual time; the client's own methods, on real HTTP, are in
`test_client_bulk`, and failures in `test_patience`.
"""

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from raydocs_async import ConfigurationError, InvalidIdError, NotFoundError
from tests.support.jobs import Stub, collect, failed, number, numbers

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]


async def test_every_id_has_one_outcome() -> None:
    """No id is lost or doubled."""
    outcomes = await collect(Stub().stream(numbers(50)))
    assert Counter(outcome.id for outcome in outcomes) == Counter(numbers(50))


async def test_no_ids_no_outcomes() -> None:
    """An empty input is an empty stream, however often it is read."""
    stream = Stub().stream([])
    assert [await collect(stream), await collect(stream)] == [[], []]


async def test_outcomes_come_as_they_are_done() -> None:
    """A slow session does not hold up the quick ones."""
    stub = Stub(seconds=lambda sid: 10 if sid.int == 0 else 1)
    outcomes = await collect(stub.stream(numbers(5)))
    assert [outcome.id for outcome in outcomes][-1] == number(0)


async def test_outcomes_come_in_order_if_asked_for() -> None:
    """With `ordered`, outcomes come in the input's order, whichever is done first."""
    stub = Stub(seconds=lambda sid: 20 - sid.int)
    outcomes = await collect(stub.stream(numbers(20), ordered=True))
    assert [outcome.id for outcome in outcomes] == numbers(20)


async def test_an_id_keeps_the_form_it_was_given_in() -> None:
    """An outcome has the id as it was given: a UUID, or a string in its own spelling."""
    given = [UUID(number(0)), number(0xAB).upper()]
    outcomes = await collect(Stub().stream(given))
    assert {outcome.id for outcome in outcomes} == set(given)


async def test_an_invalid_id_is_that_ids_outcome() -> None:
    """C1: an invalid id is a failed outcome without a request, and the other ids go on."""
    stub = Stub()
    outcomes = await collect(stub.stream(["../x", number(1)], ordered=True))
    assert isinstance(outcomes[0].error, InvalidIdError)
    assert stub.asked == [UUID(number(1))]


async def test_a_missing_session_is_that_ids_outcome() -> None:
    """A 404 is a failed outcome of its id."""
    stub = Stub(answer=lambda _: failed(NotFoundError("HTTP 404", status=404)))
    (outcome,) = await collect(stub.stream(numbers(1)))
    assert isinstance(outcome.error, NotFoundError)


async def test_the_same_id_at_the_same_time_is_one_request() -> None:
    """C16: simultaneous duplicates share one request, and each has its outcome."""
    stub = Stub()
    outcomes = await collect(stub.stream([number(7)] * 4))
    assert (len(stub.asked), len(outcomes)) == (1, 4)


async def test_the_same_id_later_is_another_request() -> None:
    """A later duplicate is fetched anew."""
    stub = Stub()
    await collect(stub.stream([number(7)] * 4, concurrency=1))
    assert len(stub.asked) == 4


async def test_async_input() -> None:
    """Ids may come from an async iterable."""

    async def ids() -> AsyncIterator[str]:
        for each in numbers(5):
            await asyncio.sleep(1)
            yield each

    assert len(await collect(Stub().stream(ids()))) == 5


async def test_no_more_than_concurrency_at_a_time() -> None:
    """At most `concurrency` requests are in flight."""
    stub = Stub()
    await collect(stub.stream(numbers(50), concurrency=7))
    assert stub.peak == 7


async def test_input_is_read_no_faster_than_outcomes_are_taken() -> None:
    """C17, E6: if the consumer stops, the input stops, with `concurrency` ids in flight."""
    ids = itertools.count()
    async with Stub().stream(map(number, ids), concurrency=5) as stream:
        await anext(stream)
        await asyncio.sleep(100)
    assert next(ids) == 6


async def test_a_slow_source_has_few_workers() -> None:
    """The number of workers that wait for an id does not grow with the ids."""

    async def ids() -> AsyncIterator[str]:
        for each in numbers(200):
            await asyncio.sleep(10)
            yield each

    async with Stub().stream(ids(), concurrency=10**6) as stream:
        tasks = [len(asyncio.all_tasks()) async for _ in stream]
    assert len(tasks) == 200
    assert max(tasks) < 50


async def test_ordered_outcomes_are_bounded_too() -> None:
    """At most `concurrency` outcomes are kept behind a slow one."""
    stub, ids = Stub(seconds=lambda sid: 1000 if sid.int == 0 else 1), itertools.count()
    async with stub.stream(map(number, ids), concurrency=5, ordered=True) as stream:
        await anext(stream)
    assert next(ids) <= 6


@pytest.mark.parametrize("concurrency", [0, -1, "5", 5.5, float("nan"), True, None])
def test_no_concurrency_is_refused(concurrency: Any) -> None:
    """C18: an invalid concurrency is refused before any id is read."""
    with pytest.raises(ConfigurationError, match="concurrency must be a whole number from 1"):
        Stub().stream([], concurrency=concurrency)


async def test_a_concurrency_without_an_end() -> None:
    """C18: any large concurrency means no bound, because workers are made as ids come."""
    stub = Stub()
    before = len(asyncio.all_tasks())
    stream = stub.stream(iter(numbers(3)), concurrency=sys.maxsize)
    await anext(stream)
    assert (stub.peak, len(asyncio.all_tasks()) <= before + 4) == (3, True)
    assert len(await collect(stream)) == 2


@pytest.mark.parametrize("ids", [None, 5, collect], ids=["None", "a number", "a function"])
def test_what_is_not_iterable_is_refused(ids: Any) -> None:
    """C1: an input that cannot be iterated is refused at once, with a message that says so."""
    with pytest.raises(ConfigurationError, match="ids must be an iterable or async iterable"):
        Stub().stream(ids)


@pytest.mark.parametrize("ids", [number(1), b"x", UUID(int=1)], ids=["str", "bytes", "UUID"])
def test_a_single_id_is_refused(ids: Any) -> None:
    """A single id as input is refused, though a string is an iterable of letters."""
    with pytest.raises(ConfigurationError, match="get_session"):
        Stub().stream(ids)
