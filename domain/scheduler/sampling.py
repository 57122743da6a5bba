"""Drawing without replacement in proportion to weights, with the exact probability of every draw.

R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975): each place goes to one of the remaining candidates with a
probability proportional to its weight. With weights exp(score / temperature) that is the softmax over the remaining candidates; at the
temperature 0 it is the best one, those that tie with equal probability.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np

from domain.scheduler.pool import Floats, Pool

_BLOCK = 128
_NOTHING, _NEXT_TO_NOTHING = -700.0, 1e-300
Draws = list[tuple[int, float]]
"""Positions in the order drawn, each with its probability given those before it."""


def softmax_weights(scores: Floats, temperature: float) -> Floats:
    """Returns weights proportional to exp(score / temperature), the greatest 1; a score of -inf has weight 0. Several rows of scores are
    weighed each on its own."""
    greatest = np.maximum.reduce(scores, axis=-1, keepdims=True)
    if temperature == 0.0:
        return np.asarray(scores == greatest, dtype=np.float64)
    weights: Floats = scores - greatest
    weights *= 1.0 / temperature
    # The exponential of what is far below anything possible takes several times as long: it is cut off first, and taken off after.
    np.maximum(weights, _NOTHING, out=weights)
    np.exp(weights, out=weights)
    weights -= _NEXT_TO_NOTHING
    return np.maximum(weights, 0.0, out=weights)


def draw(weights: Floats, count: int, random: Callable[[], float]) -> Draws:
    """Draws `count` positions in proportion to their weights.

    `random` gives uniform numbers in [0, 1). There must be at least `count` positive weights.
    """
    return draw_each(weights[None], [count], [random])[0]


def draw_each(weights: Floats, counts: Sequence[int], randoms: Sequence[Callable[[], float]]) -> list[Draws]:
    """Draws from each row of weights (N, I) as many positions as its count says, with random numbers of its own."""
    # A draw finds its block first and its place in it second. Running sums over everything would cost more than all the rest, and what
    # is left after a draw is summed anew in one block only: subtracting it instead would lose the small weights behind a great one.
    left = weights.copy() if max(counts) > 1 else weights
    sums = np.add.reduceat(left, np.arange(0, left.shape[1], _BLOCK), axis=1).tolist()
    return [_drawn(*each) for each in zip(left, sums, counts, randoms, strict=True)]


def _drawn(left: Floats, sums: list[float], count: int, random: Callable[[], float]) -> Draws:
    """`left` and `sums`, that of each block, are used up."""
    drawn: Draws = []
    for n in range(count):
        ends = list(accumulate(sums))
        remaining = ends[-1]
        position = _at(random() * remaining, left, ends)
        drawn.append((position, min(1.0, float(left[position]) / remaining)))
        if n + 1 < count:
            left[position] = 0.0
            block = position // _BLOCK
            sums[block] = float(np.add.reduce(left[block * _BLOCK : (block + 1) * _BLOCK]))
    return drawn


def draw_best(scores: Floats, count: int, random: Callable[[], float]) -> Draws:
    """Draws the `count` greatest scores in order, those that tie with equal probability. There must be as many above -inf."""
    drawn: Draws = []
    for level in np.unique(scores[scores > -np.inf])[::-1].tolist():
        tied = (scores == level).nonzero()[0].tolist()
        while tied and len(drawn) < count:
            share = 1.0 / len(tied)
            drawn.append((tied.pop(min(int(random() * len(tied)), len(tied) - 1)), share))
        if len(drawn) == count:
            break
    return drawn


def draw_spread(weights: Floats, pool: Pool, taken: Floats, count: int, random: Callable[[], float]) -> Draws:
    """Draws `count` positions, each from the groups whose most taken skill was taken least often, in proportion to the weights.

    `taken[s]` says how often skill s was taken before, and is counted on. There must be `count` positive weights.
    """
    left = weights.copy()
    sums = np.add.reduceat(left, pool.item_starts)
    drawn: Draws = []
    for _ in range(count):
        eligible = np.where(evenest(pool, taken, sums), sums, 0.0)
        ends = eligible.cumsum()
        remaining = float(ends[-1])
        group = int(ends.searchsorted(random() * remaining, "right"))
        if group >= len(ends) or eligible[group] <= 0.0:  # rounding pointed past the last one
            group = int(eligible.nonzero()[0][-1])
        own = slice(int(pool.item_starts[group]), int(pool.item_starts[group] + pool.group_sizes[group]))
        inside = left[own].cumsum()
        offset = min(int(inside.searchsorted(random() * float(inside[-1]), "right")), len(inside) - 1)
        if left[own][offset] <= 0.0:
            offset = int(left[own].nonzero()[0][-1])
        position = own.start + offset
        drawn.append((position, min(1.0, float(left[position]) / remaining)))
        left[position] = 0.0
        sums[group] = left[own].sum()
        taken[list(pool.skill_sets[group])] += 1.0
    return drawn


def evenest(pool: Pool, taken: Floats, sums: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Returns the groups with weight left in `sums` whose most taken skill was taken least often."""
    load = np.maximum.reduceat(taken[pool.group_skills], pool.group_starts[:-1])
    load[sums <= 0.0] = np.inf
    return np.asarray(load == load.min())


def probabilities_of(shown: Sequence[int], scores: Floats, temperature: float) -> list[float]:
    """Returns the probability of each of the shown positions at its place, given those before it, as `draw` at this temperature has it."""
    if temperature == 0.0:
        left, found = scores.copy(), []
        for position in shown:
            tied = left == left.max()
            found.append(1.0 / int(tied.sum()) if tied[position] else 0.0)
            left[position] = -np.inf
        return found
    weights = softmax_weights(scores, temperature)
    own = weights[list(shown)].tolist()
    weights[list(shown)] = 0.0
    remaining = float(weights.sum())
    found = []
    # What remains at a place is all that comes later: added up from the end, no small weight is lost behind a great one.
    for weight in reversed(own):
        remaining += weight
        found.append(weight / remaining if weight > 0.0 else 0.0)
    return found[::-1]


def _at(point: float, weights: Floats, ends: list[float]) -> int:
    """Returns the position whose share of the running sum holds the point; `ends` is that sum after each block."""
    block = min(bisect_right(ends, point), len(ends) - 1)
    start = block * _BLOCK
    inside = weights[start : start + _BLOCK].cumsum()
    offset = point - ends[block - 1] if block else point
    position = start + int(inside.searchsorted(offset, "right"))
    if position < start + len(inside) and weights[position] > 0:
        return position
    # Rounding pointed just past the block's last candidate: the nearest one before it is meant, or else the one after.
    positive = np.flatnonzero(weights > 0)
    return int(positive[max(0, int(positive.searchsorted(position)) - 1)])
