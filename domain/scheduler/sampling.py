"""Drawing without replacement in proportion to weights, with the exact probability of every draw.

R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975): each place goes to one of the remaining candidates with a
probability proportional to its weight. With weights exp(score / temperature) that is the softmax over the remaining candidates.
"""

from collections.abc import Callable

import numpy as np

from domain.scheduler.pool import Floats

_BLOCK = 128


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
    # A draw finds its block first and its place in it second. Running sums over everything would cost more than all the rest, and what
    # is left after a draw is summed anew in one block only: subtracting it instead would lose the small weights behind a great one.
    left = weights.copy()
    sums = np.add.reduceat(left, np.arange(0, len(left), _BLOCK))
    drawn: list[tuple[int, float]] = []
    for _ in range(count):
        ends = sums.cumsum()
        remaining = float(ends[-1])
        position = _at(random() * remaining, left, ends)
        drawn.append((position, min(1.0, float(left[position]) / remaining)))
        left[position] = 0.0
        block = position // _BLOCK
        sums[block] = left[block * _BLOCK : (block + 1) * _BLOCK].sum()
    return drawn


def _at(point: float, weights: Floats, ends: Floats) -> int:
    """Returns the position whose share of the running sum holds the point; `ends` is that sum after each block."""
    block = min(int(ends.searchsorted(point, "right")), len(ends) - 1)
    start = block * _BLOCK
    inside = weights[start : start + _BLOCK].cumsum()
    offset = point - float(ends[block - 1]) if block else point
    position = start + int(inside.searchsorted(offset, "right"))
    if position < start + len(inside) and weights[position] > 0:
        return position
    # Rounding pointed just past the block's last candidate: the nearest one before it is meant, or else the one after.
    positive = np.flatnonzero(weights > 0)
    return int(positive[max(0, int(positive.searchsorted(position)) - 1)])
