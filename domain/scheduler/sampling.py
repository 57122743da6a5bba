"""Drawing without replacement in proportion to weights, with the exact probability of every draw.

R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975): each place goes to one of the remaining candidates with a
probability proportional to its weight. With weights exp(score / temperature) that is the softmax over the remaining candidates.
"""

from bisect import insort
from collections.abc import Callable

import numpy as np

from domain.scheduler.pool import Floats


def softmax_weights(scores: Floats, temperature: float) -> Floats:
    """Returns weights proportional to exp(score / temperature), the greatest 1; a score of -inf has weight 0."""
    weights: Floats = scores - scores.max()
    weights /= temperature
    np.exp(weights, out=weights)
    return weights


def draw(weights: Floats, count: int, random: Callable[[], float]) -> list[tuple[int, float]]:
    """Returns `count` positions in the order drawn, each with its probability given those before it.

    `random` gives uniform numbers in [0, 1). There must be at least `count` positive weights.
    """
    # One pass sums the weights; later draws skip what is taken instead of summing again.
    ends = np.cumsum(weights)
    remaining = float(ends[-1])
    taken: list[int] = []
    drawn: list[tuple[int, float]] = []
    while True:
        at = random() * remaining
        for position in taken:
            if at >= ends[position] - weights[position]:
                at += weights[position]
        found = _nearest_free(int(np.searchsorted(ends, at, side="right")), weights, taken)
        drawn.append((found, min(1.0, float(weights[found]) / remaining)))
        if len(drawn) == count:
            return drawn
        insort(taken, found)
        remaining -= float(weights[found])
        if remaining < 1e-9 * float(ends[-1]):  # too little is left of the sum for a difference to be exact
            rest = weights.copy()
            rest[taken] = 0.0
            return drawn + draw(rest, count - len(drawn), random)


def _nearest_free(position: int, weights: Floats, taken: list[int]) -> int:
    """Rounding may point just past the last candidate or at a taken one: then the nearest free one before it, or else after it."""
    if position < len(weights) and position not in taken and weights[position] > 0:
        return position
    free = np.flatnonzero(weights > 0)
    free = free[~np.isin(free, taken)]
    return int(free[max(0, int(np.searchsorted(free, position)) - 1)])
