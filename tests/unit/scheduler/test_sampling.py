from collections import Counter
from itertools import permutations
from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.sampling import draw, softmax_weights

scores = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


def plackett_luce(weights: list[float], order: tuple[int, ...]) -> float:
    """The probability of an order of draws, by the definition."""
    return prod(
        weights[each] / sum(w for n, w in enumerate(weights) if n not in order[:place]) for place, each in enumerate(order)
    )


@given(scores, st.floats(0.01, 1), st.integers(), st.data())
def test_each_propensity_is_the_softmax_over_the_remaining(
    scores: np.ndarray, temperature: float, seed: int, data: st.DataObject
) -> None:
    weights = softmax_weights(scores, temperature)
    count = data.draw(st.integers(1, len(scores)))
    drawn = draw(weights, count, Random(seed).random)
    left = set(range(len(scores)))
    for position, propensity in drawn:
        assert propensity == pytest.approx(weights[position] / sum(weights[each] for each in left), rel=1e-6)
        left.remove(position)
    assert len(drawn) == count


@given(scores, st.floats(0.01, 1))
def test_the_propensities_of_the_first_place_sum_to_one(scores: np.ndarray, temperature: float) -> None:
    weights = softmax_weights(scores, temperature)
    assert sum(weights / weights.sum()) == pytest.approx(1.0)


@given(scores, st.integers())
def test_the_same_seed_draws_the_same(scores: np.ndarray, seed: int) -> None:
    weights = softmax_weights(scores, 0.1)
    assert draw(weights, len(scores), Random(seed).random) == draw(weights, len(scores), Random(seed).random)


def test_orders_come_as_often_as_their_propensities_say() -> None:
    weights = np.array([0.0, 1.0, 0.5, 0.25, 0.0, 0.25])
    random = Random(7).random
    times = 40_000
    seen = Counter(tuple(position for position, _ in draw(weights, 3, random)) for _ in range(times))
    expected = {order: plackett_luce(weights.tolist(), order) for order in permutations((1, 2, 3, 5), 3)}
    assert sum(expected.values()) == pytest.approx(1.0)
    assert set(seen) <= set(expected)
    # Pearson's chi-square with 23 degrees of freedom: 60 is exceeded once in 30,000 seeds.
    assert sum((seen[order] - times * p) ** 2 / (times * p) for order, p in expected.items()) < 60


def test_what_is_masked_is_never_drawn() -> None:
    weights = softmax_weights(np.array([0.9, -np.inf, 0.1, -np.inf]), 0.005)
    assert {position for position, _ in draw(weights, 2, Random(1).random)} == {0, 2}


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-53])
def test_rounding_at_the_ends_never_draws_twice_or_outside(uniform: float) -> None:
    weights = np.array([0.0, 0.1, 0.2, 0.3, 0.0])
    assert sorted(position for position, _ in draw(weights, 3, lambda: uniform)) == [1, 2, 3]
