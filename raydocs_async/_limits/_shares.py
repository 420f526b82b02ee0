"""Fair shares of hits among the processes of an address; pure.

Shares are by *service*, not by order of arrival: the hits go first to the processes that had the
fewest so far, up to one level for all (max-min fairness). So a process that asks later, or less
often, gets as much as the others, and processes that started together finish together.
"""

import math
from collections.abc import Iterable

from attrs import frozen


@frozen
class Demand:
    """The hits that one process could use."""

    served: float
    """Hits that it has had before; only differences between processes matter."""
    want: float


def fair_share(budget: float, mine: Demand, others: Iterable[Demand]) -> float:
    """Return the hits of `budget` that are due to `mine`, at most `Demand.want`.

    The sum over all processes is `budget`, or all that they want.
    """
    demands = [mine, *others]
    if sum(demand.want for demand in demands) <= budget:
        return mine.want
    return _part(mine, _level(budget, demands))


def _part(demand: Demand, level: float) -> float:
    return min(demand.want, max(0.0, level - demand.served))


def _level(budget: float, demands: list[Demand]) -> float:
    """Return the level of service up to which `budget` lifts all demands that want so much."""
    steps = sorted(
        step
        for demand in demands
        for step in ((demand.served, 1), (demand.served + demand.want, -1))
    )
    level, rising, left = -math.inf, 0, budget
    # The demands are more than the budget, so only rounding leads to the end of the steps.
    for height, change in steps:  # pragma: no branch
        if rising and left < rising * (height - level):
            break
        left -= rising * (height - level) if rising else 0
        level, rising = height, rising + change
    return level + left / rising if rising else level
