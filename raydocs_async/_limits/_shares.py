"""Fair shares of hits among the processes of an address; pure.

Shares are by *service*, not by order of arrival: the hits go first to the processes that had the
fewest so far, up to one level for all (max-min fairness). So a process that asks later, or less
often, gets as much as the others, and processes that started together finish together.
"""

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

    The sum over all processes is `budget`, or all that they want. A budget below 0 counts as 0.
    """
    level = _level(max(0, budget), [mine, *others])
    return min(mine.want, max(0.0, level - mine.served))


def _level(left: float, demands: Iterable[Demand]) -> float:
    """Return the level of service up to which `left` hits lift all demands that want so much."""
    (level, rising), *steps = sorted(
        step
        for demand in demands
        for step in ((demand.served, 1), (demand.served + demand.want, -1))
    )
    for height, change in steps:
        needed = rising * (height - level)
        if left < needed:
            return level + left / rising
        left -= needed
        level, rising = height, rising + change
    return level
