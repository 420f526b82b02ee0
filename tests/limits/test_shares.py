"""Fair shares of hits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raydocs_async._limits._shares import Demand, fair_share

budgets = st.integers(-50, 500)
demands = st.lists(
    st.builds(Demand, st.integers(0, 1000), st.integers(0, 100)), min_size=1, max_size=8
)


def shares(budget: float, all_of_them: list[Demand]) -> list[float]:
    """Return the share of each demand."""
    return [
        fair_share(budget, mine, [other for other in all_of_them if other is not mine])
        for mine in all_of_them
    ]


@given(budget=budgets, demands=demands)
def test_the_shares_are_the_budget_or_all_that_is_wanted(
    budget: int, demands: list[Demand]
) -> None:
    """No hit is left over while one is wanted, and none is promised twice."""
    total = min(max(0, budget), sum(demand.want for demand in demands))
    assert math.fsum(shares(budget, demands)) == pytest.approx(total, abs=1e-6)


@given(budget=budgets, demands=demands)
def test_nobody_gets_more_than_it_wants_or_less_than_nothing(
    budget: int, demands: list[Demand]
) -> None:
    """A share is between nothing and the need."""
    for share, demand in zip(shares(budget, demands), demands, strict=True):
        assert 0 <= share <= demand.want


@given(budget=budgets, demands=demands)
def test_who_gets_less_than_its_need_had_as_much_as_any_other(
    budget: int, demands: list[Demand]
) -> None:
    """A demand that is cut ends at the level to which the others are lifted, or lower."""
    results = list(zip(shares(budget, demands), demands, strict=True))
    cut = [demand.served + share for share, demand in results if share < demand.want and share]
    lifted = [demand.served + share for share, demand in results if share]
    assert all(level >= max(lifted) - 1e-6 for level in cut)


def test_equal_processes_get_equal_shares() -> None:
    """Of 99 hits, each of eight processes gets an eighth."""
    assert fair_share(99, Demand(0, 32), [Demand(0, 32)] * 7) == pytest.approx(99 / 8)


def test_a_process_that_had_less_comes_first() -> None:
    """Ten hits go to the process that is ten behind."""
    assert fair_share(10, Demand(45, 32), [Demand(55, 32)]) == 10
    assert fair_share(10, Demand(55, 32), [Demand(45, 32)]) == 0


def test_alone_a_process_gets_what_it_wants() -> None:
    """There is nobody to share with."""
    assert fair_share(10, Demand(500, 7), []) == 7
    assert fair_share(10, Demand(500, 70), []) == 10


def test_a_budget_below_nothing_is_nothing() -> None:
    """Foreign use can leave less than the hits that are held, and then nobody gets a hit."""
    assert shares(-3, [Demand(5, 4), Demand(5, 0)]) == [0, 0]


def test_a_budget_that_is_just_enough_meets_every_need() -> None:
    """The process that had most gets all that it wants, too."""
    assert shares(7, [Demand(0, 3), Demand(50, 4)]) == [3, 4]


def test_a_process_that_had_more_waits_until_the_others_have_enough() -> None:
    """What is just enough for the process that is behind leaves nothing for the other one."""
    assert shares(3, [Demand(0, 3), Demand(50, 4)]) == [3, 0]


def test_without_a_limit_every_need_is_met() -> None:
    """An unlimited budget is not divided."""
    assert fair_share(math.inf, Demand(0, 7), [Demand(0, math.inf)]) == 7


def test_an_endless_demand_takes_its_share_only() -> None:
    """The share of a newcomer is as large as that of the process that asks."""
    assert fair_share(68, Demand(31, 100), [Demand(31, math.inf)]) == 34
