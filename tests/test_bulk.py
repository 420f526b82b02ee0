"""The bulk engine: bounded, lazy, back-pressured; one outcome an id; outages are waited out.

The service is a stand-in (`Stub`) in virtual time; the client's own methods, on real HTTP, are in
`test_client_bulk`.
"""

import asyncio
import contextlib
import gc
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from attrs import Factory, define

from raydocs_async import (
    APIConnectionError,
    AuthenticationError,
    ClientClosedError,
    ConfigurationError,
    InvalidIdError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    Progress,
    RateLimitError,
    RateLimitStatus,
    RaydocsError,
    Session,
    SessionStream,
    converter,
    testing,
)
from raydocs_async._bulk import LONGEST_PAUSE, Outage, Service, estimate, open_stream
from raydocs_async._engine import Completed
from raydocs_async.sandbox._sessions import build_session

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_task_left")]

Reply = Completed[Session]

OPEN = RateLimitStatus(
    limit=100, per=60.0, remaining=10, resets_in=30.0, in_flight=0, waiting=0, foreign=0
)


def number(index: int) -> str:
    """A session id that tells its place."""
    return str(UUID(int=index))


def numbers(count: int) -> list[str]:
    """The first ids."""
    return [number(index) for index in range(count)]


def found(session_id: UUID) -> Reply:
    """A reply with a session."""
    template = build_session(number(0)) | {"id": str(session_id), "documents": [], "results": []}
    return Completed(model=converter.structure(template, Session))


def failed(error: RaydocsError) -> Reply:
    """A reply that is this one id's affair."""
    return Completed(error=error)


def down() -> Reply:
    """A failure that may pass, after all retries."""
    return Completed(error=APIConnectionError("the connection was lost"), transient=True)


@define
class Stub:
    """The service, a second a request; counts what is asked of it."""

    answer: Callable[[UUID], Reply] = found
    scarce: bool = False
    seconds: Callable[[UUID], float] = lambda _: 1.0
    max_wait: float = 300.0
    asked: list[UUID] = Factory(list)
    in_flight: int = 0
    peak: int = 0

    async def fetch(self, session_id: UUID) -> Reply:
        """Answer after a while."""
        self.asked.append(session_id)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self.seconds(session_id))
        finally:
            self.in_flight -= 1
        return self.answer(session_id)

    def stream(self, ids: Any, *, concurrency: int = 4, ordered: bool = False) -> SessionStream:
        """A stream on it."""
        service = Service(
            fetch=self.fetch,
            retries_are_scarce=lambda: self.scarce,
            status=lambda: OPEN,
            sleep=asyncio.sleep,
            max_wait=self.max_wait,
        )
        return open_stream(ids, service, concurrency=concurrency, ordered=ordered)


def now() -> float:
    """The event loop's time, which is virtual here."""
    return asyncio.get_running_loop().time()


async def collect(stream: SessionStream) -> list[Outcome]:
    """All outcomes."""
    return [outcome async for outcome in stream]


async def collect_until_error(stream: SessionStream) -> tuple[list[Outcome], RaydocsError]:
    """All outcomes, and the error that the stream ends with."""
    outcomes: list[Outcome] = []

    async def consume() -> None:
        async for outcome in stream:
            outcomes.append(outcome)  # noqa: PERF401  (kept when it raises)

    with pytest.raises(RaydocsError) as caught:
        await consume()
    return outcomes, caught.value


# -- outcomes -----------------------------------------------------------------------------------


async def test_every_id_has_one_outcome() -> None:
    """Nothing is lost and nothing is doubled."""
    outcomes = await collect(Stub().stream(numbers(50)))
    assert Counter(outcome.session_id for outcome in outcomes) == Counter(numbers(50))


async def test_no_ids_no_outcomes() -> None:
    """An empty input is an empty stream, also when asked twice."""
    stream = Stub().stream([])
    assert [await collect(stream), await collect(stream)] == [[], []]


async def test_outcomes_come_as_they_are_done() -> None:
    """A slow session does not hold up the quick ones."""
    stub = Stub(seconds=lambda sid: 10 if sid.int == 0 else 1)
    outcomes = await collect(stub.stream(numbers(5)))
    assert [outcome.session_id for outcome in outcomes][-1] == number(0)


async def test_outcomes_come_in_order_if_asked_for() -> None:
    """With `ordered`, the input's order, whatever is done first."""
    stub = Stub(seconds=lambda sid: 20 - sid.int)
    outcomes = await collect(stub.stream(numbers(20), ordered=True))
    assert [outcome.session_id for outcome in outcomes] == numbers(20)


async def test_an_id_keeps_the_form_it_was_given_in() -> None:
    """An outcome is found again by what went in: a UUID, or a string in its own spelling."""
    given = [UUID(number(0)), number(0xAB).upper()]
    outcomes = await collect(Stub().stream(given))
    assert {outcome.session_id for outcome in outcomes} == set(given)


async def test_an_invalid_id_is_that_ids_outcome() -> None:
    """C1: nothing is sent for it, and the others go on."""
    stub = Stub()
    outcomes = await collect(stub.stream(["../x", number(1)], ordered=True))
    assert isinstance(outcomes[0].error, InvalidIdError)
    assert stub.asked == [UUID(number(1))]


async def test_a_missing_session_is_that_ids_outcome() -> None:
    """A 404 is an outcome."""
    stub = Stub(answer=lambda _: failed(NotFoundError("HTTP 404", status=404)))
    (outcome,) = await collect(stub.stream(numbers(1)))
    assert isinstance(outcome.error, NotFoundError)


async def test_the_same_id_at_the_same_time_is_one_request() -> None:
    """C16: duplicates share what is in flight, and each has its outcome."""
    stub = Stub()
    outcomes = await collect(stub.stream([number(7)] * 4))
    assert (len(stub.asked), len(outcomes)) == (1, 4)


async def test_the_same_id_later_is_another_request() -> None:
    """A duplicate is not served from what was fetched before."""
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


# -- bounds -------------------------------------------------------------------------------------


async def test_no_more_than_concurrency_at_a_time() -> None:
    """The number of requests under way is bounded."""
    stub = Stub()
    await collect(stub.stream(numbers(50), concurrency=7))
    assert stub.peak == 7


async def test_input_is_read_no_faster_than_outcomes_are_taken() -> None:
    """C17, E6: a consumer that stops stops everything, with `concurrency` ids under way."""
    ids = itertools.count()
    async with Stub().stream(map(number, ids), concurrency=5) as stream:
        await anext(stream)
        await asyncio.sleep(100)
    assert next(ids) == 6


async def test_ordered_outcomes_are_bounded_too() -> None:
    """Behind a slow head no more than `concurrency` outcomes pile up."""
    stub, ids = Stub(seconds=lambda sid: 1000 if sid.int == 0 else 1), itertools.count()
    async with stub.stream(map(number, ids), concurrency=5, ordered=True) as stream:
        await anext(stream)
    assert next(ids) <= 6


@pytest.mark.parametrize("concurrency", [0, -1])
def test_no_concurrency_is_refused(concurrency: int) -> None:
    """C18: before anything is read."""
    with pytest.raises(ConfigurationError):
        Stub().stream([], concurrency=concurrency)


@pytest.mark.parametrize("ids", [number(1), b"x", UUID(int=1)], ids=["str", "bytes", "UUID"])
def test_a_single_id_is_refused(ids: Any) -> None:
    """A string is an iterable of letters; nobody means that."""
    with pytest.raises(ConfigurationError, match="get_session"):
        Stub().stream(ids)


# -- what ends it -------------------------------------------------------------------------------

FATAL = [
    AuthenticationError("HTTP 401", status=401),
    PermissionDeniedError("HTTP 403", status=403),
    RateLimitError("shut", retry_after=86_400),
    ClientClosedError("closed"),
    ConfigurationError("elsewhere"),
]


@pytest.mark.parametrize("ordered", [False, True], ids=["as they come", "ordered"])
@pytest.mark.parametrize("error", FATAL, ids=lambda error: type(error).__name__)
async def test_what_fails_every_id_ends_the_stream_once(error: RaydocsError, ordered: bool) -> None:
    """What is finished is handed over first, then the error comes, then nothing."""
    stub = Stub(answer=lambda sid: failed(error) if sid.int == 10 else found(sid))
    stream = stub.stream(numbers(1000), ordered=ordered)
    outcomes, ended_with = await collect_until_error(stream)
    assert ended_with is error
    assert len(outcomes) >= 8
    assert len(stub.asked) < 20
    assert await collect(stream) == []


async def test_an_error_leaves_no_finished_outcome_behind_a_gap() -> None:
    """With `ordered`, what was done behind the one that never came is handed over as well."""
    stub = Stub(
        answer=lambda sid: failed(FATAL[0]) if sid.int == 0 else found(sid),
        seconds=lambda sid: 5 if sid.int == 0 else 1 + sid.int / 10,
    )
    outcomes, _ = await collect_until_error(stub.stream(numbers(4), ordered=True))
    assert [outcome.session_id for outcome in outcomes] == [number(1), number(2), number(3)]


async def test_an_input_that_raises_ends_the_stream_with_that() -> None:
    """C15: the caller's own exception comes out, and nothing is left under way."""

    def ids() -> Iterator[str]:
        yield number(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await collect(Stub().stream(ids()))


async def test_leaving_the_block_cancels_what_is_under_way() -> None:
    """C14: after ``async with`` nothing is in flight."""
    stub = Stub()
    async with stub.stream(numbers(100)) as stream:
        await anext(stream)
    assert stub.in_flight == 0


async def test_dropping_the_stream_cancels_what_is_under_way() -> None:
    """C14: leaving the loop early, without a block, leaves no task either."""
    stub = Stub()
    stream = stub.stream(numbers(100))
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.sleep(0.1)
    assert stub.in_flight == 0


async def test_a_closed_stream_is_empty() -> None:
    """Closing before the first outcome was asked for means that nothing starts."""
    stub = Stub()
    stream = stub.stream(numbers(10))
    await stream.aclose()
    assert (await collect(stream), stub.asked) == ([], [])


async def test_a_duplicate_goes_with_the_one_it_waits_for() -> None:
    """C16: duplicates that wait when the stream is left are cancelled, too."""
    stub = Stub()
    stream = stub.stream([number(1)] * 4)
    waiting = asyncio.create_task(collect(stream))
    await asyncio.sleep(0.5)
    await stream.aclose()
    assert await waiting == []


async def test_a_cancelled_consumer_may_come_back() -> None:
    """C10: a time-out around one outcome does not end the job."""
    stream = Stub(seconds=lambda _: 10).stream(numbers(3))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(anext(stream), timeout=1)
    assert len(await collect(stream)) == 3


# -- outages ------------------------------------------------------------------------------------


async def test_an_outage_is_waited_out() -> None:
    """With the quota used up, failures are no outcomes; all sessions come when it is over."""
    stub = Stub(scarce=True, answer=lambda sid: down() if now() < 120 else found(sid))
    outcomes = await collect(stub.stream(numbers(100)))
    assert [outcome.error for outcome in outcomes] == [None] * 100


async def test_an_outage_is_probed_by_one_at_a_time() -> None:
    """E5: while it is down no ids are taken, and tries come alone, with growing pauses."""
    stub = Stub(scarce=True, answer=lambda sid: down() if now() < 120 else found(sid))
    stream = stub.stream(numbers(100))
    first = asyncio.create_task(anext(stream))
    await asyncio.sleep(119)
    assert (stub.in_flight <= 1, stream.progress.in_flight) == (True, 4)
    assert len(stub.asked) <= 4 + 9
    await first
    await stream.aclose()


async def test_an_outage_that_is_too_long_ends_the_stream() -> None:
    """Past `max_wait` the service's last error ends it, once, and nothing is called failed."""
    stub = Stub(scarce=True, answer=lambda _: down(), max_wait=100)
    stream = stub.stream(numbers(100))
    outcomes, error = await collect_until_error(stream)
    assert isinstance(error, APIConnectionError)
    assert (outcomes, stream.progress.failed) == ([], 0)
    assert now() <= 101 + LONGEST_PAUSE


async def test_one_session_that_always_fails_is_no_outage() -> None:
    """H16: with others getting through, a failure is that session's own, quota or not."""
    stub = Stub(scarce=True, answer=lambda sid: down() if sid.int == 3 else found(sid))
    outcomes = await collect(stub.stream(numbers(20)))
    assert [o.session_id for o in outcomes if o.error is not None] == [number(3)]
    assert len(outcomes) == 20


async def test_several_that_always_fail_are_no_outage() -> None:
    """H16: they do not keep each other waiting for ever."""
    stub = Stub(scarce=True, answer=lambda sid: down() if sid.int in (1, 2, 3) else found(sid))
    outcomes = await collect(stub.stream(numbers(20), concurrency=4))
    assert len(outcomes) == 20


async def test_with_quota_left_a_failure_is_an_outcome() -> None:
    """As long as retries are paid for, whatever they end with is the id's outcome."""
    outcomes = await collect(Stub(answer=lambda _: down()).stream(numbers(5)))
    assert all(isinstance(outcome.error, APIConnectionError) for outcome in outcomes)


async def test_a_404_is_a_sign_of_life() -> None:
    """A service that answers anything at all is not down."""
    stub = Stub(
        scarce=True,
        answer=lambda sid: down() if sid.int == 1 else failed(NotFoundError("x", status=404)),
    )
    assert len(await collect(stub.stream(numbers(10)))) == 10


async def test_an_outage_ends_when_the_quota_is_filled_by_others() -> None:
    """A failure that turns out to be one session's own lets the workers go on."""
    stub = Stub(scarce=True, answer=lambda sid: down() if sid.int == 0 else found(sid))
    asyncio.get_running_loop().call_later(1.5, setattr, stub, "scarce", False)
    outcomes = await collect(stub.stream(numbers(4), concurrency=1))
    assert len(outcomes) == 4


def test_pauses_grow_to_a_bound() -> None:
    """The first pause is a second, each is twice the one before, none is longer than the bound."""
    outage = Outage()
    outage.begin(0.0)
    pauses = [outage.next_pause(0.0, 1e9) for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


# -- progress -----------------------------------------------------------------------------------


async def test_progress_tells_how_far_it_is() -> None:
    """Total, done, failed and in flight, at any time."""
    stub = Stub(
        answer=lambda sid: failed(NotFoundError("x", status=404)) if sid.int == 0 else found(sid)
    )
    async with stub.stream(numbers(10)) as stream:
        await anext(stream)
        await asyncio.sleep(0.5)
        assert stream.progress == Progress(
            total=10, done=4, failed=1, in_flight=1, eta=0.0, rate_limit=OPEN
        )


async def test_progress_of_a_generator_has_no_total() -> None:
    """What cannot be counted beforehand has no total and no end in sight."""
    progress = Stub().stream(iter(numbers(3))).progress
    assert (progress.total, progress.eta) == (None, None)


async def test_the_repr_tells_how_far_it_is() -> None:
    """Printing a stream is of use."""
    assert repr(Stub().stream([])) == "<SessionStream 0 done, 0 failed>"


@pytest.mark.parametrize(
    ("left", "expected"), [(10, 0.0), (11, 30.0), (110, 30.0), (111, 90.0), (1010, 570.0)]
)
def test_the_eta_is_arithmetic(left: int, expected: float) -> None:
    """What is left in this window, then one window for each `limit`."""
    assert estimate(left, OPEN) == expected


def test_no_eta_without_a_limit() -> None:
    """Nothing is estimated from what is not known."""
    unknown = RateLimitStatus(
        limit=None, per=None, remaining=None, resets_in=None, in_flight=0, waiting=0, foreign=0
    )
    assert estimate(5, unknown) is None


async def test_an_outcome_prints_that_there_is_a_session() -> None:
    """Its `repr` tells whether the session came, and nothing that is in it."""
    assert repr(Outcome("an-id", testing.build_session())) == (
        "Outcome(session_id='an-id', session=<Session>, error=None, attempts=())"
    )
    assert "session=None" in repr(Outcome("an-id"))
