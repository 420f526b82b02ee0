"""Whole jobs of hundreds of requests against a model of the server, in simulated time.

The server is the framework's throttle, with both of its stores, behind a network with latency, loss
and a gateway, and beside other clients on the same address.
"""

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal, TypeAlias

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async._headers import RateLimitHeaders
from raydocs_async._limits._tracker import WindowTracker
from raydocs_async._limits._values import Ticket
from raydocs_async._limits._window import ASK_AGAIN_AFTER, MAX_DOUBLINGS
from raydocs_async.sandbox import Throttle
from tests.support.windows import (
    configured,
    loses,
    passes,
    refuses,
)

LONGEST_ASK_PAUSE = ASK_AGAIN_AFTER * 2.0**MAX_DOUBLINGS

Store: TypeAlias = Literal["redis", "file"]


@attrs.define
class Outcome:
    """How a simulated job went."""

    seconds: float
    passed: int = 0
    refused: int = 0
    windows: Counter[int] = attrs.Factory(Counter)


Latency = Callable[[random.Random], tuple[float, float]]


def quick(rand: random.Random) -> tuple[float, float]:
    """Seconds there and back, somewhat uneven."""
    return rand.uniform(0.01, 0.02), rand.uniform(0.01, 0.05)


@attrs.define
class Simulation:
    """Requests of one or more clients against one server, event by event."""

    throttle: Throttle
    latency: Latency
    rand: random.Random
    start: float = 1_000_000.0
    concurrency: int = 32
    loss: float = 0.0
    outage: tuple[float, float] = (math.inf, math.inf)
    """From when to when a gateway answers in the throttle's place, in seconds from the start."""
    foreign: tuple[float, ...] = ()
    """When others hit, in seconds from the start."""
    _order: Iterator[int] = attrs.Factory(itertools.count)
    _events: list[tuple[float, int, Callable[[float], None]]] = attrs.Factory(list)

    def run(self, *jobs: tuple[WindowTracker, int]) -> list[Outcome]:
        """Run every job to its end; each asserts on the way that it goes on."""
        outcomes = [Outcome(self.start) for _ in jobs]
        for (tracker, count), outcome in zip(jobs, outcomes, strict=True):
            self._at(self.start, partial(self._pump, tracker, count, outcome))
        for moment in self.foreign:
            self._at(self.start + moment, self._hit_by_others)
        while self._events:
            now, _, event = heapq.heappop(self._events)
            assert now < self.start + 40 * 60, "the job does not come to its end"
            event(now)
        for outcome in outcomes:
            outcome.seconds -= self.start
        return outcomes

    def _at(self, moment: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _hit_by_others(self, now: float) -> None:
        if not self.throttle.refuses(now):
            self.throttle.hit(now)

    def _pump(self, tracker: WindowTracker, count: int, outcome: Outcome, now: float) -> None:
        while outcome.passed + len(tracker.in_flight) < count:
            if len(tracker.in_flight) >= self.concurrency:
                return
            ticket = Ticket()
            wait = tracker.admit(ticket, now)
            if wait is not None:
                assert wait.until > now or tracker.in_flight, "a wait that is over at once"
                if math.isfinite(wait.until):
                    self._at(wait.until, partial(self._pump, tracker, count, outcome))
                return
            there, back = self.latency(self.rand)
            self._at(now + there, self._serve(tracker, count, outcome, ticket, back))

    def _serve(
        self, tracker: WindowTracker, count: int, outcome: Outcome, ticket: Ticket, back: float
    ) -> Callable[[float], None]:
        def serve(now: float) -> None:
            begins, ends = self.outage
            unseen = begins <= now - self.start < ends
            refused = not unseen and self.throttle.refuses(now)
            if not refused and not unseen:
                self.throttle.hit(now)
                outcome.windows[self.throttle.windows] += 1
            headers = (
                self.throttle.refused_headers(now) if refused else self.throttle.passed_headers(now)
            )
            read = RateLimitHeaders.parse(headers)
            lost = unseen or self.rand.random() < self.loss

            def receive(then: float) -> None:
                if lost:
                    loses(tracker, ticket, then, sent=True)
                elif refused:
                    outcome.refused += 1
                    refuses(tracker, ticket, read, then, pause=1.0)
                else:
                    outcome.passed += 1
                    passes(tracker, ticket, read, then)
                outcome.seconds = then
                self._pump(tracker, count, outcome, then)

            self._at(now + back, receive)

        return serve


stores = st.sampled_from(["redis", "file"])
starts = st.floats(0, 1).map(lambda fraction: 1_000_000 + fraction)
seeds = st.integers(0, 2**32)


@given(store=stores, start=starts, seed=seeds, limit=st.integers(1, 60), windows=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_alone_and_told_right_nothing_is_ever_refused(
    store: Store, start: float, seed: int, limit: int, windows: int
) -> None:
    """No 429 at all, and a round trip a window above the least that the server allows."""
    simulation = Simulation(
        Throttle(limit, 60, store=store), quick, random.Random(seed), start=start
    )
    (outcome,) = simulation.run((configured(limit), limit * windows))
    assert outcome.refused == 0
    assert outcome.seconds <= (windows - 1) * 60.2 + 0.2 * (1 + limit / 8)


@given(store=stores, start=starts, seed=seeds, limit=st.integers(2, 60))
@settings(max_examples=60, deadline=None)
def test_told_nothing_the_period_is_learned_in_the_first_window(
    store: Store, start: float, seed: int, limit: int
) -> None:
    """One refusal teaches the period; one more where a second was lost in the dates."""
    simulation = Simulation(
        Throttle(limit, 60, store=store), quick, random.Random(seed), start=start
    )
    (outcome,) = simulation.run((configured(None, None), limit * 4))
    assert outcome.refused <= 2
    assert outcome.seconds <= 3 * 62.2 + 0.2 * (1 + limit / 8)


@given(
    store=stores,
    start=starts,
    seed=seeds,
    others=st.lists(st.floats(0, 240), max_size=200).map(sorted),
    loss=st.sampled_from([0.0, 0.05, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_with_others_about_and_replies_lost_the_job_comes_to_its_end(
    store: Store, start: float, seed: int, others: list[float], loss: float
) -> None:
    """Progress always: whatever others take and the network loses."""
    simulation = Simulation(
        Throttle(50, 60, store=store),
        quick,
        random.Random(seed),
        start=start,
        foreign=tuple(others),
        loss=loss,
    )
    (outcome,) = simulation.run((configured(50), 150))
    assert outcome.passed == 150


@given(
    store=stores, start=starts, seed=seeds, begins=st.floats(0.0, 1.0), lasts=st.floats(0.0, 40.0)
)
@settings(max_examples=60, deadline=None)
def test_an_outage_of_the_gateway_costs_the_rest_of_the_window_nothing(
    store: Store, start: float, seed: int, begins: float, lasts: float
) -> None:
    """What the throttle never saw is not held against the window: no 429, and no silence."""
    simulation = Simulation(
        Throttle(100, 60, store=store),
        quick,
        random.Random(seed),
        start=start,
        outage=(begins, begins + lasts),
    )
    (outcome,) = simulation.run((configured(), 100))
    assert outcome.refused == 0
    assert outcome.seconds <= begins + lasts + LONGEST_ASK_PAUSE + 2


outages = st.tuples(st.floats(0.0, 200.0), st.floats(0.0, 60.0)).map(
    lambda outage: (outage[0], sum(outage))
)


@given(
    store=stores,
    seed=seeds,
    outage=outages,
    loss=st.sampled_from([0.0, 0.05, 0.3]),
    limit=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_a_doubt_costs_one_refusal_at_most(
    store: Store, seed: int, outage: tuple[float, float], loss: float, limit: int
) -> None:
    """A refusal ends the doubt and the window with it: no more of them than windows."""
    rand = random.Random(seed)
    simulation = Simulation(Throttle(limit, 60, store=store), quick, rand, outage=outage, loss=loss)
    (outcome,) = simulation.run((configured(limit), 3 * limit))
    assert outcome.passed == 3 * limit
    assert outcome.refused <= simulation.throttle.windows


@given(store=stores, start=starts, seed=seeds)
@settings(max_examples=30, deadline=None)
def test_two_clients_share_a_window_by_the_headers_alone(
    store: Store, start: float, seed: int
) -> None:
    """Neither loses anything, and refusals stay under 5 % of the requests."""
    simulation = Simulation(Throttle(100, 60, store=store), quick, random.Random(seed), start=start)
    outcomes = simulation.run((configured(), 300), (configured(), 300))
    assert [outcome.passed for outcome in outcomes] == [300, 300]
    assert sum(outcome.refused for outcome in outcomes) <= 0.05 * 600
    assert max(outcome.seconds for outcome in outcomes) <= 1.1 * 300


@given(seed=seeds, slow=st.floats(0.5, 30))
@settings(max_examples=30, deadline=None)
def test_slow_replies_cost_no_refusals(seed: int, slow: float) -> None:
    """A window that turns while replies are long under way is still kept to."""

    def latency(rand: random.Random) -> tuple[float, float]:
        return 0.01, rand.choice([0.02, slow])

    simulation = Simulation(Throttle(100, 60), latency, random.Random(seed))
    (outcome,) = simulation.run((configured(), 300))
    assert outcome.refused <= simulation.concurrency
