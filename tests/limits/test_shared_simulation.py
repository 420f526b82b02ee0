"""Processes that share a window against a model of the server, in simulated time.

They share it by a store that answers at once, or by one on another machine.
"""

import math
import random
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from raydocs_async._limits._values import Lane
from raydocs_async.sandbox import Throttle
from tests.support.shared import Process, SharedSimulation

Kind = Literal["redis", "file"]
kinds: list[Kind] = ["redis", "file"]
stores = st.sampled_from(kinds)
starts = st.floats(0, 1).map(lambda fraction: 1_000_000 + fraction)
seeds = st.integers(0, 2**32)
processes = st.integers(1, 8)
remotes = st.booleans()


@given(
    server=st.tuples(stores, starts, st.integers(1, 60)),
    seed=seeds,
    remote=remotes,
    count=processes,
    windows=st.integers(1, 5),
)
@settings(max_examples=40)
def test_together_nothing_is_ever_refused(
    server: tuple[Kind, float, int], seed: int, remote: bool, count: int, windows: int
) -> None:
    """No 429 at all, and a moment a window above the least that the server allows."""
    store, start, limit = server
    rand = random.Random(seed)
    simulation = SharedSimulation(
        Throttle(limit, 60, store=store), rand, start=start, remote=remote
    )
    share, rest = divmod(limit * windows, count)
    for number in range(count):
        process = simulation.add(f"p{number}")
        simulation.call(process, share + (number < rest), Lane.BULK, rand.uniform(0, 0.2))
    simulation.run()
    assert simulation.refusals == []
    assert sum(len(process.served) for process in simulation.processes) == limit * windows
    assert max(process.ended for process in simulation.processes) <= (
        (windows - 1) * 60.4 + 0.6 + 0.2 * limit / 8
    )


@given(
    server=st.tuples(stores, starts),
    seed=seeds,
    remote=remotes,
    count=st.integers(2, 8),
    each=st.integers(20, 100),
)
@settings(max_examples=25)
def test_processes_that_start_together_finish_together(
    server: tuple[Kind, float], seed: int, remote: bool, count: int, each: int
) -> None:
    """All finish in the last window, in which each has at most a few calls more than another."""
    store, start = server
    rand = random.Random(seed)
    simulation = SharedSimulation(Throttle(100, 60, store=store), rand, start=start, remote=remote)
    for number in range(count):
        process = simulation.add(f"p{number}")
        simulation.call(process, each, Lane.BULK, rand.uniform(0, 0.005))
    simulation.run()
    ends = [process.ended for process in simulation.processes]
    # If the last window has only the few hits for this difference, one may finish a window before.
    few = max(12, 2 * count)
    assert max(ends) - min(ends) <= (1 if count * each % 100 > few else 61)


@given(
    store=stores,
    seed=seeds,
    remote=remotes,
    count=st.integers(2, 8),
    victims=st.lists(st.floats(0, 200), min_size=1, max_size=3),
)
@settings(max_examples=40)
def test_a_killed_process_costs_the_others_a_window_at_most(
    store: Kind, seed: int, remote: bool, count: int, victims: list[float]
) -> None:
    """The hits of a killed process count as unanswered, and its share is kept for a moment."""
    rand = random.Random(seed)
    simulation = SharedSimulation(Throttle(50, 60, store=store), rand, remote=remote)
    survivors = [simulation.add(f"p{number}") for number in range(count)]
    killed = [simulation.add(f"victim{number}") for number in range(len(victims))]
    for process in simulation.processes:
        simulation.call(process, 50, Lane.BULK, rand.uniform(0, 0.2))
    for process, moment in zip(killed, victims, strict=True):
        simulation.kill(process, moment)
    simulation.run()
    assert all(len(process.served) == 50 for process in survivors)
    assert len(simulation.refusals) <= len(victims)
    windows = simulation.throttle.windows
    assert max(process.ended for process in survivors) <= (windows - 1) * 60.4 + 4
    hits = 50 * count + sum(len(process.served) + 32 for process in killed)
    assert windows <= math.ceil(hits / 50) + 1


@given(
    store=stores,
    seed=seeds,
    remote=remotes,
    stops=st.lists(st.tuples(st.floats(0, 150), st.floats(0.01, 90)), min_size=1, max_size=4),
)
@settings(max_examples=40)
def test_a_stopped_process_that_goes_on_costs_little(
    store: Kind, seed: int, remote: bool, stops: list[tuple[float, float]]
) -> None:
    """A process that was stopped spends no hit of a void lease, and reports what it missed."""
    rand = random.Random(seed)
    simulation = SharedSimulation(Throttle(50, 60, store=store), rand, remote=remote)
    for number in range(4):
        simulation.call(simulation.add(f"p{number}"), 50, Lane.BULK, rand.uniform(0, 0.2))
    for number, (moment, seconds) in enumerate(stops):
        process = simulation.processes[number % 4]

        def stop(now: float, process: Process = process, seconds: float = seconds) -> None:
            process.stopped_until = max(process.stopped_until, now + seconds)

        simulation.at(moment, stop)
    simulation.run()
    assert all(len(process.served) == 50 for process in simulation.processes)
    assert len(simulation.refusals) <= len(stops)


@given(
    seed=seeds,
    remote=remotes,
    outages=st.lists(
        st.tuples(st.floats(0, 200), st.floats(0.1, 60), st.booleans()), min_size=1, max_size=4
    ),
)
@settings(max_examples=25)
def test_an_outage_of_the_store_loses_nothing(
    seed: int, remote: bool, outages: list[tuple[float, float, bool]]
) -> None:
    """By the headers alone everything is fetched, and the processes come back by themselves.

    The 429s are no more than without any store: up to 52 in 60 runs of these four processes.
    """
    rand = random.Random(seed)
    simulation = SharedSimulation(Throttle(50, 60), rand, remote=remote)
    for number in range(4):
        simulation.call(simulation.add(f"p{number}"), 60, Lane.BULK, rand.uniform(0, 0.2))
    store = simulation.store
    for moment, seconds, locked in outages:

        def fail(now: float, locked: bool = locked) -> None:
            store.failure, store.locked = (None, True) if locked else ("on fire", False)

        def repair(now: float) -> None:
            store.failure, store.locked = None, False

        simulation.at(moment, fail)
        simulation.at(moment + seconds, repair)
    simulation.run()
    assert all(len(process.served) == 60 for process in simulation.processes)
    assert len(simulation.refusals) <= 0.25 * 240
    assert all(len(process.warnings) <= len(outages) for process in simulation.processes)


@given(seed=seeds, remote=remotes, calls=st.lists(st.floats(0, 170), max_size=24).map(sorted))
@settings(max_examples=25)
def test_single_calls_within_the_reserve_never_wait_for_a_window(
    seed: int, remote: bool, calls: list[float]
) -> None:
    """Ten single calls a window of one process pass at once, whatever bulk work others do."""
    rand = random.Random(seed)
    simulation = SharedSimulation(Throttle(100, 60), rand, remote=remote)
    web, job = simulation.add("web", reserve=10), simulation.add("job")
    simulation.call(web, 1, Lane.SINGLE)
    simulation.call(job, 300, Lane.BULK, 0.1)
    kept = [at for number, at in enumerate(calls) if number < 9 or at - calls[number - 9] > 62]
    for moment in kept:
        simulation.call(web, 1, Lane.SINGLE, moment)
    simulation.run()
    assert simulation.refusals == []
    assert len(job.served) == 300
    assert [granted - came for _, came, granted in web.served if granted - came > 1.5] == []
